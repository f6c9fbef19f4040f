{{/*
  spark.imageRevision    of the chart's image, or nothing; a pod is replaced when it changed under the same tag    pods, bootstrap
*/}}

{{- define "spark.imageRevision" -}}
{{- $given := list -}}
{{- range list .Values.global.imageRevision .Values.global.imageRevisions.spark }}
{{- with . }}{{ $given = append $given (include "common.text" .) }}{{ end }}
{{- end }}
{{- join "-" $given -}}
{{- end -}}
