{{/*
Parts of containers.

  airflow.containerSecurityContext     restricted, read-only root            every container  (dict root, values)
  airflow.containerBasics              command, arguments, security context, resources, lifecycle of a container
                                       (dict root, values, arguments)
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
command: {{ include "common.json" (list . $.root) }}
{{ end -}}
args: {{ include "common.json" (list ($values.args | default .arguments) .root) }}
securityContext:
  {{- include "airflow.containerSecurityContext" . | nindent 2 }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.containerLifecycleHooks | default .root.Values.containerLifecycleHooks }}
lifecycle:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.secretFiles" -}}
{{- $secrets := include "airflow.secretEnv" .root | fromJson -}}
- name: chart/secrets
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
{{- $sidecars := list }}{{ $others := list }}
{{- range .values.extraInitContainers }}
{{- if eq (toString .restartPolicy) "Always" }}{{ $sidecars = append $sidecars . }}{{ else }}{{ $others = append $others . }}{{ end }}
{{- end }}
{{- /* A proxy to the database runs before anything waits for it. */}}
{{- with $sidecars }}
{{ include "common.yaml" (list . $.root) }}
{{- end }}
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
    - name: chart/scripts
      mountPath: /opt/airspark
      readOnly: true
    - name: chart/tmp
      mountPath: /tmp
    {{- include "airflow.certificateMount" .root | nindent 4 }}
{{- end }}
{{- with $others }}
{{ include "common.yaml" (list . $.root) }}
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
      {{- if and (ne .groomedVolume "chart/parse-logs") .root.Values.logs.persistence.subPath }}
      subPath: {{ .root.Values.logs.persistence.subPath }}
      {{- end }}
    - name: chart/scripts
      mountPath: /opt/airspark
      readOnly: true
{{- end }}
{{- end -}}

{{- define "airflow.extraMounts" -}}
{{- include "airflow.certificateMount" .root }}
{{- with concat .root.Values.volumeMounts (default list (default dict .values).extraVolumeMounts) }}
{{ include "common.yaml" (list . $.root) }}
{{- end }}
{{- end -}}

{{- define "airflow.certificateMount" -}}
{{- if include "airflow.database.caSecret" . }}
- name: chart/database-ca
  mountPath: /etc/airspark/database
  readOnly: true
{{- end }}
{{- end -}}
