{{/*
  sparkOperator.settings    settings.json, what the controller reads at its start (airspark_operator.settings)    config
*/}}

{{- define "sparkOperator.settings" -}}
{{- $controller := .Values.controller -}}
{{- $election := $controller.leaderElection -}}
{{- $defaults := .Values.spark.defaults -}}
{{- toPrettyJson (dict
  "namespaces" (include "sparkOperator.clusterWide" . | empty | ternary (include "sparkOperator.namespaces" . | fromJsonArray) list)
  "leaderElection" (dict
    "enabled" $election.enable
    "leaseName" (printf "%s-spark-operator" (include "sparkOperator.fullname" .))
    "leaseDurationSeconds" $election.leaseDurationSeconds
    "renewDeadlineSeconds" $election.renewDeadlineSeconds
    "retryPeriodSeconds" $election.retryPeriodSeconds)
  "workers" $controller.workers
  "resyncSeconds" $controller.resyncSeconds
  "port" $controller.containerPort
  "maxTrackedExecutorPerApp" $controller.maxTrackedExecutorPerApp
  "missedRunDeadlineSeconds" $controller.missedRunDeadlineSeconds
  "driverStartTimeoutSeconds" $controller.driverStartTimeoutSeconds
  "maxRetryIntervalSeconds" $controller.maxRetryIntervalSeconds
  "retryResetSeconds" $controller.retryResetSeconds
  "log" (dict "level" $controller.logLevel "format" (eq $controller.logEncoder "console" | ternary "plain" "json"))
  "defaults" (dict
    "serviceAccount" (include "sparkOperator.driverAccount" .)
    "image" (tpl (default (printf "airspark/spark:%s" .Chart.AppVersion) $defaults.image) .)
    "sparkConf" (include "sparkOperator.sparkConf" . | fromJson)
    "podSecurityContext" $defaults.podSecurityContext
    "containerSecurityContext" $defaults.containerSecurityContext
    "clusterDomain" $defaults.clusterDomain
    "uiService" $controller.uiService.enable
    "ingressUrlFormat" ($controller.uiIngress.enable | ternary $controller.uiIngress.urlFormat "")
    "ingressClass" (tpl $controller.uiIngress.ingressClassName .))) -}}
{{- end -}}
