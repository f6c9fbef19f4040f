{{/*
Revisions of images, by which pods are replaced when an image changed under the same tag.

  airflow.imageRevision    that of a component's image, or nothing       pods   (dict root, component)
  airflow.dagsRevision     that of the DAG files in the image, or nothing: of the components that import them
                                                                         pods   (dict root, component)
*/}}

{{- define "airflow.imageRevision" -}}
{{- $images := dict "backup" "postgresql" "pgbouncer" "pgbouncer" "postgresql" "postgresql" "statsd" "statsd" -}}
{{- $global := .root.Values.global -}}
{{- $given := list -}}
{{- range list $global.imageRevision (get $global.imageRevisions (get $images .component | default "airflow")) }}
{{- with . }}{{ $given = append $given (include "common.text" .) }}{{ end }}
{{- end }}
{{- join "-" $given -}}
{{- end -}}

{{- /* Task pods are made from the image of the moment; the API server reads the database alone. */}}
{{- define "airflow.dagsRevision" -}}
{{- if has .component (list "dag-processor" "scheduler" "triggerer") }}{{ include "common.text" .root.Values.global.imageRevisions.dags }}{{ end -}}
{{- end -}}
