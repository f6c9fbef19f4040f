{{/*
Names, labels and what is read out of values in more than one place.

  spark.fullname           prefix of all names                                     every template
  spark.labels             labels of an object                                     every template   (dict root, component)
  spark.podLabels          labels of a pod                                         pods             (dict root, component, labels)
  spark.selectorLabels     labels that select pods                                 workloads        (dict root, component, group)
  spark.image              image reference                                         pods
  spark.mountClaim         claim of a mount                                        pods             (dict root, name)
  spark.masterUrl          where drivers and workers register                      config, workers
  spark.authSecret         name of the Secret that every Spark process shares      pods, bootstrap
  spark.authKeys           keys it must hold, by spaces                            bootstrap
  spark.account            name of the service account                             pods
  spark.history            whether there is a history server: it is on and has logs to read    history, config
  spark.groups             worker groups by name, `worker` itself under ""; JSON   workers
*/}}

{{- define "spark.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{- define "spark.selectorLabels" -}}
tier: spark
component: {{ .component }}
release: {{ .root.Release.Name }}
{{- with .group }}
airspark.io/worker-group: {{ . }}
{{- end }}
{{- end -}}

{{- define "spark.podLabels" -}}
{{- $chart := dict
  "app.kubernetes.io/name" (default .root.Chart.Name .root.Values.nameOverride)
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/component" .component
  "app.kubernetes.io/part-of" "airspark" -}}
{{- include "common.map" (list (mergeOverwrite $chart .root.Values.labels (default dict .labels) (include "spark.selectorLabels" . | fromYaml)) .root) -}}
{{- end -}}

{{- define "spark.labels" -}}
{{- $object := dict "app.kubernetes.io/managed-by" .root.Release.Service "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- include "common.map" (list (mergeOverwrite $object (include "spark.podLabels" . | fromYaml)) .root) -}}
{{- end -}}

{{- define "spark.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "spark.mountClaim" -}}
{{- $claim := default (get (.root.Values.global.claims | default dict) .name) (get .root.Values.mounts .name).claim -}}
{{- tpl ($claim | default "") .root -}}
{{- end -}}

{{- define "spark.masterUrl" -}}
spark://{{ include "spark.fullname" . }}-spark-master:{{ .Values.master.containerPorts.cluster }}
{{- end -}}

{{- define "spark.authSecret" -}}
{{- $shared := dig "spark" "authSecretName" "" (.Values.global | default dict) -}}
{{- tpl (coalesce .Values.security.passwordsSecretName $shared (printf "%s-spark-auth" (include "spark.fullname" .))) . -}}
{{- end -}}

{{- define "spark.authKeys" -}}
{{- $keys := list -}}
{{- if .Values.security.rpc.authenticationEnabled }}{{ $keys = append $keys "rpc-authentication-secret" }}{{ end -}}
{{- if .Values.master.rest.enabled }}{{ $keys = append $keys "rest-jws-key" }}{{ end -}}
{{- if include "spark.connect.enabled" . }}{{ $keys = append $keys "connect-token" }}{{ end -}}
{{- join " " $keys -}}
{{- end -}}

{{- define "spark.history" -}}
{{- if and .Values.historyServer.enabled (include "spark.mountClaim" (dict "root" . "name" "events")) }}yes{{ end -}}
{{- end -}}

{{- define "spark.account" -}}
{{- default (.Values.serviceAccount.create | ternary (printf "%s-spark" (include "spark.fullname" .)) "default") (tpl .Values.serviceAccount.name .) -}}
{{- end -}}

{{- define "spark.groups" -}}
{{- $groups := dict "" .Values.worker -}}
{{- range $name, $values := .Values.workers.groups }}
{{- if not (kindIs "invalid" $values) }}
{{- $_ := set $groups $name (mergeOverwrite (deepCopy $.Values.worker) $values) }}
{{- end }}
{{- end }}
{{- toJson $groups -}}
{{- end -}}
