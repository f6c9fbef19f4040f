{{/*
Metrics.

  spark.metrics.conf           what has every process serve its metrics, as JSON             config
  spark.metrics.annotations    for a Prometheus that looks for annotations, as JSON          Services  (dict root, path, port)
  spark.metrics.selector       matchers of this release's metrics in Prometheus              alerts
  spark.metrics.metadata       metadata of a monitor  (dict root, name, values)              monitoring
  spark.metrics.targets        who is read, where, and as which job, as YAML                 podmonitor
  spark.metrics.renamings      what makes names stable: relabelings by target, as YAML       podmonitor
  spark.metrics.endpoint       what a monitor reads, and how  (dict root, target, path)      podmonitor
  spark.metrics.workers        number of workers that the values ask for                     alerts
  spark.alerts                 rules of the PrometheusRule, as a JSON list                   monitoring
*/}}

{{- /* Named one by one: with `*`, executors would make a sink that nobody can read. */}}
{{- define "spark.metrics.conf" -}}
{{- $conf := dict -}}
{{- if .Values.metrics.enabled }}
{{- $_ := set $conf "spark.metrics.namespace" "spark" }}
{{- range $instance, $path := dict "master" "/metrics/master/prometheus" "applications" "/metrics/applications/prometheus"
      "worker" "/metrics/prometheus" "driver" "/metrics/prometheus" }}
{{- $_ := set $conf (printf "spark.metrics.conf.%s.sink.prometheusServlet.class" $instance) "org.apache.spark.metrics.sink.PrometheusServlet" }}
{{- $_ := set $conf (printf "spark.metrics.conf.%s.sink.prometheusServlet.path" $instance) $path }}
{{- end }}
{{- range $instance := list "master" "worker" }}
{{- $_ := set $conf (printf "spark.metrics.conf.%s.source.jvm.class" $instance) "org.apache.spark.metrics.source.JvmSource" }}
{{- end }}
{{- end }}
{{- toJson $conf -}}
{{- end -}}

{{- /* A monitor and annotations together would read everything twice. */}}
{{- define "spark.metrics.annotations" -}}
{{- $metrics := .root.Values.metrics -}}
{{- $read := and $metrics.enabled (not $metrics.podMonitor.enabled) -}}
{{- toJson ($read | ternary (dict "prometheus.io/scrape" "true" "prometheus.io/port" (toString .port) "prometheus.io/path" .path) dict) -}}
{{- end -}}

{{- define "spark.metrics.selector" -}}
{{- $jobs := printf "%s-spark-(master|worker|driver)" (include "spark.fullname" .) -}}
{{- default (printf "namespace=%q,job=~%q" .Release.Namespace $jobs) .Values.metrics.prometheusRule.selector -}}
{{- end -}}

{{- define "spark.metrics.metadata" -}}
name: {{ include "spark.fullname" .root }}-{{ .name }}
labels:
  {{- include "common.map" (list (mergeOverwrite (include "spark.labels" (dict "root" .root "component" "spark-metrics") | fromYaml) .values.labels) .root) | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Spark answers at the path with the last slash; without it, it sends the reader there. A driver without a Spark
       session answers nothing, which is no alert: not every task has one. */}}
{{- define "spark.metrics.targets" -}}
{{- $driver := dict "job" "driver" "port" "spark-ui" "paths" (list "/metrics/prometheus/" "/metrics/executors/prometheus") -}}
{{- $release := .Release.Name -}}
{{- $spark := dict "tier" "spark" "release" $release -}}
{{- toYaml (dict
  "spark-master" (dict "job" "master" "port" "http" "pods" (merge (dict "component" "spark-master") $spark)
    "paths" (list "/metrics/master/prometheus/" "/metrics/applications/prometheus/"))
  "spark-worker" (dict "job" "worker" "port" "http" "pods" (merge (dict "component" "spark-worker") $spark)
    "paths" (list "/metrics/prometheus/"))
  "spark-connect" (merge (dict "port" "http" "pods" (merge (dict "component" "spark-connect") $spark)) $driver)
  "spark-task" (merge (dict "pods" (dict "tier" "airflow" "component" "worker" "release" $release) "labels" (list "dag_id" "task_id")) $driver)
  "spark-application" (merge (dict "pods" (dict "spark-role" "driver")) $driver)) -}}
{{- end -}}

{{- /* Each gauge comes twice, as _Number and _Value, and daemons serve what only drivers fill. Spark puts the application's
       name and start, or its id, into names. */}}
{{- define "spark.metrics.renamings" -}}
all:
  - {action: drop, sourceLabels: [__name__], regex: "metrics_.+_Value|metrics_(HiveExternalCatalog|CodeGenerator)_.+"}
master:
  {{- $regex := "metrics_application_(.+)_([0-9]{13})_(cores|runtime_ms)_Number" }}
  - {sourceLabels: [__name__], regex: {{ $regex | quote }}, targetLabel: application, replacement: "${1}"}
  - {sourceLabels: [__name__], regex: {{ $regex | quote }}, targetLabel: started, replacement: "${2}"}
  - {sourceLabels: [__name__], regex: {{ $regex | quote }}, targetLabel: __name__, replacement: "metrics_application_${3}_Number"}
driver:
  - sourceLabels: [__name__]
    regex: metrics_(?:spark_[0-9a-f]{32}|spark_application_[0-9]+|app_[0-9]{14}_[0-9]+|local_[0-9]+)_driver_(.+)
    targetLabel: __name__
    replacement: "metrics_spark_driver_${1}"
{{- end -}}

{{- define "spark.metrics.endpoint" -}}
{{- $monitor := .root.Values.metrics.podMonitor -}}
{{- $renamings := include "spark.metrics.renamings" .root | fromYaml -}}
{{- $job := dict "targetLabel" "job" "replacement" (printf "%s-spark-%s" (include "spark.fullname" .root) .target.job) -}}
{{- /* Two paths of one pod would otherwise be one target, up and down at once. */}}
{{- $path := dict "sourceLabels" (list "__metrics_path__") "targetLabel" "metrics_path" -}}
- port: {{ .target.port }}
  path: {{ .path }}
  interval: {{ $monitor.interval }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    {{- concat (list $job $path) (default list $monitor.relabelings) | toYaml | nindent 4 }}
  metricRelabelings:
    {{- concat $renamings.all (get $renamings .target.job | default list) (default list $monitor.metricRelabelings) | toYaml | nindent 4 }}
{{- end -}}

{{- define "spark.metrics.workers" -}}
{{- $wanted := 0 -}}
{{- range include "spark.groups" . | fromJson }}
{{- $wanted = add $wanted (.autoscaling.enabled | ternary .autoscaling.minReplicas .replicaCount) }}
{{- end }}
{{- $wanted -}}
{{- end -}}

{{- define "spark.alerts" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $text := .Files.Get "files/alerts.yaml" -}}
{{- $workers := include "spark.metrics.workers" . -}}
{{- $known := dict "selector" (include "spark.metrics.selector" .) "namespace" .Release.Namespace
      "fullname" (include "spark.fullname" .) "workers" $workers
      "mine" (printf "namespace=%q,release=%q" .Release.Namespace .Release.Name) -}}
{{- range $name, $value := mergeOverwrite (fromYaml $text).thresholds $values.thresholds $known }}
{{- $text = replace (printf "$(%s)" $name) (include "common.text" $value) $text }}
{{- end }}
{{- $off := concat (default list $values.disabled)
      (eq $workers "0" | ternary (list "SparkNoWorkers" "SparkWorkerLost") list)
      (ternary list (list "SparkRecoveryClaimFull") .Values.master.persistence.enabled) -}}
{{- $rules := list -}}
{{- range (fromYaml $text).rules }}
{{- if not (has .alert $off) }}
{{- $labels := merge (dict "namespace" $.Release.Namespace "release" $.Release.Name) (default dict .labels) }}
{{- $rules = append $rules (merge (dict "labels" $labels) .) }}
{{- end }}
{{- end }}
{{- toJson (concat $rules (default list $values.additionalRules)) -}}
{{- end -}}
