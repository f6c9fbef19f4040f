{{/*
  airspark.labels    labels of an object      claims    (dict root, component)
*/}}

{{- define "airspark.labels" -}}
{{- $chart := dict
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/component" .component
  "app.kubernetes.io/part-of" "airspark"
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $own := dict "component" .component "release" .root.Release.Name -}}
{{- include "common.map" (list (mergeOverwrite $chart .root.Values.labels $own) .root) -}}
{{- end -}}
