{{/*
Parts of pods.

  spark.podMetadata                 labels and annotations                      pods     (dict root, component, values)
  spark.podSpec                     account, security, scheduling               pods     (dict root, component, values)
  spark.container                   image, security, resources, probes, ports   pods     (dict root, component, values)
  spark.containerSecurityContext    restricted, read-only root                  pods
  spark.env                         what every Spark process reads              pods     (dict root, component)
  spark.mounts                      volumeMounts of configuration and claims    pods     (dict root, claims)
  spark.volumes                     volumes of the mounts                       pods     (dict root, values, claims)
*/}}

{{- define "spark.podMetadata" -}}
labels:
  {{- include "spark.podLabels" (merge (dict "labels" .values.podLabels) .) | nindent 2 }}
{{- $annotations := merge (dict) .values.podAnnotations .root.Values.podAnnotations }}
{{- with include "spark.imageRevision" .root }}
{{- $_ := set $annotations "airspark.io/image-revision" . }}
{{- end }}
{{- $_ := set $annotations "checksum/spark-config" (include (.config | default "spark.config") .root | sha256sum) }}
annotations:
  {{- include "common.map" (list $annotations .root) | nindent 2 }}
{{- end -}}

{{- define "spark.podSpec" -}}
{{- $context := dict
  "runAsNonRoot" true
  "runAsUser" .root.Values.uid
  "runAsGroup" .root.Values.gid
  "fsGroup" .root.Values.gid
  "fsGroupChangePolicy" "OnRootMismatch"
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
serviceAccountName: {{ .account | default (include "spark.account" .root) }}
automountServiceAccountToken: {{ not (empty .account) }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml (mergeOverwrite $context .root.Values.securityContexts.pod) | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName | default .root.Values.priorityClassName }}
priorityClassName: {{ tpl . $.root }}
{{- end }}
{{- with merge (dict) .values.nodeSelector .root.Values.nodeSelector }}
nodeSelector:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default .root.Values.tolerations }}
tolerations:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- with .values.affinity | default .root.Values.affinity }}
affinity:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- with .values.topologySpreadConstraints | default .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range include "common.json" (list . $.root) | fromJsonArray }}
  - {{- toYaml (merge (dict) . (dict "labelSelector" (dict "matchLabels" (include "spark.selectorLabels" (omit $ "group") | fromYaml)))) | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .values.initContainers }}
initContainers:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "spark.containerSecurityContext" -}}
{{- $context := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true -}}
{{- toYaml (mergeOverwrite $context .Values.securityContexts.containers) -}}
{{- end -}}

{{- define "spark.container" -}}
image: {{ include "spark.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "spark.containerSecurityContext" .root | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
ports:
  {{- range $name, $port := .ports }}
  - name: {{ $name }}
    containerPort: {{ $port }}
  {{- end }}
{{- $answers := dict "httpGet" (dict "path" .health "port" "http") -}}
{{- $useful := empty .ready | ternary $answers (dict "exec" (dict "command" (list
      "bash" "/opt/spark-conf/ready.sh" (include "common.text" .values.containerPorts.http) .ready))) }}
livenessProbe:
  {{- include "spark.probe" (dict "root" .root "probe" .values.livenessProbe "check" $answers) | nindent 2 }}
startupProbe:
  {{- include "spark.probe" (dict "root" .root "probe" .values.startupProbe "check" $answers) | nindent 2 }}
readinessProbe:
  {{- include "spark.probe" (dict "root" .root "probe" .values.readinessProbe "check" $useful) | nindent 2 }}
{{- include "spark.envFrom" . }}
{{- end -}}

{{- define "spark.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: SPARK_CONF_DIR
  value: /opt/spark-conf
- name: SPARK_DAEMON_MEMORY
  value: {{ .values.daemonMemoryLimit }}
- name: SPARK_DAEMON_JAVA_OPTS
  value: {{ printf "%s %s" .root.Values.daemonJavaOptions (default "" .values.javaOptions) | trim | quote }}
{{- if and .root.Values.security.rpc.authenticationEnabled (ne .component "spark-history") }}
# Read by Spark itself, and handed on to executors the same way; never an option or a line of configuration.
- name: _SPARK_AUTH_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ include "spark.authSecret" .root }}
      key: rpc-authentication-secret
{{- end }}
{{- with include "spark.timeZone" .root }}
- name: AIRSPARK_TIME_ZONE
  value: {{ . }}
{{- end }}
{{- end -}}

{{- define "spark.mounts" -}}
- name: chart/config
  mountPath: /opt/spark-conf
  readOnly: true
- name: chart/tmp
  mountPath: /tmp
{{- range $name := .claims }}
{{- if include "spark.mountClaim" (dict "root" $.root "name" $name) }}
- name: chart/{{ $name }}
  mountPath: {{ (get $.root.Values.mounts $name).mountPath }}
  {{- if eq $name "applications" }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "spark.volumes" -}}
- name: chart/config
  configMap:
    name: {{ include "spark.fullname" .root }}-{{ .configMap | default "spark-config" }}
- name: chart/tmp
  emptyDir: {}
{{- range $name := .claims }}
{{- with include "spark.mountClaim" (dict "root" $.root "name" $name) }}
- name: chart/{{ $name }}
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end }}
{{- with .values.extraVolumes }}
{{ include "common.yaml" (list . $.root) }}
{{- end }}
{{- end -}}
