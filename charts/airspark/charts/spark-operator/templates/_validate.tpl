{{/*
Refusal of values that the schema cannot explain: one sentence a line, the key first; validate.yaml says all at once.

  sparkOperator.validate          the sentences                                     validate
  sparkOperator.validate.images   images that nobody has, or that are no controller     validate
*/}}

{{- define "sparkOperator.validate" -}}
{{- include "sparkOperator.refused" . }}
{{- $mine := dict }}
{{- range list "POD_NAME" "POD_NAMESPACE" }}{{ $_ := set $mine . "is a variable that the chart sets itself; give yours another name" }}{{ end }}
{{- include "common.reserved" (dict "path" "controller.env" "items" .Values.controller.env "by" "name" "names" $mine) }}
{{- $settings := dict "/etc/spark-operator" "is where the controller's settings are; mount yours elsewhere" }}
{{- include "common.reserved" (dict "path" "controller.volumeMounts" "items" .Values.controller.volumeMounts "by" "mountPath" "names" $settings) }}
{{- $container := dict "spark-operator" "is the name of the controller's own container; give yours another name" }}
{{- include "common.reserved" (dict "path" "controller.sidecars" "items" .Values.controller.sidecars "by" "name" "names" $container) }}
{{- range $list, $by := dict "sidecars" "name" "volumes" "name" "volumeMounts" "mountPath" }}
{{- include "common.reservedOnce" (dict "path" (printf "controller.%s" $list) "items" (get $.Values.controller $list) "by" $by) }}
{{- end }}
{{- $selected := include "sparkOperator.selectorLabels" . | fromYaml }}
{{- range $path, $labels := dict "labels" .Values.labels "controller.podLabels" .Values.controller.podLabels }}
{{- include "common.reservedLabels" (dict "path" $path "labels" $labels "own" $selected) }}
{{- end }}
{{- include "sparkOperator.validate.timeZone" . }}
{{- include "sparkOperator.validate.images" . }}
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
{{- range include "common.secretTexts" (dict "values" .Values "own" list) | fromJsonArray }}
{{ .path }}: it looks like a secret, and everybody who may read the values, ConfigMaps or pods would read it; bring it in a Secret, by valueFrom: {secretKeyRef: {name: …, key: …}} for a variable and by `envFrom` of an application for a property
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

{{- define "sparkOperator.validate.images" -}}
{{- $tag := toString (default "" .Values.image.tag) -}}
{{- $mine := splitList "." .Chart.AppVersion | first -}}
{{- if regexMatch "(^|/)kubeflow/" .Values.image.repository }}
image.repository: {{ .Values.image.repository }} is kubeflow's controller, which this chart does not start; remove `image`, or set `sparkOperator.enabled` to false and install kubeflow's chart
{{- else if and $tag (eq .Values.image.repository "airspark/operator") (not (hasPrefix (printf "%s." $mine) $tag)) }}
image.tag is set without image.repository: {{ .Values.image.repository }} is this chart's own image, whose tags are versions of Airspark such as {{ .Chart.AppVersion }}, not {{ $tag }}; write the repository of that tag too
{{- end }}
{{- end -}}
