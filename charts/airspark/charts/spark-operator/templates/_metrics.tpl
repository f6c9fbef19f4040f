{{/*
Metrics.

  sparkOperator.metrics.selector    matchers of this release's metrics in Prometheus    alerts
  sparkOperator.metrics.metadata    metadata  (dict root, name, values)                 monitoring
  sparkOperator.alerts              rules of the PrometheusRule, as a JSON list         monitoring
*/}}

{{- define "sparkOperator.metrics.selector" -}}
{{- $job := printf "%s-spark-operator" (include "sparkOperator.fullname" .) -}}
{{- default (printf "namespace=%q,job=%q" .Release.Namespace $job) .Values.metrics.prometheusRule.selector -}}
{{- end -}}

{{- define "sparkOperator.metrics.metadata" -}}
name: {{ include "sparkOperator.fullname" .root }}-{{ .name }}
labels:
  {{- include "common.map" (list (mergeOverwrite (include "sparkOperator.labels" .root | fromYaml) .values.labels) .root) | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sparkOperator.alerts" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $text := .Files.Get "files/alerts.yaml" -}}
{{- $known := dict "selector" (include "sparkOperator.metrics.selector" .) "namespace" .Release.Namespace "fullname" (include "sparkOperator.fullname" .) -}}
{{- range $name, $value := mergeOverwrite (fromYaml $text).thresholds $values.thresholds $known }}
{{- $text = replace (printf "$(%s)" $name) (include "common.text" $value) $text }}
{{- end }}
{{- $rules := list -}}
{{- range (fromYaml $text).rules }}
{{- if not (has .alert (default list $values.disabled)) }}
{{- $labels := merge (dict "namespace" $.Release.Namespace "release" $.Release.Name) (default dict .labels) }}
{{- $rules = append $rules (merge (dict "labels" $labels) .) }}
{{- end }}
{{- end }}
{{- toJson (concat $rules (default list $values.additionalRules)) -}}
{{- end -}}
