{{/*
Names and parts of pods.

  spark.fullname                    prefix of all names                    every template
  spark.labels                      labels of an object                    every template  (dict root, component)
  spark.selectorLabels              labels that select pods                workloads       (dict root, component)
  spark.image                       image reference                        workloads
  spark.mountClaim                  claim of a mount                       worker          (dict root, name)
  spark.defaults                    the text of spark-defaults.conf        config
  spark.podMetadata                 labels and annotations of a pod        workloads       (dict root, component, values)
  spark.podSpec                     account, security, scheduling          workloads       (dict root, values)
  spark.containerSecurityContext    restricted, read-only root             workloads
  spark.probes                      the three probes of a UI port          workloads       (dict values)
*/}}

{{- define "spark.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{- define "spark.selectorLabels" -}}
tier: spark
component: {{ .component }}
release: {{ .root.Release.Name }}
{{- end -}}

{{- define "spark.podLabels" -}}
{{ include "spark.selectorLabels" . }}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: airspark
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "spark.labels" -}}
{{ include "spark.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- end -}}

{{- define "spark.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "spark.mountClaim" -}}
{{- $claim := default (get (.root.Values.global.claims | default dict) .name) (get .root.Values.mounts .name).claim -}}
{{- tpl ($claim | default "") .root -}}
{{- end -}}

{{- define "spark.defaults" -}}
{{- $recovery := dict
  "spark.deploy.recoveryMode" "ROCKSDB"
  "spark.deploy.recoveryDirectory" "/opt/spark-recovery" -}}
{{- $conf := merge (dict) .Values.sparkConf (.Values.master.persistence.enabled | ternary $recovery dict) -}}
{{- range $key := keys $conf | sortAlpha }}
{{ $key }} {{ tpl (toString (get $conf $key)) $ }}
{{- end }}
{{- end -}}

{{- define "spark.podMetadata" -}}
labels:
  {{- include "spark.podLabels" . | nindent 2 }}
{{- $annotations := merge (dict) .values.podAnnotations .root.Values.podAnnotations }}
{{- with .root.Values.global.imageRevision }}
{{- $_ := set $annotations "airspark.io/image-revision" (toString .) }}
{{- end }}
{{- $_ := set $annotations "checksum/spark-config" (include "spark.defaults" .root | sha256sum) }}
annotations:
  {{- toYaml $annotations | nindent 2 }}
{{- end -}}

{{- define "spark.podSpec" -}}
{{- $context := dict
  "runAsNonRoot" true
  "runAsUser" .root.Values.uid
  "runAsGroup" .root.Values.gid
  "fsGroup" .root.Values.gid
  "fsGroupChangePolicy" "OnRootMismatch"
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml (merge (dict) .root.Values.securityContexts.pod $context) | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with merge (dict) .values.nodeSelector .root.Values.nodeSelector }}
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

{{- define "spark.containerSecurityContext" -}}
{{- $context := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true -}}
{{- toYaml (merge (dict) .Values.securityContexts.containers $context) -}}
{{- end -}}

{{- define "spark.probes" -}}
{{- range $probe := list "livenessProbe" "readinessProbe" "startupProbe" }}
{{ $probe }}:
  httpGet: {path: /json/, port: http}
  {{- toYaml (get $.values $probe) | nindent 2 }}
{{- end }}
{{- end -}}
