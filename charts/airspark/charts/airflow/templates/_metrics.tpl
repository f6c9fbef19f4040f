{{/*
Metrics and traces.

  airflow.config.metrics      sections [metrics] and [traces] of airflow.cfg, as JSON       config
  airflow.otelEnv             OTEL_* variables, as a JSON list  (dict root, component)      env
  airflow.statsd.mappings     the text of the exporter's mappings.yml                       statsd
  airflow.metrics.job         label `job` of this release's metrics                         monitors, alerts
  airflow.metrics.selector    matchers of this release's metrics in Prometheus              alerts
  airflow.metrics.monitor     metadata of a monitor  (dict root, name, values)              monitoring
  airflow.metrics.endpoint    what a monitor reads, and how  (dict root, values)            monitors
  airflow.alerts              rules of the PrometheusRule, as a JSON list                   monitoring
*/}}

{{- define "airflow.config.metrics" -}}
{{- $otel := .Values.otelCollector -}}
{{- $sends := and .Values.statsd.enabled (not $otel.metricsEnabled) -}}
{{- $own := not (empty .Values.statsd.overrideMappings) -}}
{{- $metrics := dict "statsd_on" ($sends | ternary "True" "False") "otel_on" ($otel.metricsEnabled | ternary "True" "False") -}}
{{- if or $sends $otel.metricsEnabled (empty .Values.config.metrics) }}
{{- /* Names with DAG and task in them are for mappings that were written for them; else each sample comes twice. With
the switch on, every task reads a table of names at its start, 0.03 s (2026-11-25), also where nothing is sent. */}}
{{- $_ := set $metrics "legacy_names_on" (and $sends (or $own (not (empty .Values.statsd.extraMappings))) | ternary "True" "False") }}
{{- end }}
{{- if $sends }}
{{- $_ := set $metrics "statsd_host" (printf "%s-statsd.%s.svc" (include "airflow.fullname" .) .Release.Namespace) }}
{{- $_ := set $metrics "statsd_port" (toString .Values.ports.statsdIngest) }}
{{- $_ := set $metrics "statsd_prefix" "airflow" }}
{{- $_ := set $metrics "statsd_influxdb_enabled" ($own | ternary "False" "True") }}
{{- end }}
{{- toJson (dict "metrics" $metrics "traces" (dict "otel_on" ($otel.tracesEnabled | ternary "True" "False"))) -}}
{{- end -}}

{{- define "airflow.otelEnv" -}}
{{- $otel := .root.Values.otelCollector -}}
{{- $env := list -}}
{{- if and .component (or $otel.metricsEnabled $otel.tracesEnabled) }}
{{- $grpc := eq $otel.protocol "grpc" }}
{{- $pod := dict "name" "OTEL_POD_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name")) }}
{{- $resource := printf "k8s.namespace.name=%s,k8s.pod.name=$(OTEL_POD_NAME)" .root.Release.Namespace }}
{{- $env = list $pod
      (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" $otel.endpoint)
      (dict "name" "OTEL_EXPORTER_OTLP_PROTOCOL" "value" $otel.protocol)
      (dict "name" "OTEL_RESOURCE_ATTRIBUTES" "value" $resource)
      (dict "name" "OTEL_SERVICE_NAME" "value" (printf "%s-%s" (include "airflow.fullname" .root) .component)) }}
{{- if $otel.metricsEnabled }}
{{- $env = append $env (dict "name" "OTEL_METRIC_EXPORT_INTERVAL" "value" (include "common.text" $otel.metricExportIntervalMs)) }}
{{- end }}
{{- if $otel.tracesEnabled }}
{{- $env = append $env (dict "name" "OTEL_TRACES_EXPORTER" "value" ($grpc | ternary "otlp_proto_grpc" "otlp_proto_http")) }}
{{- end }}
{{- with $otel.headersSecretName }}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_HEADERS" "valueFrom" (dict "secretKeyRef" (dict "name" (tpl . $.root) "key" "headers"))) }}
{{- end }}
{{- $env = concat $env (default list $otel.env) }}
{{- end }}
{{- toJson $env -}}
{{- end -}}

{{- define "airflow.statsd.mappings" -}}
{{- $statsd := .Values.statsd -}}
{{- with $statsd.cache.ttl }}
defaults:
  ttl: {{ . }}
{{- end }}
mappings:
{{- if $statsd.overrideMappings }}
  {{- toYaml $statsd.overrideMappings | nindent 2 }}
{{- else }}
{{- $prefix := include "airflow.setting.value" (dict "root" . "section" "metrics" "key" "statsd_prefix" "default" "airflow") }}
{{- $rules := .Files.Get "files/statsd-mappings.yaml" | replace "<prefix>" (printf `%s\.` (regexQuoteMeta $prefix)) | fromYaml }}
  {{- concat $statsd.extraMappings $rules.mappings | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.metrics.job" -}}
{{- include "airflow.fullname" . }}-statsd
{{- end -}}

{{- define "airflow.metrics.selector" -}}
{{- default (printf "namespace=%q,job=%q" .Release.Namespace (include "airflow.metrics.job" .)) .Values.metrics.prometheusRule.selector -}}
{{- end -}}

{{- define "airflow.metrics.monitor" -}}
name: {{ include "airflow.fullname" .root }}-{{ .name }}
labels:
  {{- include "common.map" (list (mergeOverwrite (include "airflow.labels" (dict "root" .root "component" "metrics") | fromYaml) .values.labels) .root) | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.metrics.endpoint" -}}
{{- $job := dict "targetLabel" "job" "replacement" (include "airflow.metrics.job" .root) -}}
- port: statsd-scrape
  path: /metrics
  interval: {{ .values.interval }}
  {{- with .values.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    {{- prepend (default list .values.relabelings) $job | toYaml | nindent 4 }}
  {{- with .values.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "airflow.alerts" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $text := .Files.Get "files/alerts.yaml" -}}
{{- $known := dict "selector" (include "airflow.metrics.selector" .) "namespace" .Release.Namespace "fullname" (include "airflow.fullname" .)
      "mine" (printf "namespace=%q,release=%q" .Release.Namespace .Release.Name) -}}
{{- range $name, $value := mergeOverwrite (fromYaml $text).thresholds $values.thresholds $known }}
{{- $text = replace (printf "$(%s)" $name) (include "common.text" $value) $text }}
{{- end }}
{{- $rules := list -}}
{{- $off := concat (default list $values.disabled) (ternary list (list "AirflowTriggererHeartbeatMissing") .Values.triggerer.enabled) -}}
{{- range (fromYaml $text).rules }}
{{- if not (has .alert $off) }}
{{- $labels := merge (dict "namespace" $.Release.Namespace "release" $.Release.Name) (default dict .labels) }}
{{- $rules = append $rules (merge (dict "labels" $labels) .) }}
{{- end }}
{{- end }}
{{- toJson (concat $rules (default list $values.additionalRules)) -}}
{{- end -}}
