{{/*
Parts of containers that values may add to or replace.

  spark.probe       a probe: the chart's check, or the command of the values    containers    (dict root, probe, check)
  spark.envFrom     whole ConfigMaps and Secrets as environment                 containers    (dict root, values)
  spark.extraEnv    variables that values add, as items of a list               containers    (dict values)
  spark.extraMounts mounts that values add, as items of a list                  containers    (dict root, values)
  spark.sidecars    containers beside the chart's own                           pods          (dict root, values)
*/}}

{{- define "spark.probe" -}}
{{- $check := .check -}}
{{- with .probe.command }}
{{- $check = dict "exec" (dict "command" (include "common.json" (list . $.root) | fromJsonArray)) -}}
{{- end }}
{{- toYaml (merge (pick .probe "initialDelaySeconds" "periodSeconds" "timeoutSeconds" "failureThreshold") $check) -}}
{{- end -}}

{{- define "spark.envFrom" -}}
{{- if or .values.extraEnvVarsCM .values.extraEnvVarsSecret }}
envFrom:
  {{- with .values.extraEnvVarsCM }}
  - configMapRef:
      name: {{ tpl . $.root }}
  {{- end }}
  {{- with .values.extraEnvVarsSecret }}
  - secretRef:
      name: {{ tpl . $.root }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* After the chart's own, so that they win. */}}
{{- define "spark.extraEnv" -}}
{{- with .values.extraEnvVars }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- define "spark.extraMounts" -}}
{{- with .values.extraVolumeMounts }}{{ include "common.yaml" (list . $.root) }}{{ end -}}
{{- end -}}

{{- define "spark.sidecars" -}}
{{- with .values.sidecars }}{{ include "common.yaml" (list . $.root) }}{{ end -}}
{{- end -}}
