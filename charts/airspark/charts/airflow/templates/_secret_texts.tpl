{{/*
Texts among the values that look like a secret: every reader of the values, a ConfigMap or a pod would read them. Each chart holds
the same copy of this file, and a test compares the copies.

  common.secretTexts         their paths and names, as JSON; in maps of the user's own a name alone tells them (dict values, own)
  common.secretTexts.below   the same of one value, by the shape of texts if `shaped`     (dict value, path, name, own, shaped)
  common.secretTexts.name    whether a name is that of a secret                                                         (name)
  common.secretTexts.shape   whether a text has the shape of a secret, or holds one                                     (text)
*/}}

{{- /* Four patterns for each text are a quarter of a render; one look at all texts tells whether any has such a shape. */}}
{{- define "common.secretTexts" -}}
{{- $found := list -}}
{{- $shaped := include "common.secretTexts.shape" (regexReplaceAll `\\[ntr]` (toJson .values | replace `\"` `"`) " ") -}}
{{- range $key, $value := .values }}
{{- $found = concat $found (include "common.secretTexts.below" (dict "value" $value "path" $key "name" "" "own" (has $key $.own) "shaped" $shaped) | fromJsonArray) }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{- /* A variable of a container is a map of name and value. What is taken from a Secret stands below `valueFrom`. */}}
{{- define "common.secretTexts.below" -}}
{{- $found := list -}}
{{- if kindIs "map" .value }}
{{- $variable := and (hasKey .value "value") (kindIs "string" .value.name) }}
{{- range $key, $value := omit .value "valueFrom" "secretKeyRef" }}
{{- $named := and $variable (eq $key "value") }}
{{- $found = concat $found (include "common.secretTexts.below" (dict "value" $value "path" (printf "%s.%s" $.path $key) "name" ($named | ternary $.value.name $key) "own" (or $.own $named) "shaped" $.shaped) | fromJsonArray) }}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- range $index, $value := .value }}
{{- $found = concat $found (include "common.secretTexts.below" (dict "value" $value "path" (printf "%s[%d]" $.path $index) "name" "" "own" $.own "shaped" $.shaped) | fromJsonArray) }}
{{- end }}
{{- else if not (or (kindIs "bool" .value) (kindIs "invalid" .value)) }}
{{- $text := include "common.text" .value }}
{{- $plain := and (ne $text "") (not (contains "{{" $text)) (not (contains "$(" $text)) }}
{{- if or (and .own $plain (include "common.secretTexts.name" .name)) (and .shaped (include "common.secretTexts.shape" $text)) }}
{{- $found = list (dict "path" .path "name" .name) }}
{{- end }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{- /* Airflow's `…_secret` and `…_cmd` say where an option's value is to be had. */}}
{{- define "common.secretTexts.name" -}}
{{- $word := "pass(word|wd|phrase)?|pwd|secret|token|credentials?|api[-_.]?key|(access|account|encryption|fernet|private|secret|shared|signing)[-_.]?key" -}}
{{- $about := "compass|bypass|(conn|key|password|token|url|backend)_(secret|cmd)" -}}
{{- if and (regexMatch (printf "(?i)(%s)$" $word) .) (not (regexMatch (printf "(?i)(%s)$" $about) .)) }}yes{{ end -}}
{{- end -}}

{{- define "common.secretTexts.shape" -}}
{{- $shapes := list
  `://[^\s/@:"{}]*:[^\s/@"{}$]{1,500}@`
  `-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY`
  `(^|[^A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.|(AKIA|ASIA)[0-9A-Z]{16}|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,})`
  `(?i)"[^"]{0,60}(password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key)"\s*:\s*"[^"{$]` -}}
{{- range $shapes }}{{ if regexMatch . $ }}yes{{ end }}{{ end -}}
{{- end -}}
