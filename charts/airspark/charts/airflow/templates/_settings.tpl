{{/*
Settings of Airflow in effect, whichever way they are given: a variable AIRFLOW__SECTION__KEY goes before `config`, and
`config` before what the chart derives from its own keys. What a Secret or a command holds cannot be read here.

  airflow.settings.given    variables that values give by name, as JSON {name: {value, where, hidden}}   setting
  airflow.settings.parsed   a YAML text of values (template) as a JSON list                               given
  airflow.setting           one setting as JSON {value, where, hidden}; `default` is what holds where nobody gives it
                            (dict root, section, key, default, given)                                     the helper below, checks
  airflow.setting.value     its text, empty where it is not known                 network policies, config, notes, checks
  airflow.setting.on        whether it is true, as Airflow reads it, or hidden    (as airflow.setting)    network policies, logs
  airflow.provider          package of a class of a provider, or nothing          bootstrap
*/}}

{{- define "airflow.settings.parsed" -}}
{{- $text := contains "{{" .text | ternary (tpl .text .root) .text -}}
{{- $items := list -}}
{{- range fromYamlArray $text }}
{{- if kindIs "map" . }}{{ $items = append $items . }}{{ end }}
{{- end }}
{{- toJson $items -}}
{{- end -}}

{{- define "airflow.settings.given" -}}
{{- $given := dict -}}
{{- $all := .Values -}}
{{- $components := dict "apiServer.env" $all.apiServer.env "bootstrap.env" $all.bootstrap.env "dagProcessor.env" $all.dagProcessor.env
      "scheduler.env" $all.scheduler.env "triggerer.env" $all.triggerer.env "workers.env" $all.workers.env
      "workers.kubernetes.env" $all.workers.kubernetes.env }}
{{- if $all.extraEnvFrom }}
{{- range include "airflow.settings.parsed" (dict "root" . "text" $all.extraEnvFrom) | fromJsonArray }}
{{- $map := get $all.extraConfigMaps (dig "name" "" (default dict .configMapRef)) | default dict }}
{{- range $name, $value := kindIs "string" $map.data | ternary (fromYaml (tpl (toString (default "" $map.data)) $)) $map.data }}
{{- $_ := set $given $name (dict "value" (include "common.text" $value) "where" "extraEnvFrom") }}
{{- end }}
{{- $secret := get $all.extraSecrets (dig "name" "" (default dict .secretRef)) | default dict }}
{{- range list $secret.data $secret.stringData }}
{{- range $name, $_ := kindIs "string" . | ternary (fromYaml (tpl (toString (default "" .)) $)) . }}
{{- $_ := set $given $name (dict "value" "" "where" "extraEnvFrom" "hidden" true) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $lists := list (dict "where" "env" "items" $all.env) }}
{{- with $all.extraEnv }}
{{- $lists = append $lists (dict "where" "extraEnv" "items" (include "airflow.settings.parsed" (dict "root" $ "text" .) | fromJsonArray)) }}
{{- end }}
{{- range $where, $items := $components }}
{{- if $items }}{{ $lists = append $lists (dict "where" $where "items" $items) }}{{ end }}
{{- end }}
{{- range $list := $lists }}
{{- range $list.items }}
{{- $hidden := and (hasKey . "valueFrom") (not (empty .valueFrom)) }}
{{- $_ := set $given (toString .name) (dict "value" (include "common.text" (default "" .value)) "where" $list.where "hidden" $hidden) }}
{{- end }}
{{- end }}
{{- range $all.secret }}
{{- $_ := set $given .envName (dict "value" "" "where" "secret" "hidden" true) }}
{{- end }}
{{- toJson $given -}}
{{- end -}}

{{- define "airflow.setting" -}}
{{- $given := .given -}}
{{- if not (hasKey . "given") }}{{ $given = include "airflow.settings.given" .root | fromJson }}{{ end }}
{{- $config := get .root.Values.config .section | default dict -}}
{{- $found := dict "value" (default "" .default | include "common.text") "where" "" "hidden" false -}}
{{- range $suffix := list "_secret" "_cmd" "" }}
{{- $text := get $config (print $.key $suffix) }}
{{- if not (or (kindIs "invalid" $text) (and (kindIs "string" $text) (empty $text) (not (hasKey $config (print $.key $suffix))))) }}
{{- $text = include "common.text" $text }}
{{- $text = contains "{{" $text | ternary (tpl $text $.root) $text }}
{{- $found = dict "value" (empty $suffix | ternary $text "") "where" (printf "config.%s.%s" $.section $.key) "hidden" (not (empty $suffix)) }}
{{- end }}
{{- end }}
{{- if $given }}
{{- $name := printf "AIRFLOW__%s__%s" (upper .section | replace "." "_") (upper .key) -}}
{{- range $suffix := list "_SECRET" "_CMD" "" }}
{{- with get $given (print $name $suffix) }}
{{- $hidden := or .hidden (not (empty $suffix)) | default false }}
{{- $found = dict "value" ($hidden | ternary "" .value) "where" (printf "%s of `%s`" (print $name $suffix) .where) "hidden" $hidden }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{- define "airflow.setting.value" -}}
{{- (include "airflow.setting" . | fromJson).value -}}
{{- end -}}

{{- define "airflow.setting.on" -}}
{{- $setting := include "airflow.setting" . | fromJson -}}
{{- if or $setting.hidden (has (lower $setting.value | trim) (list "true" "t" "1")) }}yes{{ end -}}
{{- end -}}

{{- /* Packages of some vendors have a name of two parts. */}}
{{- define "airflow.provider" -}}
{{- $vendors := "apache|atlassian|cncf|common|dbt|ibm|microsoft" -}}
{{- $path := regexFind (printf "^airflow\\.providers\\.((%s)\\.)?[a-z0-9_]+" $vendors) . | trimPrefix "airflow.providers." -}}
{{- with $path }}apache-airflow-providers-{{ replace "." "-" . | replace "_" "-" }}{{ end -}}
{{- end -}}
