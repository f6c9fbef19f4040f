{{/*
  sparkOperator.platform    what is the platform's own, which no application has, as JSON                         below
  sparkOperator.settings    settings.json, what the controller reads at its start (airspark_operator.settings)    config
*/}}

{{- /* Names of a release are `<release>-<component>`, the Airflow chart's and the Spark chart's too. Where applications run in other
       namespaces alone, they reach nothing of it. */}}
{{- define "sparkOperator.platform" -}}
{{- $release := .Release.Name -}}
{{- $apart := and (not (include "sparkOperator.clusterWide" .)) (not (has .Release.Namespace (include "sparkOperator.namespaces" . | fromJsonArray))) -}}
{{- $claims := list -}}
{{- range list "data-%s-postgresql-*" "recovery-%s-spark-master-*" "%s-dags" "%s-logs" "logs-%s-*" "%s-backup*" }}{{ $claims = append $claims (printf . $release) }}{{ end -}}
{{- $pods := list -}}
{{- range list "postgresql" "triggerer" "spark-master" "spark-worker" }}{{ $pods = append $pods (printf "%s-%s-*" $release .) }}{{ end -}}
{{- $named := (.Values.global | default dict).platform | default dict -}}
{{- $accounts := list (printf "%s-airflow-*" $release) (printf "%s-spark" $release) (printf "%s-spark-bootstrap" $release) (include "sparkOperator.account" .) -}}
{{- $apart | ternary dict (dict
  "secrets" (concat (list (printf "%s-*" $release) "sh.helm.release.*") ($named.secrets | default list) | uniq)
  "serviceAccounts" (concat $accounts ($named.serviceAccounts | default list) | uniq)
  "claims" (concat $claims ($named.claims | default list) | uniq)
  "pods" $pods
  "labels" (dict "release" $release)) | toJson -}}
{{- end -}}

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
  "policy" (dict "allowed" .Values.spark.allowed "platform" (include "sparkOperator.platform" . | fromJson))
  "log" (dict "level" $controller.logLevel "format" (eq $controller.logEncoder "console" | ternary "plain" "json"))
  "defaults" (dict
    "serviceAccount" (include "sparkOperator.driverAccount" .)
    "image" (tpl (default (printf "airspark/spark:%s" .Chart.AppVersion) $defaults.image) .)
    "sparkConf" (include "sparkOperator.sparkConf" . | fromJson)
    "podSecurityContext" $defaults.podSecurityContext
    "containerSecurityContext" $defaults.containerSecurityContext
    "clusterDomain" $defaults.clusterDomain
    "networkPolicy" .Values.networkPolicies.enabled
    "uiService" $controller.uiService.enable
    "ingressUrlFormat" ($controller.uiIngress.enable | ternary $controller.uiIngress.urlFormat "")
    "ingressClass" (tpl $controller.uiIngress.ingressClassName .))) -}}
{{- end -}}
