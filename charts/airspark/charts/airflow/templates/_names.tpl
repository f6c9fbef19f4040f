{{/*
Names. Every object's name comes from here and from nowhere else.

  airflow.fullname              prefix of all names                 every template
  airflow.labels                labels of an object                 every template   (dict root, component)
  airflow.selectorLabels        labels that select pods             workloads        (dict root, component)
  airflow.serviceAccountName    account of a component              workloads, RBAC  (dict root, component, values)
  airflow.secretName.*          Secrets, brought or made            pods, bootstrap
  airflow.claimName.logs        claim of the task logs              pods, logs
  airflow.mountClaim            claim of a mount                    task pods        (dict root, name)
  airflow.image, .workerImage   image references                    pods, config
*/}}

{{- define "airflow.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{- define "airflow.selectorLabels" -}}
tier: airflow
component: {{ .component }}
release: {{ .root.Release.Name }}
{{- end -}}

{{- define "airflow.labels" -}}
{{ include "airflow.selectorLabels" . }}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: airspark
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "airflow.serviceAccountName" -}}
{{- default (printf "%s-airflow-%s" (include "airflow.fullname" .root) .component) .values.serviceAccount.name -}}
{{- end -}}

{{- define "airflow.secretName.metadata" -}}
{{- default (printf "%s-metadata" (include "airflow.fullname" .)) .Values.data.metadataSecretName -}}
{{- end -}}
{{- define "airflow.secretName.fernet" -}}
{{- default (printf "%s-fernet-key" (include "airflow.fullname" .)) .Values.fernetKeySecretName -}}
{{- end -}}
{{- define "airflow.secretName.jwt" -}}
{{- default (printf "%s-jwt-secret" (include "airflow.fullname" .)) .Values.jwtSecretName -}}
{{- end -}}
{{- define "airflow.secretName.api" -}}
{{- default (printf "%s-api-secret-key" (include "airflow.fullname" .)) .Values.apiSecretKeySecretName -}}
{{- end -}}
{{- define "airflow.secretName.postgresql" -}}
{{- default (printf "%s-postgresql" (include "airflow.fullname" .)) .Values.postgresql.auth.existingSecret -}}
{{- end -}}
{{- define "airflow.secretName.admin" -}}
{{- default (printf "%s-admin" (include "airflow.fullname" .)) .Values.createUserJob.existingSecret -}}
{{- end -}}

{{- define "airflow.claimName.logs" -}}
{{- default (printf "%s-logs" (include "airflow.fullname" .)) .Values.logs.persistence.existingClaim -}}
{{- end -}}

{{- define "airflow.mountClaim" -}}
{{- $claim := default (get (.root.Values.global.claims | default dict) .name) (get .root.Values.mounts .name).claim -}}
{{- tpl ($claim | default "") .root -}}
{{- end -}}

{{- define "airflow.image.repository" -}}
{{- default .Values.defaultAirflowRepository .Values.images.airflow.repository -}}
{{- end -}}
{{- define "airflow.image.tag" -}}
{{- default (default .Chart.AppVersion .Values.defaultAirflowTag) .Values.images.airflow.tag -}}
{{- end -}}
{{- define "airflow.image" -}}
{{ include "airflow.image.repository" . }}:{{ include "airflow.image.tag" . }}
{{- end -}}
{{- define "airflow.workerImage.repository" -}}
{{- default (include "airflow.image.repository" .) .Values.images.pod_template.repository -}}
{{- end -}}
{{- define "airflow.workerImage.tag" -}}
{{- default (include "airflow.image.tag" .) .Values.images.pod_template.tag -}}
{{- end -}}
