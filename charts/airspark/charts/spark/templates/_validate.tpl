{{/*
Refusal of values that the schema cannot explain: one sentence a line, the key first; validate.yaml says all at once.

  spark.validate            the sentences                        validate
  spark.validate.options    whether Java options hold a secret   above       (dict key, options)
*/}}

{{- define "spark.validate" -}}
{{- include "spark.refused" . }}
{{- include "spark.validate.reserved" . }}
{{- include "spark.validate.timeZone" . }}
{{- include "spark.validate.images" . }}
{{- if and .Values.master.rest.enabled (not .Values.master.rest.jws.enabled) }}
{{- if .Values.security.rpc.authenticationEnabled }}
master.rest.enabled: Spark's submission server does not ask for the secret of spark.authenticate, so anybody who reaches port {{ .Values.master.containerPorts.rest }} could run code in the cluster; leave `master.rest.jws.enabled` on, or the server off
{{- else }}
master.rest.enabled: anybody who reaches port {{ .Values.master.containerPorts.rest }} could run code in the cluster; leave `master.rest.jws.enabled` on, or the server off
{{- end }}
{{- end }}
{{- range $key, $page := dict "" .Values "historyServer." .Values.historyServer }}
{{- if and $page.httpRoute.enabled (not $page.httpRoute.parentRefs) }}
{{ $key }}httpRoute.parentRefs: names no Gateway, so nothing would serve the route; set it, for example [{name: my-gateway}]
{{- end }}
{{- if and $page.ingress.enabled $page.ingress.tls (not (or $page.ingress.hostname $page.ingress.tlsSecretName)) }}
{{ $key }}ingress.tls: there is neither a host nor a Secret with its certificate; set `{{ $key }}ingress.hostname` or `{{ $key }}ingress.tlsSecretName`
{{- end }}
{{- end }}
{{- range $word := list "proxy" "history" }}
{{- if has $word (include "spark.ui.url" $ | splitList "/") }}
ui.reverseProxy.url, ingress.path: Spark takes `{{ $word }}` in an address for a path of its own, and {{ include "spark.ui.url" $ }} has it; use another path
{{- end }}
{{- end }}
{{- range $key := list "spark.deploy.recoveryMode" "spark.deploy.recoveryDirectory" }}
{{- if hasKey $.Values.sparkConf $key }}
sparkConf: {{ $key }} is the chart's to set; use `master.recoveryMode` and `master.persistence.enabled`
{{- end }}
{{- end }}
{{- $conf := list }}
{{- range $where, $properties := dict "sparkConf" .Values.sparkConf "historyServer.sparkConf" .Values.historyServer.sparkConf "connect.sparkConf" .Values.connect.sparkConf }}
{{- range $key, $_ := $properties }}
{{- if regexMatch "(?i)(secret|password|token|[.]keyPassword)" $key }}
{{ $where }}: {{ $key }} looks like a secret, and everybody who may read ConfigMaps would read it; bring it in a Secret through `extraEnvVars`
{{- $conf = append $conf (printf "%s.%s" $where $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- range include "common.secretTexts" (dict "values" .Values "own" list) | fromJsonArray }}
{{- if not (has .path $conf) }}
{{ .path }}: it looks like a secret, and everybody who may read the values, ConfigMaps or pods would read it; bring it in a Secret through `extraEnvVars`, with valueFrom: {secretKeyRef: {name: …, key: …}}
{{- end }}
{{- end }}
{{- include "spark.validate.options" (dict "key" "master.configOptions" "options" .Values.master.configOptions) }}
{{- range $key, $_ := .Values.connect.sparkConf }}
{{- if hasPrefix "spark.connect.grpc.binding." $key }}
connect.sparkConf: {{ $key }} is the chart's to set: Spark's own port has no TLS, so it is open to the proxy beside it alone; use `connect.containerPorts.grpc`
{{- end }}
{{- end }}
{{- if gt (int .Values.connect.executor.cores) (int .Values.connect.maxCores) }}
connect.executor.cores: an executor of {{ .Values.connect.executor.cores }} cores never starts, because `connect.maxCores` allows {{ .Values.connect.maxCores }} in all
{{- end }}
{{- range $name, $worker := include "spark.groups" . | fromJson }}
{{- $where := empty $name | ternary "worker" (printf "workers.groups.%s" $name) }}
{{- range list "configOptions" "javaOptions" }}
{{- include "spark.validate.options" (dict "key" (printf "%s.%s" $where .) "options" (get $worker .)) }}
{{- end }}
{{- if and (not $worker.coreLimit) (not (dig "limits" "cpu" "" ($worker.resources | default dict))) }}
{{ $where }}.coreLimit: empty takes the container's CPU limit, and `{{ $where }}.resources.limits.cpu` is not set, so a worker would offer every core of its node; set one of the two
{{- end }}
{{- if and (not $worker.memoryLimit) (not (dig "limits" "memory" "" ($worker.resources | default dict))) }}
{{ $where }}.memoryLimit: empty takes a part of the container's memory limit, and `{{ $where }}.resources.limits.memory` is not set; set one of the two
{{- end }}
{{- if and $worker.autoscaling.enabled (gt (int $worker.autoscaling.minReplicas) (int $worker.autoscaling.maxReplicas)) }}
{{ $where }}.autoscaling: minReplicas {{ $worker.autoscaling.minReplicas }} is more than maxReplicas {{ $worker.autoscaling.maxReplicas }}
{{- end }}
{{- if and $worker.autoscaling.enabled (not $worker.autoscaling.targetCPU) (not $worker.autoscaling.targetMemory) }}
{{ $where }}.autoscaling: there is nothing to scale by; set `targetCPU`, `targetMemory` or both
{{- end }}
{{- if or (eq $name "default") (not (regexMatch "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$" $name)) }}
{{ $where }}: the name becomes part of names and a label; use lower-case letters, digits and dashes, and not `default`, which is `worker` itself
{{- end }}
{{- if gt (len (printf "%s-spark-worker-%s" (include "spark.fullname" $) $name)) 52 }}
{{ $where }}: the name {{ include "spark.fullname" $ }}-spark-worker-{{ $name }} leaves no room for the names of pods; use a shorter release name or group
{{- end }}
{{- end }}
{{- if and .Values.metrics.podMonitor.enabled (not .Values.metrics.enabled) }}
metrics.podMonitor.enabled: there is nothing to read while master and workers serve no metrics; set `metrics.enabled`
{{- end }}
{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.enabled) }}
metrics.prometheusRule.enabled: alerts are about metrics that master and workers do not serve; set `metrics.enabled`
{{- end }}
{{- end -}}

{{- define "spark.validate.options" -}}
{{- if regexMatch "(?i)-D[^ =]*(secret|password|token)" .options }}
{{ .key }}: it holds what looks like a secret, and everybody who may read pods would read it; bring it in a Secret through `extraEnvVars`
{{- end }}
{{- end -}}
