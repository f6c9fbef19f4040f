{{/*
What is said after an installation, by this chart's NOTES.txt and by a parent's.

  spark.notes.facts       what was installed
  spark.notes.checks      how to see that it works, and where to look if not      this chart's notes alone
  spark.notes.access      where the user interfaces are, and how to submit
  spark.notes.warnings    what is not fit for production
*/}}

{{- define "spark.notes.facts" -}}
Spark
  Pods      a master and {{ include "spark.helmTest.workers" . }} workers
  {{- if include "spark.history" . }}, a history server{{ end }}; {{ include "spark.masterUrl" . }}
  Secret    {{ if .Values.security.rpc.authenticationEnabled }}{{ include "spark.authSecret" . }}, which every client must know{{ else }}none{{ end }}
  {{- with include "spark.mountClaim" (dict "root" . "name" "events") }}
  Events    on the claim {{ . }}
  {{- end }}
{{- end -}}

{{- define "spark.notes.checks" -}}
{{- $kubectl := printf "kubectl -n %s" .Release.Namespace -}}
The first start makes the shared secret, and takes a minute:
  {{ $kubectl }} rollout status statefulset/{{ include "spark.fullname" . }}-spark-worker --timeout=5m
If it takes longer, see what it waits for:
  {{ $kubectl }} logs job/{{ include "spark.fullname" . }}-spark-bootstrap-{{ include "spark.bootstrap.hash" . }}
  {{ $kubectl }} get events --field-selector type=Warning
{{- if .Values.helmTest.enabled }}
Then test it, up to an application that runs:
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }} --logs
{{- end }}
{{- end -}}

{{- define "spark.notes.access" -}}
{{- $forward := printf "kubectl -n %s port-forward service/%s" .Release.Namespace (include "spark.fullname" .) -}}
Spark's UI{{ if .Values.ui.reverseProxy.enabled }}, workers and running applications behind it{{ end }}, http://localhost:8083:
  {{ $forward }}-spark-master 8083:{{ .Values.master.containerPorts.http }}
{{- with include "spark.page.url" (dict "root" . "component" "spark-master") }}
  or {{ . }}/
{{- end }}
{{- if include "spark.history" . }}
Finished applications, http://localhost:18080:
  {{ $forward }}-spark-history 18080:{{ .Values.historyServer.containerPorts.http }}
{{- with include "spark.page.url" (dict "root" . "component" "spark-history") }}
  or {{ . }}/
{{- end }}
{{- end }}
{{- end -}}

{{- define "spark.notes.warnings" -}}
{{- $said := list -}}
{{- if not .Values.security.rpc.authenticationEnabled }}
{{- $said = append $said "ANYBODY WHO REACHES THE MASTER MAY RUN ANY CODE IN THE WORKERS (security.rpc.authenticationEnabled: false): switch it on." }}
{{- else if not .Values.security.rpc.encryptionEnabled }}
{{- $said = append $said "Data travels between Spark's processes in the clear: set `security.rpc.encryptionEnabled`." }}
{{- end }}
{{- if not .Values.master.persistence.enabled }}
{{- $said = append $said "A restarted master forgets its workers and ends running applications: set `master.persistence.enabled`." }}
{{- end }}
{{- if .Values.master.rest.enabled }}
{{- $said = append $said (printf "The submission server listens at port %d: whoever holds the key `rest-jws-key` of the Secret %s may run any code in the workers." (int .Values.master.containerPorts.rest) (include "spark.authSecret" .)) }}
{{- end }}
{{- if not .Values.networkPolicies.enabled }}
{{- $said = append $said "Every pod of the cluster may reach Spark's pods: set `networkPolicies.enabled`." }}
{{- end }}
{{- range $key, $component := dict "ingress" "spark-master" "historyServer.ingress" "spark-history" }}
{{- if include "spark.public" (dict "root" $ "component" $component) }}
{{- $said = append $said (printf "The pages of %s ask for no password: put something that does before them, for example by an annotation in `%s.annotations`." $component $key) }}
{{- end }}
{{- end }}
{{- range splitList "\n" (include "spark.images.warnings" . | trim) }}
{{- with trim . }}{{ $said = append $said . }}{{ end }}
{{- end }}
{{- range $said }}
  ! {{ . }}
{{- end }}
{{- end -}}
