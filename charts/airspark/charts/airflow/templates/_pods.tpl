{{/*
Parts of pods.

  airflow.podMetadata                  labels and annotations of a pod       workloads  (dict root, component, values)
  airflow.podSecurityContext           restricted, user and group            every pod  (dict root, uid)
  airflow.containerSecurityContext     restricted, read-only root            every container
  airflow.scheduling                   node selector, tolerations, affinity  every pod  (dict root, values)
  airflow.env                          settings and wanted secrets           containers (dict root, values, secrets)
  airflow.configMounts                 airflow.cfg and webserver_config.py   containers
  airflow.configVolumes                their volumes                         pods
  airflow.logsVolume                   claim or emptyDir                     pods
  airflow.waitForMigrations            the init container                    workloads  (dict root, values)
  airflow.heartbeatProbes              liveness and startup by heartbeat     workloads  (dict root, values, jobType)
*/}}

{{- define "airflow.podMetadata" -}}
labels:
  {{- include "airflow.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  app.kubernetes.io/component: {{ .component }}
  app.kubernetes.io/part-of: airspark
  {{- with .root.Values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) .values.podAnnotations .root.Values.airflowPodAnnotations }}
{{- with .root.Values.global.imageRevision }}
{{- $_ := set $annotations "airspark.io/image-revision" (toString .) }}
{{- end }}
{{- with .checksum }}
{{- $_ := set $annotations "checksum/airflow-config" . }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.podSecurityContext" -}}
{{- $context := dict
  "runAsNonRoot" true
  "runAsUser" .uid
  "runAsGroup" .root.Values.gid
  "fsGroup" .root.Values.gid
  "fsGroupChangePolicy" "OnRootMismatch"
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (merge (dict) .root.Values.securityContexts.pod $context) -}}
{{- end -}}

{{- define "airflow.containerSecurityContext" -}}
{{- $context := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true -}}
{{- toYaml (merge (dict) .Values.securityContexts.containers $context) -}}
{{- end -}}

{{- define "airflow.scheduling" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with merge (dict) (.values.nodeSelector | default dict) .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity | default .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.env" -}}
{{- $secrets := dict
  "database" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" (include "airflow.secretName.metadata" .root) "connection")
  "fernet" (list "AIRFLOW__CORE__FERNET_KEY" (include "airflow.secretName.fernet" .root) "fernet-key")
  "jwt" (list "AIRFLOW__API_AUTH__JWT_SECRET" (include "airflow.secretName.jwt" .root) "jwt-secret")
  "api" (list "AIRFLOW__API__SECRET_KEY" (include "airflow.secretName.api" .root) "api-secret-key") -}}
{{- $env := list -}}
{{- range .secrets }}
{{- $secret := get $secrets . -}}
{{- $env = append $env (dict "name" (index $secret 0)
      "valueFrom" (dict "secretKeyRef" (dict "name" (index $secret 1) "key" (index $secret 2)))) -}}
{{- end }}
{{- with concat $env .root.Values.env .values.env -}}
{{- toYaml . -}}
{{- end }}
{{- end -}}

{{- define "airflow.configMounts" -}}
- name: config
  mountPath: {{ .Values.airflowHome }}/airflow.cfg
  subPath: airflow.cfg
  readOnly: true
- name: config
  mountPath: {{ .Values.airflowHome }}/webserver_config.py
  subPath: webserver_config.py
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "airflow.configVolumes" -}}
- name: config
  configMap:
    name: {{ include "airflow.fullname" . }}-config
- name: scripts
  configMap:
    name: {{ include "airflow.fullname" . }}-scripts
- name: tmp
  emptyDir: {}
{{- end -}}

{{- define "airflow.logsVolume" -}}
- name: logs
  {{- if .Values.logs.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "airflow.claimName.logs" . }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}

{{- define "airflow.logsMount" -}}
- name: logs
  mountPath: {{ .Values.airflowHome }}/logs
  {{- with .Values.logs.persistence.subPath }}
  subPath: {{ . }}
  {{- end }}
{{- end -}}

{{- define "airflow.waitForMigrations" -}}
{{- if .values.waitForMigrations.enabled }}
initContainers:
  - name: wait-for-airflow-migrations
    image: {{ include "airflow.image" .root }}
    imagePullPolicy: {{ .root.Values.images.airflow.pullPolicy }}
    args: [python, /opt/airspark/wait_for_migrations.py]
    securityContext:
      {{- include "airflow.containerSecurityContext" .root | nindent 6 }}
    env:
      {{- include "airflow.env" (dict "root" .root "values" (dict "env" list) "secrets" (list "database")) | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 64Mi}
      limits: {memory: 256Mi}
    volumeMounts:
      - name: scripts
        mountPath: /opt/airspark
        readOnly: true
      - name: tmp
        mountPath: /tmp
{{- end }}
{{- end -}}

{{- define "airflow.heartbeatProbes" -}}
livenessProbe:
  exec:
    command: [python, /opt/airspark/heartbeat.py, {{ .jobType }}]
  {{- toYaml .values.livenessProbe | nindent 2 }}
startupProbe:
  exec:
    command: [python, /opt/airspark/heartbeat.py, {{ .jobType }}, --startup]
  {{- toYaml .values.startupProbe | nindent 2 }}
{{- end -}}
