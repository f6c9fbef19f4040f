{{/*
Probes.

  airflow.probe             one probe                                    (dict probe, action)
  airflow.heartbeatProbes   liveness and startup by heartbeat            (dict root, values, jobType)
  airflow.httpProbes        liveness, readiness and startup over HTTP    (dict root, values)
*/}}

{{- define "airflow.probe" -}}
{{- $action := .action -}}
{{- with .probe.command }}{{ $action = dict "exec" (dict "command" .) }}{{ end -}}
{{- toYaml (mergeOverwrite dict $action (omit .probe "command" "scheme")) -}}
{{- end -}}

{{- define "airflow.heartbeatProbes" -}}
{{- range $name, $more := dict "livenessProbe" list "startupProbe" (list "--startup") }}
{{ $name }}:
  {{- $command := concat (list "python" "/opt/airspark/heartbeat.py" $.jobType) $more }}
  {{- include "airflow.probe" (dict "probe" (get $.values $name) "action" (dict "exec" (dict "command" $command))) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.httpProbes" -}}
{{- $path := printf "%s/api/v2/monitor/health" (include "airflow.api.basePath" .root) }}
{{- range $name := list "livenessProbe" "readinessProbe" "startupProbe" }}
{{- $probe := get $.values $name }}
{{- $get := dict "httpGet" (dict "path" $path "port" "api-server" "scheme" (default (include "airflow.api.scheme" $.root | upper) $probe.scheme)) }}
{{- if eq $name "livenessProbe" }}
{{- /* also sees that a Secret changed, so it is a command */}}
{{- $url := printf "%s://127.0.0.1:%v%s" (lower (default (include "airflow.api.scheme" $.root | upper) $probe.scheme)) $.root.Values.ports.apiServer $path }}
{{- $get = dict "exec" (dict "command" (list "python" "/opt/airspark/heartbeat.py" "api-server" "--url" $url)) }}
{{- end }}
{{ $name }}:
  {{- include "airflow.probe" (dict "probe" $probe "action" $get) | nindent 2 }}
{{- end }}
{{- end -}}
