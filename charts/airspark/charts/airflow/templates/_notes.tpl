{{/*
What is said after an installation, by this chart's NOTES.txt and by a parent's; warnings are in
_notes_warnings.tpl.

  airflow.notes.facts       what was installed
  airflow.notes.logMode     access mode of the log claim that the chart makes       facts, warnings
  airflow.notes.checks      how to see that it works, and where to look if not
  airflow.notes.access      where the UI is and how to log in
  airflow.notes.address     the UI's address by the type of the Service    access
*/}}

{{- define "airflow.notes.facts" -}}
Airflow {{ include "airflow.version" . }}
  Pods      API server ({{ .Values.apiServer.replicas }}), scheduler ({{ .Values.scheduler.replicas }}), DAG processor ({{ .Values.dagProcessor.replicas }})
  {{- if .Values.triggerer.enabled }}, triggerer ({{ .Values.triggerer.replicas }}){{ end }}
  {{- if .Values.pgbouncer.enabled }}, PgBouncer ({{ .Values.pgbouncer.replicas }}){{ end }}; one more for each task
  Database  {{ if and .Values.postgresql.enabled (not .Values.data.metadataConnection.host) }}PostgreSQL of this chart, {{ include "airflow.fullname" . }}-postgresql{{ else }}{{ default (printf "of the Secret %s" (include "airflow.secretName.metadata" .)) .Values.data.metadataConnection.host }}{{ end }}
  DAGs      {{ if .Values.dags.gitSync.enabled -}}
from Git, {{ regexReplaceAll "//[^@/]*@" .Values.dags.gitSync.repo "//" }}
{{- else if .Values.dags.persistence.enabled -}}
from the claim {{ include "airflow.claimName.dags" . }} ({{ .Values.dags.persistence.accessMode }})
{{- else if include "airflow.helmTest.bakedDags" . -}}
from the image {{ include "airflow.image" . }}
{{- else -}}
from the bundles {{ range $index, $bundle := include "airflow.bundles.effective" . | fromJsonArray }}{{ if $index }}, {{ end }}{{ $bundle.name }}{{ end }}
{{- end }}
  Logs      {{ if .Values.logs.remote.enabled }}sent to {{ .Values.logs.remote.folder }}
{{- else if or .Values.elasticsearch.enabled .Values.opensearch.enabled }}in {{ .Values.elasticsearch.enabled | ternary "Elasticsearch" "OpenSearch" }}
{{- else if include "airflow.logs.remote" . }}sent away{{ with include "airflow.setting.value" (dict "root" . "section" "logging" "key" "remote_base_log_folder") }} to {{ . }}{{ end }}, as settings say
{{- else if include "airflow.logs.claimed" . }}on the claim {{ include "airflow.claimName.logs" . }}{{ with include "airflow.notes.logMode" . }} ({{ . }}){{ end }}
{{- else }}in each pod, until it is gone
{{- end }}
  Days      of {{ include "airflow.timeZone" . | default "UTC" }}
  Login     {{ get (dict "fab" "user name and password" "oidc" (printf "OpenID Connect, %s" .Values.auth.oidc.issuer) "simple" "none: everybody is an administrator" "other" (printf "as %s does it" (include "airflow.setting.value" (dict "root" . "section" "core" "key" "auth_manager" "default" "a Secret") | splitList "." | last))) (include "airflow.auth" .) }}
{{- end -}}

{{- define "airflow.notes.logMode" -}}
{{- if not .Values.logs.persistence.existingClaim -}}
{{- include "airflow.logs.accessMode" . -}}
{{- end -}}
{{- end -}}

{{- define "airflow.notes.checks" -}}
{{- $kubectl := printf "kubectl -n %s" .Release.Namespace -}}
The first start makes secrets and database, and takes a minute or two:
  {{ $kubectl }} wait --for=condition=Available deployment -l release={{ .Release.Name }} --timeout=10m
If it takes longer, see what it waits for:
  {{ $kubectl }} logs job/{{ include "airflow.fullname" . }}-bootstrap-{{ include "airflow.bootstrap.hash" . }} --all-containers
  {{ $kubectl }} get events --field-selector type=Warning
{{- if .Values.helmTest.enabled }}
Then test it, up to a task that runs:
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }} --logs
{{- end }}
{{- end -}}

{{- define "airflow.notes.address" -}}
{{- $kubectl := printf "kubectl -n %s" .Release.Namespace -}}
{{- $service := printf "%s-api-server" (include "airflow.fullname" .) -}}
{{- $port := include "airflow.apiServer.port" . -}}
{{- $path := include "airflow.api.basePath" . -}}
{{- if eq .Values.apiServer.service.type "NodePort" -}}
  echo "http://$(kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}'):$({{ $kubectl }} get service {{ $service }} -o jsonpath='{.spec.ports[?(@.port=={{ $port }})].nodePort}'){{ $path }}/"
{{- else if eq .Values.apiServer.service.type "LoadBalancer" -}}
  {{ $kubectl }} wait --for=jsonpath='{.status.loadBalancer.ingress}' service/{{ $service }} --timeout=10m
  echo "http://$({{ $kubectl }} get service {{ $service }} -o jsonpath='{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}'):{{ $port }}{{ $path }}/"
{{- else -}}
  {{ $kubectl }} port-forward service/{{ $service }} 8080:{{ $port }}
{{- end }}
{{- end -}}

{{- define "airflow.notes.access" -}}
{{- $kubectl := printf "kubectl -n %s" .Release.Namespace -}}
{{- $path := include "airflow.api.basePath" . -}}
{{- $base := include "airflow.api.baseUrl" . | trimSuffix "/" -}}
Airflow's UI and API{{ if eq .Values.apiServer.service.type "ClusterIP" }}, http://localhost:8080{{ $path }}/{{ end }}:
  {{ include "airflow.notes.address" . | trim }}
{{- if include "airflow.ingress.enabled" . }}
Through the Ingress ({{ $kubectl }} get ingress {{ include "airflow.fullname" . }}-ingress):
{{- range (include "airflow.ingress.hosts" (dict "root" . "ingress" .Values.ingress.apiServer) | fromJson).hosts }}
  {{ empty .tls.enabled | ternary "http" "https" }}://{{ default "<any host>" .name }}{{ tpl (default $path $.Values.ingress.apiServer.path) $ | trimSuffix "/" }}/
{{- end }}
{{- end }}
{{- with .Values.apiServer.httpRoute }}
{{- if .enabled }}
Through the Gateway{{ range .parentRefs }} {{ .name }}{{ end }} ({{ $kubectl }} describe httproute {{ include "airflow.fullname" $ }}-api-server-httproute):
{{- range .hostnames | default (list "<any host>") }}
  {{ hasPrefix "https:" $base | ternary "https" "http" }}://{{ tpl . $ }}{{ $path }}/
{{- end }}
{{- end }}
{{- end }}
{{- $first := and .Values.createUserJob.enabled (include "airflow.auth.users" .) }}
{{- if eq (include "airflow.auth" .) "oidc" }}
  login     by the button `{{ .Values.auth.oidc.providerName }}`; the provider sends back to {{ default "http://localhost:8080" $base }}/auth/oauth-authorized/{{ .Values.auth.oidc.providerName }}
{{- if $first }}
For the REST API there is also a user with a password, who gets tokens from /auth/token:
{{- end }}
{{- end }}
{{- if $first }}
  user      {{ empty .Values.createUserJob.existingSecret | ternary .Values.createUserJob.defaultUser.username (printf "%s get secret %s -o jsonpath='{.data.username}' | base64 -d" $kubectl (include "airflow.secretName.admin" .)) }}
  password  {{ $kubectl }} get secret {{ include "airflow.secretName.admin" . }} -o jsonpath='{.data.password}' | base64 -d
{{- end }}
{{- end -}}
