{{/*
The Job that makes the shared secret and publishes the cluster's facts; named by the hash of all it depends on.

  spark.bootstrap.component    what the helpers of pods take    job
  spark.bootstrap.podSpec      the pod                          job
  spark.bootstrap.hash         of what the pod is made of       job
*/}}

{{- define "spark.bootstrap.component" -}}
{{- toJson (dict "component" "spark-bootstrap" "values" .Values.bootstrap "account" (printf "%s-spark-bootstrap" (include "spark.fullname" .))) -}}
{{- end -}}

{{- define "spark.bootstrap.podSpec" -}}
{{- $component := include "spark.bootstrap.component" . | fromJson | merge (dict "root" .) -}}
restartPolicy: OnFailure
{{ include "spark.podSpec" $component }}
containers:
  - name: spark-bootstrap
    image: {{ include "spark.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [python, /opt/spark-conf/bootstrap.py]
    securityContext:
      {{- include "spark.containerSecurityContext" . | nindent 6 }}
    resources:
      {{- toYaml .Values.bootstrap.resources | nindent 6 }}
    env:
      - name: NAMESPACE
        value: {{ .Release.Namespace }}
      - name: SECRET
        value: {{ include "spark.authSecret" . }}
      - name: KEYS
        value: {{ include "spark.authKeys" . | quote }}
      - name: BROUGHT
        value: {{ empty .Values.security.passwordsSecretName | ternary "0" "1" | quote }}
      - name: CONFIG_MAP
        value: {{ .Release.Name }}-spark-cluster
      - name: MASTER_UI
        value: http://{{ include "spark.fullname" . }}-spark-master:{{ .Values.master.containerPorts.http }}
      - name: DEFAULT_CORES
        value: {{ get .Values.sparkConf "spark.deploy.defaultCores" | include "common.text" | quote }}
      - name: AUTHENTICATION
        value: {{ .Values.security.rpc.authenticationEnabled | quote }}
      {{- if include "spark.connect.enabled" . }}
      - name: TLS_SECRET
        value: {{ include "spark.connect.tlsSecret" . }}
      - name: TLS_BROUGHT
        value: {{ .Values.connect.tls.create | ternary "0" "1" | quote }}
      - name: TLS_HOSTS
        value: {{ include "spark.connect.hosts" . }}
      {{- end }}
      - name: LABELS
        value: {{ include "spark.selectorLabels" (dict "root" . "component" "spark-config") | fromYaml | toJson | quote }}
    volumeMounts:
      - name: chart/scripts
        mountPath: /opt/spark-conf
        readOnly: true
      - name: chart/tmp
        mountPath: /tmp
volumes:
  - name: chart/scripts
    configMap:
      name: {{ include "spark.fullname" . }}-spark-bootstrap
  - name: chart/tmp
    emptyDir: {}
{{- end -}}

{{- define "spark.bootstrap.hash" -}}
{{- printf "%s%s%s" (include "spark.bootstrap.podSpec" .) (.Files.Get "files/scripts/bootstrap.py") (include "spark.imageRevision" .) | sha256sum | trunc 8 -}}
{{- end -}}
