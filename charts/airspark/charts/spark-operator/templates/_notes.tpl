{{/*
What is said after an installation, by this chart's NOTES.txt and by a parent's.

  sparkOperator.notes.facts       what was installed
  sparkOperator.notes.access      how to run an application
  sparkOperator.notes.warnings    what is not fit for production
*/}}

{{- define "sparkOperator.notes.facts" -}}
SparkApplications
  Run in    {{ include "sparkOperator.clusterWide" . | empty | ternary (include "sparkOperator.namespaces" . | fromJsonArray | join ", ") "every namespace" }}, by the controller {{ include "sparkOperator.fullname" . }}-spark-operator
  Account   {{ include "sparkOperator.driverAccount" . }} for drivers
{{- end -}}

{{- define "sparkOperator.notes.access" -}}
{{- $kubectl := printf "kubectl -n %s" (include "sparkOperator.namespaces" . | fromJsonArray | first) -}}
Run a SparkApplication and follow it:
  {{ $kubectl }} apply -f manifests/examples/python-pi.yaml
  {{ $kubectl }} get sparkapp --watch
{{- end -}}

{{- define "sparkOperator.notes.warnings" -}}
{{- $said := list -}}
{{- if not .Values.networkPolicies.enabled }}
{{- $said = append $said "Every pod of the cluster may reach drivers and executors: set `networkPolicies.enabled` of the chart spark-operator." }}
{{- end }}
{{- if not .Values.spark.rbac.createAdmissionPolicies }}
{{- $said = append $said "Code in a driver may make any pod in its namespace, also one that reads the platform's Secrets: set `spark.rbac.createAdmissionPolicies` of the chart spark-operator, which needs rights of the whole cluster, or run applications in other namespaces." }}
{{- end }}
{{- if .Values.controller.uiIngress.enable }}
{{- $said = append $said "The user interfaces of applications ask for no password: put something that does before them, by the class in `controller.uiIngress.ingressClassName`." }}
{{- end }}
{{- range $said }}
  ! {{ . }}
{{- end }}
{{- end -}}
