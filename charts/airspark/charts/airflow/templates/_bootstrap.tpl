{{/*
The bootstrap Job.

  airflow.bootstrap.secrets    Secrets it makes or checks, as JSON              role, configmap
  airflow.bootstrap.settings   user and connections, as JSON                    configmap
  airflow.bootstrap.files      data of its ConfigMap                            configmap, hash
  airflow.bootstrap.podSpec    spec of its pod                                  job, hash
  airflow.bootstrap.hash       first 8 of the SHA-256 of all it depends on      job
*/}}

{{- define "airflow.bootstrap.secrets" -}}
{{- $secrets := list -}}
{{- $connection := .Values.data.metadataConnection -}}
{{- if .Values.postgresql.enabled }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.postgresql" .)
      "brought" (not (empty .Values.postgresql.auth.existingSecret))
      "keys" (dict "password" (dict "kind" "token"))) -}}
{{- end }}
{{- $url := dict "kind" "url" "protocol" $connection.protocol "user" $connection.user "port" $connection.port
      "database" $connection.db "sslmode" $connection.sslmode
      "host" (default (printf "%s-postgresql.%s.svc" (include "airflow.fullname" .) .Release.Namespace) $connection.host)
      "passwordFrom" (include "airflow.secretName.postgresql" .) -}}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.metadata" .)
      "brought" (not (empty .Values.data.metadataSecretName)) "keys" (dict "connection" $url)) -}}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.fernet" .)
      "brought" (not (empty .Values.fernetKeySecretName)) "keys" (dict "fernet-key" (dict "kind" "fernet"))) -}}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.jwt" .)
      "brought" (not (empty .Values.jwtSecretName)) "keys" (dict "jwt-secret" (dict "kind" "token"))) -}}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.api" .)
      "brought" (not (empty .Values.apiSecretKeySecretName)) "keys" (dict "api-secret-key" (dict "kind" "token"))) -}}
{{- if .Values.createUserJob.enabled }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.admin" .)
      "brought" (not (empty .Values.createUserJob.existingSecret))
      "keys" (dict "username" (dict "kind" "text" "value" .Values.createUserJob.defaultUser.username)
                   "password" (dict "kind" "token"))) -}}
{{- end }}
{{- toJson $secrets -}}
{{- end -}}

{{- define "airflow.bootstrap.settings" -}}
{{- $connections := dict -}}
{{- range $id, $connection := .Values.connections }}
{{- if $connection }}
{{- $_ := set $connections $id (tpl (toJson $connection) $ | fromJson) -}}
{{- end }}
{{- end }}
{{- $user := .Values.createUserJob.enabled | ternary (omit .Values.createUserJob.defaultUser "username") nil -}}
{{- toPrettyJson (dict
  "databaseDeadlineSeconds" .Values.bootstrap.databaseDeadlineSeconds
  "user" $user
  "connections" $connections) -}}
{{- end -}}

{{- define "airflow.bootstrap.files" -}}
secrets.json: |
  {{- include "airflow.bootstrap.secrets" . | fromJsonArray | toPrettyJson | nindent 2 }}
settings.json: |
  {{- include "airflow.bootstrap.settings" . | nindent 2 }}
{{- range $name := list "create_secrets.py" "bootstrap.py" }}
{{ $name }}: |
  {{- $.Files.Get (printf "files/scripts/%s" $name) | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.bootstrap.podSpec" -}}
{{- $component := dict "root" . "component" "bootstrap" "values" .Values.bootstrap -}}
serviceAccountName: {{ include "airflow.serviceAccountName" $component }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: OnFailure
securityContext:
  {{- include "airflow.podSecurityContext" (dict "root" . "uid" .Values.uid) | nindent 2 }}
{{- with include "airflow.scheduling" $component }}
{{ . | trim }}
{{- end }}
initContainers:
  - name: create-secrets
    image: {{ include "airflow.image" . }}
    imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
    args: [python, /opt/bootstrap/create_secrets.py, /opt/bootstrap/secrets.json]
    securityContext:
      {{- include "airflow.containerSecurityContext" . | nindent 6 }}
    env:
      - name: NAMESPACE
        value: {{ .Release.Namespace }}
      - name: RELEASE
        value: {{ .Release.Name }}
    resources:
      {{- toYaml .Values.bootstrap.resources | nindent 6 }}
    volumeMounts:
      - name: bootstrap
        mountPath: /opt/bootstrap
        readOnly: true
      # Only this container can talk to the Kubernetes API.
      - name: token
        mountPath: /var/run/secrets/kubernetes.io/serviceaccount
        readOnly: true
      - name: tmp
        mountPath: /tmp
containers:
  - name: bootstrap
    image: {{ include "airflow.image" . }}
    imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
    args: [python, /opt/bootstrap/bootstrap.py, /opt/bootstrap/settings.json]
    securityContext:
      {{- include "airflow.containerSecurityContext" . | nindent 6 }}
    env:
      # The auth manager tells of each of its 400 permissions.
      - name: AIRFLOW__LOGGING__LOGGING_LEVEL
        value: ERROR
      {{- include "airflow.env" (dict "root" . "values" (dict "env" list) "secrets" (list "database" "fernet")) | nindent 6 }}
      {{- if .Values.createUserJob.enabled }}
      {{- range $key := list "username" "password" }}
      - name: ADMIN_{{ upper $key }}
        valueFrom:
          secretKeyRef:
            name: {{ include "airflow.secretName.admin" $ }}
            key: {{ $key }}
      {{- end }}
      {{- end }}
    resources:
      {{- toYaml .Values.bootstrap.resources | nindent 6 }}
    volumeMounts:
      {{- include "airflow.configMounts" . | nindent 6 }}
      - name: bootstrap
        mountPath: /opt/bootstrap
        readOnly: true
      - name: logs
        mountPath: {{ .Values.airflowHome }}/logs
volumes:
  - name: bootstrap
    configMap:
      name: {{ include "airflow.fullname" . }}-bootstrap
  - name: config
    configMap:
      name: {{ include "airflow.fullname" . }}-config
  - name: token
    projected:
      sources:
        - serviceAccountToken: {path: token, expirationSeconds: 3600}
        - configMap:
            name: kube-root-ca.crt
            items: [{key: ca.crt, path: ca.crt}]
  - name: logs
    emptyDir: {}
  - name: tmp
    emptyDir: {}
{{- end -}}

{{- define "airflow.bootstrap.hash" -}}
{{- $parts := list
  (include "airflow.bootstrap.podSpec" .)
  (include "airflow.bootstrap.files" .)
  (include "airflow.config.cfg" .)
  (tpl .Values.apiServer.apiServerConfig .)
  (include "airflow.podMetadata" (dict "root" . "component" "bootstrap" "values" .Values.bootstrap))
  (toString .Values.bootstrap.backoffLimit) -}}
{{- join "\n" $parts | sha256sum | trunc 8 -}}
{{- end -}}
