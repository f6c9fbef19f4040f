{{/*
Refusal of keys of what this chart does not have, with the sentences of files/refused-keys.yaml.

  sparkOperator.refused.asks    whether a value asks for something, or is off or harmless    below       (dict value, harmless)
  sparkOperator.refused         the sentences, one a line, the keys first                    validate
*/}}

{{- define "sparkOperator.refused.asks" -}}
{{- if kindIs "map" .value }}
{{- if dig "enabled" true .value }}
{{- range $key, $value := .value }}
{{- include "sparkOperator.refused.asks" (dict "value" $value "harmless" (kindIs "map" $.harmless | ternary (get (kindIs "map" $.harmless | ternary $.harmless dict) $key) nil)) }}
{{- end }}
{{- end }}
{{- else if kindIs "bool" .harmless }}
{{- if eq (toJson .value) (not .harmless | toJson) }}yes{{ end }}
{{- else if and .value (ne (toJson .value) (toJson .harmless)) }}yes{{ end -}}
{{- end -}}

{{- define "sparkOperator.refused" -}}
{{- range $group := .Files.Get "files/refused-keys.yaml" | fromYamlArray }}
{{- $given := list }}
{{- range $path := $group.keys }}
{{- $value := $.Values }}
{{- range splitList "." $path }}
{{- $value = kindIs "map" $value | ternary (get (kindIs "map" $value | ternary $value dict) .) nil }}
{{- end }}
{{- if include "sparkOperator.refused.asks" (dict "value" $value "harmless" (get (default dict $group.harmless) $path)) }}
{{- $given = append $given $path }}
{{- end }}
{{- end }}
{{- with $given }}
{{ join ", " . }}: {{ $group.say }}
{{- end }}
{{- end }}
{{- end -}}
