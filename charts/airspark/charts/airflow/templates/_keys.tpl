{{/*
Keys that values files of the official chart hold and this chart does not act on. Known keys and the defaults of parts that
are off here stand in files/keys.yaml, which `make generate` writes.

  airflow.keys.asks        whether a value asks for something, or is off or harmless    (dict value, harmless)
  airflow.keys.given       keys of files/*-keys.yaml that ask for something, as lines    (dict root, file) validate, notes
  airflow.keys.unknown     keys at the top that the chart does not know, as a list       validate, notes
  airflow.keys.read        whether a template of the values reads a key                  (dict root, key)
  airflow.keys.missing     how many characters a word differs by from another            (dict word, other)
  airflow.keys.closest     the known word that differs least, or nothing                 (dict word, known)
  airflow.keys.sections    sections of `config` that look misspelt, a sentence a line    notes
  airflow.keys.misspelt    why an unknown key is refused, or nothing                     (dict root, key) validate
  airflow.keys.off         settings of a part that is off here and on there, as lines    notes
  airflow.keys.ignored     all that is accepted and without effect, as lines             notes
*/}}

{{- define "airflow.keys.asks" -}}
{{- if kindIs "map" .value }}
{{- if dig "enabled" true .value }}
{{- range $key, $value := .value }}
{{- include "airflow.keys.asks" (dict "value" $value "harmless" (kindIs "map" $.harmless | ternary (get (kindIs "map" $.harmless | ternary $.harmless dict) $key) nil)) }}
{{- end }}
{{- end }}
{{- else if and .value (ne (toJson .value) (toJson .harmless)) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.keys.given" -}}
{{- $said := list }}
{{- range $group := .root.Files.Get .file | fromYamlArray }}
{{- $given := list }}
{{- range $path := $group.keys }}
{{- $value := $.root.Values }}
{{- range splitList "." $path }}
{{- $value = kindIs "map" $value | ternary (get (kindIs "map" $value | ternary $value dict) .) nil }}
{{- end }}
{{- $like := get (default dict $group.harmlessLike) $path }}
{{- if not (and $like (regexMatch $like (toJson $value | replace "\\u0026" "&"))) }}
{{- if include "airflow.keys.asks" (dict "value" $value "harmless" (get (default dict $group.harmless) $path)) }}
{{- $given = append $given $path }}
{{- end }}
{{- end }}
{{- end }}
{{- with $given }}{{ $said = append $said (printf "%s: %s" (join ", " .) $group.say) }}{{ end }}
{{- end }}
{{- toJson $said }}
{{- end -}}

{{- define "airflow.keys.unknown" -}}
{{- $known := (.Files.Get "files/keys.yaml" | fromYaml).known -}}
{{- $found := list }}
{{- range $key, $_ := .Values }}
{{- if not (or (has $key $known) (hasPrefix "x-" $key)) }}{{ $found = append $found $key }}{{ end }}
{{- end }}
{{- toJson (sortAlpha $found) }}
{{- end -}}

{{- define "airflow.keys.read" -}}
{{- $key := regexQuoteMeta .key -}}
{{- regexMatch (printf `\.Values\.%s([^A-Za-z0-9_]|$)|Values +\\"%s\\"|Values +\x60%s\x60` $key $key $key) (toJson .root.Values) | ternary "yes" "" }}
{{- end -}}

{{- define "airflow.keys.missing" -}}
{{- $word := .word | lower | replace "-" "" | replace "_" "" -}}
{{- $other := .other | lower | replace "_" "" -}}
{{- $short := min (len $word) (len $other) | int -}}
{{- $head := 0 }}{{ $tail := 0 }}
{{- range $index := until $short }}
{{- $next := add1 $index | int }}
{{- if and (eq $head $index) (eq (substr $index $next $word) (substr $index $next $other)) }}{{ $head = $next }}{{ end }}
{{- if and (eq $tail $index) (eq (substr (int (sub (len $word) $next)) (int (sub (len $word) $index)) $word) (substr (int (sub (len $other) $next)) (int (sub (len $other) $index)) $other)) }}
{{- $tail = $next }}
{{- end }}
{{- end }}
{{- $missing := sub (max (len $word) (len $other)) (min $short (add $head $tail)) }}
{{- /* Letters that are left out in two places. */}}
{{- if and (gt $missing 2) (lt (len $word) (len $other)) (regexMatch (printf "^%s$" (splitList "" $word | join ".?" | replace "..?" ".?")) $other) }}
{{- $missing = sub (len $other) (len $word) }}
{{- end }}
{{- $missing }}
{{- end -}}

{{- define "airflow.keys.closest" -}}
{{- $best := 3 }}{{ $closest := "" }}
{{- range .known }}
{{- $missing := include "airflow.keys.missing" (dict "word" $.word "other" .) | int }}
{{- if and (lt $missing $best) (le $missing (lt (len .) 6 | ternary 1 2)) }}{{ $best = $missing }}{{ $closest = . }}{{ end }}
{{- end }}
{{- $closest }}
{{- end -}}

{{- /* Sections of one's own are taken, so this is a note. */}}
{{- define "airflow.keys.sections" -}}
{{- $known := (.Files.Get "files/keys.yaml" | fromYaml).sections -}}
{{- range $section, $_ := .Values.config }}
{{- if not (has $section $known) }}
{{- with include "airflow.keys.closest" (dict "word" $section "known" $known) }}
config.{{ $section }}: Airflow has no section of that name and ignores it; did you mean `{{ . }}`?
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.keys.misspelt" -}}
{{- $closest := include "airflow.keys.closest" (dict "word" .key "known" (.root.Files.Get "files/keys.yaml" | fromYaml).known) }}
{{- if has .key (list "airflow" "spark" "sparkOperator") -}}
{{ .key }}: this key is of the chart that holds this one; install charts/airspark, or leave out this level
{{- else if and $closest (not (include "airflow.keys.read" .)) -}}
{{ .key }}: it is not a value of this chart; did you mean `{{ $closest }}`? A key of your own begins with `x-`, or a template of the values reads it
{{- end }}
{{- end -}}

{{- define "airflow.keys.off" -}}
{{- $said := list }}
{{- range $path, $default := (.Files.Get "files/keys.yaml" | fromYaml).off }}
{{- $part := $.Values }}
{{- range splitList "." $path }}{{ $part = get $part . | default dict }}{{ end }}
{{- if not $part.enabled }}
{{- $given := list }}
{{- range $key, $value := omit $part "enabled" }}
{{- if and $value (ne (toJson $value) (get $default $key | toJson)) }}{{ $given = append $given (printf "%s.%s" $path $key) }}{{ end }}
{{- end }}
{{- with $given }}{{ $said = append $said (printf "%s: it is off here, and on in the official chart; to have it, set `%s.enabled`" (join ", " .) $path) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $said }}
{{- end -}}

{{- define "airflow.keys.ignored" -}}
{{- $said := concat (include "airflow.keys.given" (dict "root" . "file" "files/ignored-keys.yaml") | fromJsonArray) (include "airflow.keys.off" . | fromJsonArray) }}
{{- $unread := list }}
{{- range include "airflow.keys.unknown" . | fromJsonArray }}
{{- if not (include "airflow.keys.read" (dict "root" $ "key" .)) }}{{ $unread = append $unread . }}{{ end }}
{{- end }}
{{- if and (default dict .Values.ingress.statsd).enabled (not .Values.statsd.enabled) }}
{{- $said = append $said "ingress.statsd: there is no statsd exporter that it could lead to; set `statsd.enabled`" }}
{{- end }}
{{- if and (default dict .Values.ingress.pgbouncer).enabled (not (include "airflow.pgbouncer.exports" .)) }}
{{- $said = append $said "ingress.pgbouncer: it leads to the exporter of PgBouncer's metrics, which is off; set `pgbouncer.enabled` and `images.pgbouncerExporter`" }}
{{- end }}
{{- with $unread }}{{ $said = append $said (printf "%s: neither this chart nor a template of the values reads it" (join ", " .)) }}{{ end }}
{{- toJson $said }}
{{- end -}}
