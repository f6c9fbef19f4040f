{{/*
Parts of the controller's pod.

  sparkOperator.podMetadata                 labels and annotations
  sparkOperator.podSpec                     account, security, scheduling
  sparkOperator.containerSecurityContext    restricted, read-only root
*/}}

{{- define "sparkOperator.podMetadata" -}}
labels:
  {{- $own := include "sparkOperator.selectorLabels" . | fromYaml }}
  {{- $labels := mergeOverwrite (include "sparkOperator.podLabels" . | fromYaml) .Values.controller.podLabels $own }}
  {{- include "common.map" (list $labels .) | nindent 2 }}
{{- $annotations := merge (dict) .Values.controller.podAnnotations }}
{{- with include "sparkOperator.imageRevision" . }}
{{- $_ := set $annotations "airspark.io/image-revision" . }}
{{- end }}
{{- $_ := set $annotations "checksum/settings" (include "sparkOperator.settings" . | sha256sum) }}
annotations:
  {{- include "common.map" (list $annotations $) | nindent 2 }}
{{- end -}}

{{- define "sparkOperator.podSpec" -}}
{{- $controller := .Values.controller -}}
{{- $context := dict
  "runAsNonRoot" true
  "runAsUser" 65534
  "runAsGroup" 0
  "fsGroup" 0
  "fsGroupChangePolicy" "OnRootMismatch"
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
serviceAccountName: {{ include "sparkOperator.account" . }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $controller.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml (mergeOverwrite $context .Values.securityContexts.pod) | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- include "common.yaml" (list . $) | nindent 2 }}
{{- end }}
{{- with $controller.priorityClassName }}
priorityClassName: {{ tpl . $ }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $controller $field }}
{{ $field }}:
  {{- include (eq $field "nodeSelector" | ternary "common.map" "common.yaml") (list . $) | nindent 2 }}
{{- end }}
{{- end }}
{{- with $controller.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range include "common.json" (list . $) | fromJsonArray }}
  - {{- toYaml (merge (dict) . (dict "labelSelector" (dict "matchLabels" (include "sparkOperator.selectorLabels" $ | fromYaml)))) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "sparkOperator.containerSecurityContext" -}}
{{- $context := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true -}}
{{- toYaml (mergeOverwrite $context .Values.securityContexts.containers) -}}
{{- end -}}
