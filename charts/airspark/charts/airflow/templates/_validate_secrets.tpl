{{/*
Checks of secrets among the values, as in _validate.tpl: a line is a sentence.

  airflow.validate.secretTexts   texts that look like a secret, each with the key to use             validate
  airflow.secretTexts.instead    what to do instead                  (dict path, name, root)         the check above
  airflow.secretTexts.keys       keys that name a Secret, by variable or option, as JSON             the helper above
*/}}

{{- define "airflow.validate.secretTexts" -}}
{{- $own := list "config" "connections" "variables" "extraConfigMaps" "extraSecrets" -}}
{{- $env := contains "{{" (default "" .Values.extraEnv) | ternary list (default "" .Values.extraEnv | fromYamlArray) -}}
{{- $values := set (omit .Values "extraEnv") "extraEnv" $env -}}
{{- range include "common.secretTexts" (dict "values" $values "own" $own) | fromJsonArray }}
{{ .path }}: {{ and .name (hasSuffix ".value" .path) | ternary .name "it" }} looks like a secret, and everybody who may read the values, ConfigMaps or pods would read it; {{ include "airflow.secretTexts.instead" (set . "root" $) }}
{{- end }}
{{- end -}}

{{- define "airflow.secretTexts.instead" -}}
{{- $parts := splitList "." .path -}}
{{- $variable := hasPrefix "config." .path | ternary (printf "AIRFLOW__%s__%s" (initial $parts | rest | join "_" | upper) (last $parts | upper)) .name -}}
{{- $key := get (include "airflow.secretTexts.keys" . | fromJson) $variable -}}
{{- if $key }}name a Secret in `{{ $key }}`
{{- else if hasPrefix "config." .path }}name a Secret in the list `secret`: {envName: {{ $variable }}, secretName: …, secretKey: …}
{{- else if or (hasPrefix "connections." .path) (hasPrefix "variables." .path) }}write {valueFrom: {secretKeyRef: {name: …, key: …}}} in its place
{{- else if hasPrefix "dags.gitSync." .path }}name a Secret with the login in `dags.gitSync.credentialsSecret`
{{- else if hasPrefix "extraSecrets." .path }}make that Secret before the release, and refer to it by its name
{{- else if hasSuffix ".value" .path }}write valueFrom: {secretKeyRef: {name: …, key: …}} in place of `value`
{{- else }}bring it in a Secret, and refer to that{{ end -}}
{{- end -}}

{{- define "airflow.secretTexts.keys" -}}
{{- dict
  "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" "data.metadataSecretName"
  "AIRFLOW__CORE__FERNET_KEY" "fernetKeySecretName"
  "AIRFLOW__API__SECRET_KEY" "apiSecretKeySecretName"
  "AIRFLOW__API_AUTH__JWT_SECRET" "jwtSecretName" | toJson -}}
{{- end -}}
