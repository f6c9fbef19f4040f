{{/*
CronJobs.

  airflow.cronJob       a CronJob without its pod       cleanup, database-cleanup, backup   (dict root, component, values)
  airflow.airflowJob    pod of a job that runs Airflow  cleanup, database-cleanup           (dict root, component, values,
                        name, arguments, secrets, token)
  airflow.cleanup.own   whether the clean-up of pods runs a command of the user's   cleanup, network policies
  airflow.jobAccount    account of a job                the same                            (dict root, component, values)
*/}}

{{- define "airflow.cronJob" -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  {{- include "airflow.workloadMetadata" . | nindent 2 }}
spec:
  schedule: {{ tpl .values.schedule .root | quote }}
  {{- with include "airflow.timeZone" .root }}
  timeZone: {{ . }}
  {{- end }}
  concurrencyPolicy: Forbid
  # Missed while the cluster was away: made up for within the hour, or left to the next time.
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: {{ kindIs "invalid" .values.successfulJobsHistoryLimit | ternary 1 .values.successfulJobsHistoryLimit | int64 }}
  failedJobsHistoryLimit: {{ kindIs "invalid" .values.failedJobsHistoryLimit | ternary 1 .values.failedJobsHistoryLimit | int64 }}
  jobTemplate:
    metadata:
      labels:
        {{- include "airflow.labels" . | nindent 8 }}
      {{- with .values.jobAnnotations }}
      annotations:
        {{- include "common.map" (list . $.root) | nindent 8 }}
      {{- end }}
    spec:
      backoffLimit: 2
      {{- if not (kindIs "invalid" .values.ttlSecondsAfterFinished) }}
      ttlSecondsAfterFinished: {{ int64 .values.ttlSecondsAfterFinished }}
      {{- end }}
      template:
        metadata:
          {{- include "airflow.podMetadata" . | nindent 10 }}
        spec:
          restartPolicy: Never
{{- end -}}

{{- define "airflow.cleanup.own" -}}
{{- if and .Values.cleanup.enabled (or .Values.cleanup.args .Values.cleanup.command) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.airflowJob" -}}
{{- $root := .root -}}
{{- $values := .values -}}
serviceAccountName: {{ include "airflow.serviceAccountName" . }}
automountServiceAccountToken: {{ and .token (empty (include "airflow.tokenVolume" .)) }}
{{ include "airflow.podSettings" . }}
{{- with $values.extraInitContainers }}
initContainers:
  {{- include "common.yaml" (list . $root) | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "airflow.image" $root }}
    imagePullPolicy: {{ $root.Values.images.airflow.pullPolicy }}
    {{- include "airflow.containerBasics" . | nindent 4 }}
    {{- with include "airflow.env" . | trim }}
    env:
      {{- . | nindent 6 }}
    {{- end }}
    {{- with include "airflow.envFrom" $root }}
    envFrom:
      {{- . | nindent 6 }}
    {{- end }}
    volumeMounts:
      {{- include "airflow.configMounts" $root | nindent 6 }}
      - name: chart/logs
        mountPath: {{ $root.Values.airflowHome }}/logs
      {{- with include "airflow.tokenMount" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with include "airflow.extraMounts" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
  {{- with $values.extraContainers }}
  {{- include "common.yaml" (list . $root) | nindent 2 }}
  {{- end }}
volumes:
  {{- include "airflow.configVolumes" $root | nindent 2 }}
  - name: chart/logs
    emptyDir: {}
  {{- with include "airflow.tokenVolume" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with concat $root.Values.volumes (default list $values.extraVolumes) }}
  {{- include "common.yaml" (list . $root) | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "airflow.jobAccount" -}}
{{- if ne (default dict .values.serviceAccount).create false }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "airflow.serviceAccountName" . }}
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
  {{- with (default dict .values.serviceAccount).annotations }}
  annotations:
    {{- include "common.map" (list . $.root) | nindent 4 }}
  {{- end }}
# Each pod says for itself whether it gets a token.
automountServiceAccountToken: false
{{- end }}
{{- end -}}
