{{/*
Refusal of names that a chart needs for itself. Each chart holds the same copy of this file, and a test compares the copies.

  common.reserved           sentences about items of a list, by what each item is called
                            (dict path, items, by, names: why not and what to do by name)
  common.reservedLabels     sentences about labels that select pods     (dict path, labels, own)
  common.reservedTwice      sentences about containers that are called like init containers
                            (dict path, items, other: path, others)
  common.reservedOnce       sentences about items of one list that are called the same    (dict path, items, by)
*/}}

{{- define "common.reserved" -}}
{{- range $item := default list .items }}
{{- if kindIs "map" $item }}
{{- $name := get $item $.by | toString }}
{{- if not (eq $name "/") }}{{ $name = trimSuffix "/" $name }}{{ end }}
{{- with get $.names $name }}
{{ $.path }}: {{ $name }} {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "common.reservedLabels" -}}
{{- range $name, $own := .own }}
{{- if and (kindIs "map" $.labels) (hasKey (default dict $.labels) $name) }}
{{- $given := get $.labels $name | include "common.text" }}
{{- if and $given (ne $given $own) }}
{{ $.path }}: the chart selects its pods by the label {{ $name }}, so it cannot be {{ $given }}; give yours another name
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "common.reservedTwice" -}}
{{- $others := list -}}
{{- range default list .others }}{{ if kindIs "map" . }}{{ $others = append $others (toString .name) }}{{ end }}{{ end }}
{{- range default list .items }}
{{- if and (kindIs "map" .) (dig "name" "" .) (has (toString .name) $others) }}
{{ $.path }}: {{ .name }} is also a name in `{{ $.other }}`, and the containers of a pod need different names; rename one of them
{{- end }}
{{- end }}
{{- end -}}

{{- /* Between two levels the later one wins; within one list, one of two that differ would be lost. */}}
{{- define "common.reservedOnce" -}}
{{- $seen := dict -}}
{{- range default list .items }}
{{- $name := kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) $.by) "" | toString }}
{{- if not (eq $name "/") }}{{ $name = trimSuffix "/" $name }}{{ end }}
{{- if and $name (hasKey $seen $name | ternary (ne (get $seen $name) (toJson .)) false) }}
{{ $.path }}: {{ $name }} is the {{ $.by }} of two entries, and one of them would be lost; remove one, or give it another {{ $.by }}
{{- end }}
{{- $_ := set $seen $name (toJson .) }}
{{- end }}
{{- end -}}
