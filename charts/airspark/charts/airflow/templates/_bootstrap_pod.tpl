{{/*
The bootstrap Job's pod.

  airflow.bootstrap.podSpec     spec of the pod but the volume `bootstrap`, last its volumes    job, hash
  airflow.bootstrap.bindsBackup whether it mounts the claim of the backups                podSpec
  airflow.bootstrap.hash        first 8 of the SHA-256 of all it depends on               job
*/}}

{{- define "airflow.bootstrap.podSpec" -}}
{{- $component := include "airflow.bootstrap.component" . | fromJson | merge (dict "root" .) -}}
serviceAccountName: {{ include "airflow.serviceAccountName" $component }}
automountServiceAccountToken: false
restartPolicy: {{ coalesce .Values.migrateDatabaseJob.restartPolicy .Values.createUserJob.restartPolicy "OnFailure" }}
{{ include "airflow.podSettings" $component }}
initContainers:
  - name: create-secrets
    image: {{ include "airflow.image" . }}
    imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
    {{- $own := and (include "airflow.database.own" .) (not .Values.data.metadataConnection.caSecretName) | empty | not }}
    {{- /* The Secret of the certificate is not there yet when the pod starts, so this container hands its content on. */}}
    {{- $copies := $own | ternary (list (printf "%s/ca.crt=/etc/airspark/database/ca.crt" (include "airflow.database.certificate" .))) list }}
    args: {{ concat (list "python" "/opt/bootstrap/create_secrets.py" "/opt/bootstrap/secrets.json") $copies | toJson }}
    securityContext:
      {{- include "airflow.containerSecurityContext" $component | nindent 6 }}
    env:
      - name: NAMESPACE
        value: {{ .Release.Namespace }}
      - name: RELEASE
        value: {{ .Release.Name }}
      - name: JOB_NAME
        valueFrom:
          fieldRef:
            fieldPath: metadata.labels['batch.kubernetes.io/job-name']
    resources:
      {{- toYaml $component.values.resources | nindent 6 }}
    volumeMounts:
      - name: chart/bootstrap
        mountPath: /opt/bootstrap
        readOnly: true
      # Only this container can talk to the Kubernetes API.
      - name: chart/token
        mountPath: /var/run/secrets/kubernetes.io/serviceaccount
        readOnly: true
      - name: chart/tmp
        mountPath: /tmp
      {{- if $own }}
      - name: chart/database-ca
        mountPath: /etc/airspark/database
      {{- end }}
  {{- with $component.values.extraInitContainers }}
  {{- include "common.yaml" (list . $) | nindent 2 }}
  {{- end }}
containers:
  - name: bootstrap
    image: {{ include "airflow.image" . }}
    imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
    args: [python, /opt/bootstrap/bootstrap.py, /opt/bootstrap/settings.json]
    securityContext:
      {{- include "airflow.containerSecurityContext" $component | nindent 6 }}
    env:
      {{- include "airflow.bootstrap.env" . | trim | nindent 6 }}
    {{- if include "airflow.bootstrap.customEnv" . }}
    {{- with include "airflow.envFrom" . }}
    envFrom:
      {{- . | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with $component.values.containerLifecycleHooks | default .Values.containerLifecycleHooks }}
    lifecycle:
      {{- include "common.yaml" (list . $) | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $component.values.resources | nindent 6 }}
    volumeMounts:
      {{- include "airflow.configMounts" . | nindent 6 }}
      - name: chart/bootstrap
        mountPath: /opt/bootstrap
        readOnly: true
      - name: chart/logs
        mountPath: {{ .Values.airflowHome }}/logs
      {{- if include "airflow.bootstrap.bindsBackup" . }}
      - name: chart/backup
        mountPath: /backup
        readOnly: true
      {{- end }}
      {{- include "airflow.extraMounts" $component | nindent 6 }}
  {{- with $component.values.extraContainers }}
  {{- include "common.yaml" (list . $) | nindent 2 }}
  {{- end }}
volumes:
  {{- include "airflow.configVolumes" . | nindent 2 }}
  {{- if $own }}
  - name: chart/database-ca
    emptyDir: {}
  {{- end }}
  - name: chart/token
    projected:
      sources:
        - serviceAccountToken: {path: token, expirationSeconds: 3600}
        - configMap:
            name: kube-root-ca.crt
            items: [{key: ca.crt, path: ca.crt}]
  - name: chart/logs
    emptyDir: {}
  {{- if include "airflow.bootstrap.bindsBackup" . }}
  - name: chart/backup
    persistentVolumeClaim:
      claimName: {{ include "airflow.claimName.backup" . }}
  {{- end }}
  {{- with concat .Values.volumes (default list $component.values.extraVolumes) }}
  {{- include "common.yaml" (list . $) | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* A claim that binds at its first use is used here, or `helm --wait` waits for the first backup. */}}
{{- define "airflow.bootstrap.bindsBackup" -}}
{{- if and .Values.backup.enabled (not .Values.backup.persistence.existingClaim) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.bootstrap.hash" -}}
{{- $parts := list
  (include "airflow.bootstrap.podSpec" .)
  (include "airflow.bootstrap.files" .)
  (include "airflow.config.cfg" .)
  (include "airflow.webserverConfig" .)
  (tpl .Values.airflowLocalSettings .)
  (include "airflow.podMetadata" (include "airflow.bootstrap.component" . | fromJson | merge (dict "root" .)))
  (toString .Values.bootstrap.backoffLimit) -}}
{{- join "\n" $parts | sha256sum | trunc 8 -}}
{{- end -}}
