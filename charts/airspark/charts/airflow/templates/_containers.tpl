{{/*
Parts of containers.

  airflow.containerSecurityContext     restricted, read-only root            every container  (dict root, values)
  airflow.containerBasics              command, arguments, security context, resources, lifecycle of a container
                                       (dict root, values, arguments)
  airflow.secretEnv                    variables that stand in Secrets, by the name of a secret   env, secretFiles
  airflow.env                          settings, wanted secrets and what values add   (dict root, values, secrets)
  airflow.envFrom                      what values add                       every Airflow container
  airflow.secretFiles                  volume with the same secrets, by which the liveness probe sees them change
  airflow.initContainers               wait for the migration, and what values add    workloads
  airflow.logGroomer                   the sidecar that removes old logs     workloads
  airflow.extraMounts                  the database's CA and what values add containers
*/}}

{{- define "airflow.containerSecurityContext" -}}
{{- $context := .root.Values.securityContexts.disableDefaults | default false | ternary dict (dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true) -}}
{{- $contexts := default dict (default dict .values).securityContexts -}}
{{- include "airflow.layers" (list $context .root.Values.securityContexts.containers $contexts.container) | fromJson | toYaml -}}
{{- end -}}

{{- define "airflow.containerBasics" -}}
{{- $values := default dict .values -}}
{{- with $values.command -}}
command: {{ tpl (toJson .) $.root }}
{{ end -}}
args: {{ tpl (toJson ($values.args | default .arguments)) .root }}
securityContext:
  {{- include "airflow.containerSecurityContext" . | nindent 2 }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.containerLifecycleHooks | default .root.Values.containerLifecycleHooks }}
lifecycle:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.secretEnv" -}}
{{- $all := dict
  "database" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" (include "airflow.secretName.metadata" .) (include "airflow.secretKey.metadata" .))
  "fernet" (list "AIRFLOW__CORE__FERNET_KEY" (include "airflow.secretName.fernet" .) "fernet-key")
  "jwt" (list "AIRFLOW__API_AUTH__JWT_SECRET" (include "airflow.secretName.jwt" .) "jwt-secret")
  "api" (list "AIRFLOW__API__SECRET_KEY" (include "airflow.secretName.api" .) "api-secret-key")
  "connection" (list "AIRFLOW_CONN_AIRFLOW_DB" (include "airflow.secretName.metadata" .) (include "airflow.secretKey.metadata" .)) -}}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $index := get $.Values $name }}
{{- if and $index.enabled $index.secretName }}
{{- $_ := set $all $name (list (printf "AIRFLOW__%s__HOST" (upper $name)) $index.secretName "connection") }}
{{- end }}
{{- end }}
{{- range $name, $secret := $all }}
{{- if not (get $.Values.enableBuiltInSecretEnvVars (first $secret)) }}
{{- $_ := unset $all $name }}
{{- end }}
{{- end }}
{{- if .Values.jwtKeyPair.enabled }}
{{- /* The keys are read from files; their public part is here to be seen to change. */}}
{{- $_ := set $all "jwt" (list "AIRSPARK_JWT_KEYS" (include "airflow.secretName.jwtKeys" .) "jwks.json") }}
{{- end }}
{{- if eq .Values.auth.manager "oidc" }}
{{- $_ := set $all "oidc" (list "AIRSPARK_OIDC_CLIENT_SECRET" .Values.auth.oidc.clientSecretName "client-secret") }}
{{- end }}
{{- toJson $all -}}
{{- end -}}

{{- define "airflow.env" -}}
{{- $secrets := include "airflow.secretEnv" .root | fromJson -}}
{{- $env := list -}}
{{- $watched := list -}}
{{- range .secrets }}
{{- with get $secrets . }}
{{- $env = append $env (dict "name" (first .) "valueFrom" (dict "secretKeyRef" (dict "name" (index . 1) "key" (index . 2)))) }}
{{- $watched = append $watched (printf "%s=/run/airspark/secrets/%s" (first .) (first .)) }}
{{- end }}
{{- end }}
{{- if and $watched .watch }}
{{- $env = append $env (dict "name" "AIRSPARK_SECRETS" "value" (join ";" $watched)) }}
{{- end }}
{{- $env = concat $env (default list .extra) (include "airflow.otelEnv" . | fromJsonArray) .root.Values.env }}
{{- range .root.Values.secret }}
{{- $env = append $env (dict "name" .envName "valueFrom" (dict "secretKeyRef" (dict "name" .secretName "key" .secretKey))) }}
{{- end }}
{{- with concat $env (default list (default dict .values).env) }}
{{- toYaml . }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ tpl . $.root | trim }}
{{- end }}
{{- end -}}

{{- define "airflow.envFrom" -}}
{{- with .Values.extraEnvFrom }}{{ tpl . $ | trim }}{{ end -}}
{{- end -}}

{{- define "airflow.secretFiles" -}}
{{- $secrets := include "airflow.secretEnv" .root | fromJson -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range .secrets }}
      {{- with get $secrets . }}
      - secret:
          name: {{ index . 1 }}
          # The variable already waits for it; this must not wait longer.
          optional: true
          items: [{key: {{ index . 2 }}, path: {{ first . }}}]
      {{- end }}
      {{- end }}
{{- end -}}

{{- define "airflow.initContainers" -}}
{{- $wait := .values.waitForMigrations -}}
{{- if $wait.enabled }}
- name: wait-for-airflow-migrations
  image: {{ include "airflow.image" .root }}
  imagePullPolicy: {{ .root.Values.images.airflow.pullPolicy }}
  args: [python, /opt/airspark/wait_for_migrations.py]
  securityContext:
    {{- include "airflow.containerSecurityContext" (dict "root" .root "values" $wait) | nindent 4 }}
  {{- $extra := list }}
  {{- range $name, $value := dict "AIRSPARK_DATABASE_ADDRESS" (include "airflow.database.address" .root) "AIRSPARK_WAIT_CONNECTIONS" .waitFor }}
  {{- with $value }}{{ $extra = append $extra (dict "name" $name "value" .) }}{{ end }}
  {{- end }}
  {{- with include "airflow.env" (dict "root" .root "values" $wait "secrets" (list "database") "extra" $extra) | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  resources:
    {{- toYaml (default (dict "requests" (dict "cpu" "10m" "memory" "64Mi") "limits" (dict "memory" "256Mi")) $wait.resources) | nindent 4 }}
  volumeMounts:
    - name: scripts
      mountPath: /opt/airspark
      readOnly: true
    - name: tmp
      mountPath: /tmp
    {{- include "airflow.certificateMount" .root | nindent 4 }}
{{- end }}
{{- with .values.extraInitContainers }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{- define "airflow.logGroomer" -}}
{{- $groomer := default dict .values.logGroomerSidecar -}}
{{- if and $groomer.enabled .groomedVolume }}
- name: {{ .component }}-log-groomer
  image: {{ include "airflow.image" .root }}
  imagePullPolicy: {{ .root.Values.images.airflow.pullPolicy }}
  {{- include "airflow.containerBasics" (dict "root" .root "values" $groomer
        "arguments" (list "python" "/opt/airspark/groom_logs.py" (printf "%s/logs" .root.Values.airflowHome))) | nindent 2 }}
  env:
    {{- $names := dict "retentionDays" "DAYS" "retentionMinutes" "MINUTES" "frequencyMinutes" "EVERY_MINUTES" "maxSizeBytes" "MAX_BYTES" "maxSizePercent" "MAX_PERCENT" }}
    {{- range $key, $name := $names }}
    - name: GROOM_{{ $name }}
      value: {{ default 0 (get $groomer $key) | int64 | toString | quote }}
    {{- end }}
    {{- with $groomer.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumeMounts:
    - name: {{ .groomedVolume }}
      mountPath: {{ .root.Values.airflowHome }}/logs
      {{- if and (eq .groomedVolume "logs") .root.Values.logs.persistence.subPath }}
      subPath: {{ .root.Values.logs.persistence.subPath }}
      {{- end }}
    - name: scripts
      mountPath: /opt/airspark
      readOnly: true
{{- end }}
{{- end -}}

{{- define "airflow.extraMounts" -}}
{{- include "airflow.certificateMount" .root }}
{{- with concat .root.Values.volumeMounts (default list (default dict .values).extraVolumeMounts) }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{- define "airflow.certificateMount" -}}
{{- if .Values.data.metadataConnection.caSecretName }}
- name: database-ca
  mountPath: /etc/airspark/database
  readOnly: true
{{- end }}
{{- end -}}
