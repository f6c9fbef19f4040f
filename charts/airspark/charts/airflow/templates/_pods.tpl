{{/*
Parts of pods.

  airflow.podMetadata                  labels and annotations of a pod       workloads  (dict root, component, values)
  airflow.podSecurityContext           restricted, user and group            every pod  (dict root, uid, values)
  airflow.podSettings                  account, scheduling, security         every pod  (dict root, component, values)
  airflow.componentPod                 whole spec of a component's pod       workloads  (dict root, component, values,
                                       arguments, secrets, probes, ports, mounts, volumes, jobType)
*/}}

{{- define "airflow.podMetadata" -}}
{{- $values := default dict .values -}}
labels:
  {{- include "airflow.podLabels" . | nindent 2 }}
{{- $annotations := mergeOverwrite dict .root.Values.airflowPodAnnotations (default dict $values.podAnnotations) }}
{{- $annotations = include "common.json" (list $annotations .root) | fromJson }}
{{- if kindIs "bool" $values.safeToEvict }}
{{- $_ := set $annotations "cluster-autoscaler.kubernetes.io/safe-to-evict" (toString $values.safeToEvict) }}
{{- end }}
{{- range $name := list "image" "dags" }}
{{- with include (printf "airflow.%sRevision" $name) $ }}
{{- $_ := set $annotations (printf "airspark.io/%s-revision" $name) . }}
{{- end }}
{{- end }}
{{- with .checksum }}
{{- $_ := set $annotations "checksum/airflow-config" . }}
{{- end }}
{{- $annotations = merge $annotations (include "airflow.extras.checksums" . | fromJson) }}
{{- with $annotations }}
annotations:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.podSecurityContext" -}}
{{- $context := .root.Values.securityContexts.disableDefaults | default false | ternary dict (dict
  "runAsNonRoot" true
  "runAsUser" .uid
  "runAsGroup" .root.Values.gid
  "fsGroup" .root.Values.gid
  "fsGroupChangePolicy" "OnRootMismatch"
  "seccompProfile" (dict "type" "RuntimeDefault")) -}}
{{- $layers := list $context -}}
{{- range $values := list .root.Values (default dict .values) }}
{{- $layers = concat $layers (list $values.securityContext (default dict $values.securityContexts).pod) }}
{{- end }}
{{- include "airflow.layers" $layers | fromJson | toYaml -}}
{{- end -}}

{{- define "airflow.podSettings" -}}
{{- $values := default dict .values -}}
{{- $all := .root.Values -}}
enableServiceLinks: {{ $all.enableServiceLinks }}
securityContext:
  {{- include "airflow.podSecurityContext" (dict "root" .root "uid" (default $all.uid .uid) "values" $values) | nindent 2 }}
{{- with $values.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with include "airflow.imagePullSecrets" .root }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
{{- with mergeOverwrite dict $all.nodeSelector (default dict $values.nodeSelector) }}
nodeSelector:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- with $values.tolerations | default $all.tolerations }}
tolerations:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- $affinity := $values.affinity | default $all.affinity }}
{{- with $affinity }}
affinity:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- $spread := $values.topologySpreadConstraints | default $all.topologySpreadConstraints }}
{{- if and (not $spread) (not $affinity) .spread }}
{{- $spread = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway"
      "labelSelector" (dict "matchLabels" (include "airflow.selectorLabels" . | fromYaml))) }}
{{- end }}
{{- with $spread }}
topologySpreadConstraints:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- with $values.schedulerName | default $all.schedulerName }}
schedulerName: {{ tpl . $.root }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ tpl . $.root }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ tpl . $.root }}
{{- end }}
{{- with $values.hostAliases }}
hostAliases:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.componentPod" -}}
{{- $values := .values -}}
{{- $root := .root -}}
{{- $several := or (gt (int $values.replicas) 1) (dig "hpa" "enabled" false $values) -}}
serviceAccountName: {{ include "airflow.serviceAccountName" . }}
automountServiceAccountToken: {{ include "airflow.tokenVolume" . | empty | ternary $values.serviceAccount.automountServiceAccountToken false }}
{{ include "airflow.podSettings" (merge (dict "spread" $several) .) }}
{{- $init := include "airflow.initContainers" . }}
{{- with $init | trim }}
initContainers:
  {{- . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "airflow.image" $root }}
    imagePullPolicy: {{ $root.Values.images.airflow.pullPolicy }}
    {{- include "airflow.containerBasics" . | nindent 4 }}
    env:
      {{- with include "airflow.database.asyncEnv" $root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- include "airflow.env" . | nindent 6 }}
    {{- with include "airflow.envFrom" $root }}
    envFrom:
      {{- . | nindent 6 }}
    {{- end }}
    {{- with .ports }}
    ports:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- .probes | trim | nindent 4 }}
    volumeMounts:
      {{- include "airflow.configMounts" $root | nindent 6 }}
      {{- toYaml .mounts | nindent 6 }}
      - name: chart/scripts
        mountPath: /opt/airspark
        readOnly: true
      - name: chart/secrets
        mountPath: /run/airspark/secrets
        readOnly: true
      {{- with include "airflow.database.asyncMount" $root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with include "airflow.tokenMount" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with include "airflow.claimMounts" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with include "airflow.extraMounts" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
  {{- with include "airflow.logGroomer" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.extraContainers }}
  {{- include "common.yaml" (list . $root) | nindent 2 }}
  {{- end }}
volumes:
  {{- include "airflow.configVolumes" $root | nindent 2 }}
  {{- include "airflow.secretFiles" . | nindent 2 }}
  {{- with include "airflow.tokenVolume" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .volumes }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  {{- with include "airflow.claimVolumes" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with concat $root.Values.volumes (default list $values.extraVolumes) }}
  {{- include "common.yaml" (list . $root) | nindent 2 }}
  {{- end }}
{{- end -}}
