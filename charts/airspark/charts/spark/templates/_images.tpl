{{/*
What images are, as far as their names tell.

  spark.validate.images    images that nobody has, or that this chart cannot run     validate
  spark.images.warnings    tags that do not say what runs, a sentence a line          notes
*/}}

{{- define "spark.validate.images" -}}
{{- $mine := splitList "." .Chart.AppVersion | first -}}
{{- range $key, $image := dict "image" .Values.image "connect.proxy.image" .Values.connect.proxy.image }}
{{- $tag := toString (default "" $image.tag) }}
{{- $ours := has $image.repository (list "airspark/spark" "airspark/tls-proxy") }}
{{- if contains "bitnami" $image.repository }}
{{ $key }}.repository: {{ $image.repository }} is Bitnami's packaging, which has Spark under /opt/bitnami and starts it by variables of its own; use an image like the one of the folder images/spark
{{- else if and $tag $ours (not (hasPrefix (printf "%s." $mine) $tag)) }}
{{ $key }}.tag is set without {{ $key }}.repository: {{ $image.repository }} is this chart's own image, whose tags are versions of Airspark such as {{ $.Chart.AppVersion }}, not {{ $tag }}; write the repository of that tag too
{{- else if and (eq $key "image") (regexMatch "(^|/)apache/spark(-py)?$|^(docker\\.io/)?(library/)?spark$" $image.repository) (regexMatch "^v?[123]\\." $tag) }}
{{ $key }}.tag: {{ $tag }} is Spark {{ regexFind "[0-9]+" $tag }}, and the clients of this chart, pyspark in Airflow's image among them, are Spark 4, which do not talk to it; use an image of Spark 4
{{- end }}
{{- end }}
{{- end -}}

{{- define "spark.images.warnings" -}}
{{- $tag := toString .Values.image.tag -}}
{{- if eq $tag "latest" }}
image.tag: `latest` is another image on another day: a node keeps the one that it pulled first, and drivers may not fit to workers. Use a version.
{{- else if regexMatch "^v?3\\.[0-9]\\." $tag }}
image.tag: {{ $tag }} looks like Spark 3, and the clients of this chart, pyspark in Airflow's image among them, are Spark 4, which do not talk to it. If the tag is a version of your own, ignore this.
{{- end }}
{{- end -}}
