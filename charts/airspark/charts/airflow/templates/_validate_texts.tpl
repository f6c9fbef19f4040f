{{/*
Checks of texts in values, as in _validate.tpl: a line is a sentence.

  airflow.validate.list         a YAML list out of a text, as JSON                                      below
  airflow.validate.texts        texts that are not YAML                                                 validate
  airflow.validate.helpers      templates and helpers of the official chart that are not here           validate
  airflow.validate.where        the key whose text holds a word    (list values, word)                  helpers
*/}}

{{- /* A YAML list out of a text, as JSON; nothing of a text with templates, whose errors would hide the other sentences. */}}
{{- define "airflow.validate.list" -}}
{{- $text := first . | default "" -}}
{{- if contains "AIRFLOW__CORE__EXECUTOR" $text }}{{ $text = tpl $text (last .) }}{{ end -}}
{{- contains "{{" $text | ternary "" $text | fromYamlArray | toJson -}}
{{- end -}}

{{- define "airflow.validate.texts" -}}
{{- range $key := list "extraEnv" "extraEnvFrom" }}
{{- range include "airflow.validate.list" (list (get $.Values $key) $) | fromJsonArray }}
{{- if kindIs "string" . }}
{{ $key }}: it is not a YAML list of maps ({{ . | replace "\n" " " }}); write, for example, - {name: TZ, value: Asia/Seoul}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.helpers" -}}
{{- $text := toJson .Values }}
{{- $files := list "/configmaps/configmap.yaml" "/configmaps/extra-configmaps.yaml" "/configmaps/statsd-configmap.yaml" "/secrets/extra-secrets.yaml" }}
{{- if contains "Template.BasePath" $text }}
{{- range regexFindAll `/(configmaps|secrets)/[a-z0-9-]+\.yaml` $text -1 | uniq }}
{{- if not (has . $files) }}
{{ include "airflow.validate.where" (list $.Values .) }}: this chart has no template {{ . }}{{ hasPrefix "/secrets/" . | ternary ", because the bootstrap Job makes the Secrets, whose change restarts their pods" "" }}; remove it, there are {{ join ", " $files }}
{{- end }}
{{- end }}
{{- end }}
{{- range regexFindAll `(include|template) \\"[^"\\]+\\"` $text -1 | uniq }}
{{- $name := regexFind `\\"[^"\\]+` . | trimPrefix "\\\"" }}
{{- if regexMatch "^(redis|flower|webserver|kerberos|celery|git_sync|airflow_result_backend|broker|workers?_kerberos|otel_collector)[._a-zA-Z]*$" $name }}
{{- if ne $name "webserver_secret_key_secret" }}
{{ include "airflow.validate.where" (list $.Values $name) }}: this chart has no helper {{ $name }}, because it has no part of that kind; remove it
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The first key, by its dotted path, whose text holds a word. */}}
{{- define "airflow.validate.where" -}}
{{- $values := first . -}}
{{- $word := last . -}}
{{- if kindIs "map" $values }}
{{- $found := "" }}
{{- range $key, $value := $values }}
{{- if and (not $found) (contains $word (toJson $value)) }}
{{- $below := include "airflow.validate.where" (list $value $word) }}
{{- $found = empty $below | ternary $key (printf "%s.%s" $key $below) }}
{{- end }}
{{- end }}
{{- $found }}
{{- end }}
{{- end -}}
