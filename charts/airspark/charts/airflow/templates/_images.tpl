{{/*
What images are, as far as their names tell.

  airflow.images.ours       whether a repository is one of this chart's own images                    the helpers below
  airflow.images.release    version that a tag begins with, or nothing                               version, checks
  airflow.version           version of Airflow that runs: of the tag where it names one, else `airflowVersion`     notes
  airflow.images.all        images in use, as JSON {key: {repository, tag, given, named}}: `given` is whether values
                            give the tag, `named` whether they name the repository                   checks, notes
  airflow.validate.images   images that nobody has, or that this chart cannot run                    validate
  airflow.images.warnings   tags that do not say what runs, a sentence a line                        notes
*/}}

{{- define "airflow.images.ours" -}}
{{- if regexMatch "^(docker\\.io/)?airspark/" . }}yes{{ end -}}
{{- end -}}

{{- define "airflow.images.release" -}}
{{- regexFind "^v?[0-9]+\\.[0-9]+\\.[0-9]+" (toString .) | trimPrefix "v" -}}
{{- end -}}

{{- define "airflow.version" -}}
{{- $tag := include "airflow.images.release" (include "airflow.image.tag" .) -}}
{{- $digest := default .Values.defaultAirflowDigest .Values.images.airflow.digest -}}
{{- $told := and (not $digest) (empty (include "airflow.images.ours" (include "airflow.image.repository" .))) (regexMatch "^[23]\\." $tag) -}}
{{- $told | ternary $tag .Values.airflowVersion -}}
{{- end -}}

{{- define "airflow.images.all" -}}
{{- $all := .Values -}}
{{- $given := dict "images.airflow" $all.images.airflow -}}
{{- if or $all.images.pod_template.repository $all.images.pod_template.tag }}
{{- $_ := set $given "images.pod_template" $all.images.pod_template }}
{{- end }}
{{- if $all.statsd.enabled }}{{ $_ := set $given "images.statsd" $all.images.statsd }}{{ end }}
{{- if $all.pgbouncer.enabled }}{{ $_ := set $given "images.pgbouncer" $all.images.pgbouncer }}{{ end }}
{{- if $all.postgresql.enabled }}{{ $_ := set $given "postgresql.image" $all.postgresql.image }}{{ end }}
{{- if and $all.backup.enabled $all.backup.image.repository }}{{ $_ := set $given "backup.image" $all.backup.image }}{{ end }}
{{- $images := dict -}}
{{- range $key, $image := $given }}
{{- $repository := $image.repository }}
{{- $tag := $image.tag }}
{{- if has $key (list "images.airflow" "images.pod_template") }}
{{- $repository = eq $key "images.airflow" | ternary (include "airflow.image.repository" $) (include "airflow.workerImage.repository" $) }}
{{- $tag = $image.tag | default (eq $key "images.airflow" | ternary $all.defaultAirflowTag "") }}
{{- end }}
{{- $digest := $image.digest | default (eq $key "images.airflow" | ternary $all.defaultAirflowDigest "") }}
{{- $defaults := list "airspark/airflow" "airspark/statsd-exporter" "airspark/pgbouncer" "airspark/postgres" }}
{{- $named := or (not (has $repository $defaults)) (and (has $key (list "images.airflow" "images.pod_template")) (not (empty $image.repository))) }}
{{- $_ := set $images $key (dict "repository" $repository "tag" (default "" $tag | toString) "digest" (default "" $digest) "named" $named) }}
{{- end }}
{{- toJson $images -}}
{{- end -}}

{{- define "airflow.validate.images" -}}
{{- $mine := splitList "." .Chart.AppVersion | first -}}
{{- range $key, $image := include "airflow.images.all" . | fromJson }}
{{- $tag := and (eq $key "images.airflow") (not $.Values.images.airflow.tag) | ternary "defaultAirflowTag" (printf "%s.tag" $key) }}
{{- $repository := and (eq $tag "defaultAirflowTag") (not $.Values.images.airflow.repository) | ternary "defaultAirflowRepository" (printf "%s.repository" $key) }}
{{- $release := include "airflow.images.release" $image.tag }}
{{- $airflow := regexMatch "(^|/)apache/airflow$" $image.repository }}
{{- if contains "bitnami" $image.repository }}
{{ $repository }}: {{ $image.repository }} is Bitnami's packaging, which keeps its files under /bitnami and /opt/bitnami and reads other variables than this chart sets; use an image like those of the folder `images`{{ if eq $key "postgresql.image" }}, or set `postgresql.enabled` to false and name a database by `data`{{ end }}
{{- else if and $image.tag (not $image.digest) (not $image.named) (not (hasPrefix (printf "%s." $mine) $image.tag)) }}
{{ $tag }} is set without {{ $repository }}: {{ $image.repository }} is this chart's own image, whose tags are versions of Airspark such as {{ $.Chart.AppVersion }}, not {{ $image.tag }}; write the repository of that tag too
{{- else if and $airflow (not $image.digest) (not $image.tag) }}
{{ $repository }}: {{ $image.repository }} has no tag {{ $.Chart.AppVersion }}, which is this chart's version; write `{{ $key }}.tag` too, for example {{ $.Values.airflowVersion }}
{{- else if and $airflow $release (not $image.digest) (semverCompare "<3.2.2-0" $release) }}
{{ $tag }}: the chart runs Airflow 3.2.2 and newer, and {{ $image.repository }}:{{ $image.tag }} is Airflow {{ $release }}; use an image of a newer Airflow
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.images.warnings" -}}
{{- range $key, $image := include "airflow.images.all" . | fromJson }}
{{- $release := include "airflow.images.release" $image.tag }}
{{- if and (eq $image.tag "latest") (not $image.digest) }}
{{ $key }}.tag: `latest` is another image on another day: a node keeps the one that it pulled first, and an upgrade changes nothing. Use a version.
{{- end }}
{{- if and (has $key (list "images.airflow" "images.pod_template")) $image.named (not $image.digest) $release }}
{{- if and (regexMatch "^[23]\\." $release) (semverCompare "<3.2.2-0" $release) }}
{{ $key }}.tag: {{ $image.tag }} looks like Airflow {{ $release }}, and the chart runs Airflow 3.2.2 and newer: the bootstrap Job refuses an older one. If the tag is a version of your own, ignore this.
{{- else if and (regexMatch "^3\\." $release) (ne $release $.Values.airflowVersion) }}
{{ $key }}.tag: {{ $image.tag }} looks like Airflow {{ $release }}, and `airflowVersion` says {{ $.Values.airflowVersion }}: give both the same version.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
