{{/*
PgBouncer.

  airflow.pgbouncer.component   component and values of its pod, as JSON              pgbouncer
  airflow.pgbouncer.ini         the text of pgbouncer.ini                             secrets
  airflow.pgbouncer.exports     whether the metrics exporter runs                     secrets, deployment, ingress
  airflow.pgbouncer.stats       name and key of the exporter's Secret, as JSON        secrets, deployment
  airflow.pgbouncer.secrets     the Secrets that it reads, as a JSON list             bootstrap
  airflow.pgbouncer.exporter    the container with its metrics                        deployment
*/}}

{{- define "airflow.pgbouncer.component" -}}
{{- toJson (dict "component" "pgbouncer" "values" .Values.pgbouncer) -}}
{{- end -}}

{{- define "airflow.pgbouncer.ini" -}}
{{- $connection := .Values.data.metadataConnection -}}
{{- $bouncer := .Values.pgbouncer -}}
[databases]
{{ .Release.Name }}-metadata = host={{ include "airflow.database.host" . }} dbname={{ $connection.db }} port={{ $connection.port }} pool_size={{ include "common.text" $bouncer.metadataPoolSize }}{{ with $bouncer.extraIniMetadata }} {{ . }}{{ end }}

[pgbouncer]
pool_mode = transaction
listen_addr = *
listen_port = {{ .Values.ports.pgbouncer }}
unix_socket_dir =
auth_type = {{ $bouncer.auth_type }}
auth_file = {{ default "/etc/pgbouncer/users.txt" $bouncer.auth_file }}
stats_users = {{ $connection.user }}
ignore_startup_parameters = extra_float_digits
max_client_conn = {{ include "common.text" $bouncer.maxClientConn }}
verbose = {{ include "common.text" $bouncer.verbose }}
log_connections = {{ has (toString $bouncer.logConnections) (list "true" "1") | ternary 1 0 }}
log_disconnections = {{ has (toString $bouncer.logDisconnections) (list "true" "1") | ternary 1 0 }}
{{- if include "airflow.database.own" . }}
client_tls_sslmode = {{ eq (include "airflow.database.sslmode" .) "disable" | ternary "allow" "require" }}
client_tls_cert_file = /etc/airspark/tls/tls.crt
client_tls_key_file = /etc/airspark/tls/tls.key
{{- end }}
{{- $mode := eq $bouncer.sslmode "prefer" | ternary (include "airflow.database.sslmode" .) $bouncer.sslmode }}
server_tls_sslmode = {{ $mode }}
{{- with include "airflow.database.ca" (dict "root" . "sslmode" $mode) }}
server_tls_ca_file = {{ . }}
{{- end }}
{{- with $bouncer.ciphers }}
server_tls_ciphers = {{ . }}
{{- end }}
{{- with $bouncer.extraIni }}
{{ tpl . $ }}
{{- end }}
{{- end -}}

{{- define "airflow.pgbouncer.exports" -}}
{{- if and .Values.pgbouncer.enabled (default dict .Values.images.pgbouncerExporter).repository }}yes{{ end -}}
{{- end -}}

{{- define "airflow.pgbouncer.stats" -}}
{{- $exporter := default dict .Values.pgbouncer.metricsExporterSidecar -}}
{{- toJson (dict "name" (default (printf "%s-pgbouncer-stats" (include "airflow.fullname" .)) (tpl (default "" $exporter.statsSecretName) .))
      "key" (default "connection" $exporter.statsSecretKey)) -}}
{{- end -}}

{{- /* A recipe `template` follows its text; a `text` would be made once. */}}
{{- define "airflow.pgbouncer.secrets" -}}
{{- $secrets := list -}}
{{- $bouncer := .Values.pgbouncer -}}
{{- $user := .Values.data.metadataConnection.user -}}
{{- $password := dict "secret" (include "airflow.secretName.databasePassword" .) "key" "password" "encode" "doubledQuotes" -}}
{{- if $bouncer.enabled }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.pgbouncer" .) "brought" (not (empty $bouncer.configSecretName))
      "annotations" (include "common.map" (list (default dict $bouncer.configSecretAnnotations) .) | fromYaml)
      "keys" (dict
        "pgbouncer.ini" (dict "kind" "template" "text" (print (include "airflow.pgbouncer.ini" . | trim) "\n") "values" dict)
        "users.txt" (dict "kind" "template" "text" (printf "%q \"{password}\"\n" $user) "values" (dict "password" $password)))) -}}
{{- end }}
{{- if include "airflow.pgbouncer.exports" . }}
{{- $stats := include "airflow.pgbouncer.stats" . | fromJson }}
{{- $exporter := default dict $bouncer.metricsExporterSidecar }}
{{- $secrets = append $secrets (dict "name" $stats.name "brought" (not (empty $exporter.statsSecretName))
      "annotations" (include "common.map" (list (default dict $exporter.statsSecretAnnotations) .) | fromYaml)
      "keys" (dict $stats.key (dict "kind" "url" "protocol" "postgresql" "user" $user "passwordFrom" $password.secret
        "host" "127.0.0.1" "port" .Values.ports.pgbouncer "database" "pgbouncer" "sslmode" (default "disable" $exporter.sslmode)))) -}}
{{- end }}
{{- toJson $secrets -}}
{{- end -}}

{{- define "airflow.pgbouncer.exporter" -}}
{{- $exporter := default dict .Values.pgbouncer.metricsExporterSidecar -}}
{{- $image := .Values.images.pgbouncerExporter -}}
{{- $stats := include "airflow.pgbouncer.stats" . | fromJson -}}
- name: metrics-exporter
  image: {{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ required "images.pgbouncerExporter.tag: the exporter's image needs a tag" $image.tag }}{{ end }}
  imagePullPolicy: {{ default "IfNotPresent" $image.pullPolicy }}
  securityContext:
    {{- include "airflow.containerSecurityContext" (dict "root" . "values" $exporter) | nindent 4 }}
  env:
    - name: DATABASE_URL
      valueFrom:
        secretKeyRef: {name: {{ $stats.name }}, key: {{ $stats.key }}}
  ports:
    - name: metrics
      containerPort: {{ default 9127 .Values.ports.pgbouncerScrape }}
  {{- range $probe := list "livenessProbe" "readinessProbe" }}
  {{ $probe }}:
    exec:
      command: [pgbouncer_exporter, health]
    {{- mergeOverwrite (dict "initialDelaySeconds" 10 "periodSeconds" 10 "timeoutSeconds" 1) (default dict (get $exporter $probe)) | toYaml | nindent 4 }}
  {{- end }}
  resources:
    {{- toYaml (default (dict "requests" (dict "cpu" "10m" "memory" "32Mi") "limits" (dict "memory" "64Mi")) $exporter.resources) | nindent 4 }}
  {{- with $exporter.containerLifecycleHooks }}
  lifecycle:
    {{- include "common.yaml" (list . $) | nindent 4 }}
  {{- end }}
  {{- with $exporter.extraVolumeMounts }}
  volumeMounts:
    {{- include "common.yaml" (list . $) | nindent 4 }}
  {{- end }}
{{- end -}}
