{{/*
Names, labels and what is read out of values in more than one place. A parent chart calls this one by an alias, so its own
name stands here.

  sparkOperator.fullname          prefix of all names                               every template
  sparkOperator.labels            labels of an object                               every template
  sparkOperator.podLabels         labels of a pod                                   controller
  sparkOperator.selectorLabels    labels that select the controller's pods          controller
  sparkOperator.image             image reference                                   controller
  sparkOperator.account           service account of the controller                 controller
  sparkOperator.driverAccount     service account of drivers                        config, applications
  sparkOperator.clusterWide       whether applications of every namespace are run   rbac
  sparkOperator.namespaces        namespaces whose applications are run, as JSON    rbac, config
*/}}

{{- define "sparkOperator.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{- define "sparkOperator.selectorLabels" -}}
tier: spark
component: spark-operator
release: {{ .Release.Name }}
{{- end -}}

{{- define "sparkOperator.podLabels" -}}
{{- $chart := dict
  "app.kubernetes.io/name" (default "spark-operator" .Values.nameOverride)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/component" "spark-operator"
  "app.kubernetes.io/part-of" "airspark" -}}
{{- include "common.map" (list (mergeOverwrite $chart .Values.labels (include "sparkOperator.selectorLabels" . | fromYaml)) .) -}}
{{- end -}}

{{- define "sparkOperator.labels" -}}
{{- $object := dict "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- include "common.map" (list (mergeOverwrite $object (include "sparkOperator.podLabels" . | fromYaml)) .) -}}
{{- end -}}

{{- define "sparkOperator.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "sparkOperator.account" -}}
{{- $account := .Values.controller.serviceAccount -}}
{{- default ($account.create | ternary (printf "%s-spark-operator" (include "sparkOperator.fullname" .)) "default") (tpl $account.name .) -}}
{{- end -}}

{{- define "sparkOperator.driverAccount" -}}
{{- $account := .Values.spark.serviceAccount -}}
{{- default ($account.create | ternary (printf "%s-spark-operator-driver" (include "sparkOperator.fullname" .)) "default") (tpl $account.name .) -}}
{{- end -}}

{{- define "sparkOperator.clusterWide" -}}
{{- if has "" .Values.spark.jobNamespaces }}yes{{ end -}}
{{- end -}}

{{- define "sparkOperator.namespaces" -}}
{{- without .Values.spark.jobNamespaces "" | default (list .Release.Namespace) | uniq | toJson -}}
{{- end -}}
