{{/*
Parts of workloads that every component has.

  airflow.workloadMetadata      metadata of a workload                       (dict root, component, values)
  airflow.deploymentSettings    replicas, strategy, selector                 (dict root, component, values)
  airflow.revisionHistoryLimit  old revisions that are kept                  (dict root, values)
  airflow.ipFamilies            which IP families a Service has              Services
  airflow.podDisruptionBudget   a PodDisruptionBudget, where there is more than one pod
*/}}

{{- define "airflow.workloadMetadata" -}}
name: {{ include "airflow.fullname" .root }}-{{ .component }}
labels:
  {{- include "airflow.labels" . | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- include "common.map" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.revisionHistoryLimit" -}}
{{- kindIs "invalid" .values.revisionHistoryLimit | ternary .root.Values.revisionHistoryLimit .values.revisionHistoryLimit | int64 -}}
{{- end -}}

{{- define "airflow.deploymentSettings" -}}
{{- if not (or (dig "hpa" "enabled" false .values) (default dict .values.keda).enabled) }}
replicas: {{ int64 .values.replicas }}
{{- end }}
revisionHistoryLimit: {{ include "airflow.revisionHistoryLimit" . }}
# The old pod serves until the new one is ready, and so for as long as a migration fails.
strategy:
  {{- toYaml (default (dict "rollingUpdate" (dict "maxSurge" 1 "maxUnavailable" 0)) .values.strategy) | nindent 2 }}
selector:
  matchLabels:
    {{- include "airflow.selectorLabels" . | nindent 4 }}
{{- end -}}

{{- define "airflow.ipFamilies" -}}
{{- with .Values.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end -}}

{{- define "airflow.podDisruptionBudget" -}}
{{- $budget := default dict .values.podDisruptionBudget -}}
{{- $pods := dig "hpa" "enabled" false .values | ternary (int (dig "hpa" "minReplicaCount" 1 .values)) (int .values.replicas) -}}
{{- if and (gt $pods 1) (ne $budget.enabled false) (ne .values.enabled false) }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "airflow.fullname" .root }}-{{ .component }}-pdb
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "airflow.selectorLabels" . | nindent 6 }}
  {{- $allowed := dict }}
  {{- range $key, $pods := $budget.config }}
  {{- if not (kindIs "invalid" $pods) }}{{ $_ := set $allowed $key $pods }}{{ end }}
  {{- end }}
  {{- toYaml (default (dict "maxUnavailable" 1) $allowed) | nindent 2 }}
{{- end }}
{{- end -}}
