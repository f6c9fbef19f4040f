{{/*
Refusal of values that the schema cannot explain: one sentence a line, the key first; validate.yaml says all at once.

  sparkOperator.validate    the sentences    validate
*/}}

{{- define "sparkOperator.validate" -}}
{{- include "sparkOperator.refused" . }}
{{- $election := .Values.controller.leaderElection }}
{{- if and (gt (int .Values.controller.replicas) 1) (not $election.enable) }}
controller.replicas: {{ .Values.controller.replicas }} controllers without an election would each submit every application; set `controller.leaderElection.enable`
{{- end }}
{{- if not (and (gt (int $election.leaseDurationSeconds) (int $election.renewDeadlineSeconds)) (gt (int $election.renewDeadlineSeconds) (int $election.retryPeriodSeconds))) }}
controller.leaderElection: a leader must give up before another takes over, so leaseDurationSeconds must be above renewDeadlineSeconds, and that above retryPeriodSeconds
{{- end }}
{{- $ingress := .Values.controller.uiIngress }}
{{- if and $ingress.enable (not $ingress.urlFormat) }}
controller.uiIngress.urlFormat: names no address; set it, for example {{ "{{$appName}}.example.com" }}
{{- end }}
{{- if and $ingress.enable (not .Values.controller.uiService.enable) }}
controller.uiIngress.enable: an Ingress needs the Service behind it; set `controller.uiService.enable`
{{- end }}
{{- range $key, $_ := .Values.spark.defaults.sparkConf }}
{{- if regexMatch "(?i)(secret|password|token|[.]keyPassword)" $key }}
spark.defaults.sparkConf: {{ $key }} looks like a secret, and everybody who may read ConfigMaps would read it; bring it in a Secret by `envFrom` of the application
{{- end }}
{{- if or (hasPrefix "spark.kubernetes.authenticate" $key) (has $key (list "spark.master" "spark.kubernetes.container.image" "spark.kubernetes.namespace")) }}
spark.defaults.sparkConf: {{ $key }} is the controller's to set; use `spark.serviceAccount`, `spark.defaults.image` and `spark.jobNamespaces`
{{- end }}
{{- end }}
{{- end -}}
