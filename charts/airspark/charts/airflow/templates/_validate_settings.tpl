{{/*
Checks of settings that are given by `config` or by variables, as in _validate.tpl: a line is a sentence.

  airflow.validate.settings   settings that overrule a key of the chart, or that the chart overrules   validate
  airflow.settings.executorNamed   whether _validate_names.tpl speaks of the executor   (dict root, where)   the check above
  airflow.settings.own        settings that follow from keys of the chart, as JSON                     the check above
  airflow.validate.services   ports of the API server's Service                                        validate
  airflow.validate.template   the text of `podTemplate`                                                validate
*/}}

{{- define "airflow.validate.settings" -}}
{{- $all := .Values -}}
{{- $query := dict "root" . "given" (include "airflow.settings.given" . | fromJson) -}}
{{- $home := get $query.given "AIRFLOW_HOME" | default (dict "value" $all.airflowHome) }}
{{- if ne $home.value $all.airflowHome }}
{{ $home.where }}: AIRFLOW_HOME is {{ $home.value | quote }}, and airflow.cfg is mounted where `airflowHome` says, {{ $all.airflowHome }}; set `airflowHome` in its place
{{- end }}
{{- $own := include "airflow.settings.own" . | fromJson }}
{{- range $name, $rule := $own }}
{{- $parts := splitList "." $name }}
{{- $setting := include "airflow.setting" (merge (dict "section" (first $parts) "key" (last $parts)) $query) | fromJson }}
{{- $named := and (eq $name "core.executor") (include "airflow.settings.executorNamed" (dict "root" $ "where" $setting.where)) }}
{{- if and $setting.where (not $setting.hidden) (not $named) (ne $setting.value $rule.value) }}
{{ $setting.where }}: it is {{ $setting.value | trunc 60 | quote }}, and the chart's own key says {{ $rule.value | trunc 60 | quote }}; set `{{ $rule.key }}` in its place{{ default "" $rule.more }}
{{- end }}
{{- end }}
{{- $secrets := dict
  "database.sql_alchemy_conn" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" "data.metadataSecretName")
  "core.fernet_key" (list "AIRFLOW__CORE__FERNET_KEY" "fernetKeySecretName")
  "api.secret_key" (list "AIRFLOW__API__SECRET_KEY" "apiSecretKeySecretName")
  "api_auth.jwt_secret" (list "AIRFLOW__API_AUTH__JWT_SECRET" "jwtSecretName") }}
{{- range $name, $secret := $secrets }}
{{- $parts := splitList "." $name }}
{{- $config := get $all.config (first $parts) | default dict }}
{{- range $suffix := list "" "_cmd" "_secret" }}
{{- if and (get $config (print (last $parts) $suffix)) (get $all.enableBuiltInSecretEnvVars (first $secret)) }}
config.{{ $name }}{{ $suffix }}: the variable {{ first $secret }}, which the chart takes from a Secret, goes before it; name a Secret in `{{ last $secret }}`, or switch `enableBuiltInSecretEnvVars.{{ first $secret }}` off
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Whether the check of names has a sentence for the executor, or lets it be: task pods may have any. */}}
{{- define "airflow.settings.executorNamed" -}}
{{- $line := dig "core" "executor" "" .root.Values.config | toString -}}
{{- if or (regexMatch "`(.+[.])?(env|extraEnv|secret)`$" .where) (and (hasPrefix "config." .where) (not (contains "{{" $line))) }}yes{{ end -}}
{{- end -}}

{{- /* Settings that follow from keys of the chart, which pods, Services and policies follow too. */}}
{{- define "airflow.settings.own" -}}
{{- $all := .Values -}}
{{- $rules := dict
  "core.executor" (dict "value" $all.executor "key" "executor")
  "api.port" (dict "value" (toString $all.ports.apiServer) "key" "ports.apiServer")
  "logging.trigger_log_server_port" (dict "value" (toString $all.ports.triggererLogs) "key" "ports.triggererLogs") -}}
{{- if $all.logs.remote.enabled }}
{{- $_ := set $rules "logging.remote_base_log_folder" (dict "value" $all.logs.remote.folder "key" "logs.remote.folder") }}
{{- end }}
{{- if or $all.logs.remote.enabled $all.elasticsearch.enabled $all.opensearch.enabled }}
{{- $_ := set $rules "logging.remote_logging" (dict "value" "True" "key" (ternary "logs.remote.enabled" "elasticsearch.enabled, opensearch.enabled" $all.logs.remote.enabled)) }}
{{- end }}
{{- if $all.dags.gitSync.enabled }}
{{- $_ := set $rules "dag_processor.dag_bundle_config_list" (dict "value" (include "airflow.bundles" .) "key" "dags.gitSync" "more" ", or switch `dags.gitSync.enabled` off") }}
{{- end }}
{{- if ne $all.auth.manager "fab" }}
{{- $_ := set $rules "core.auth_manager" (dict "value" (include "airflow.authManager" .) "key" "auth.manager") }}
{{- end }}
{{- toJson $rules -}}
{{- end -}}

{{- define "airflow.validate.services" -}}
{{- $ports := (include "airflow.apiServer.servicePorts" . | fromJson).ports -}}
{{- $found := list -}}
{{- $names := list }}{{ $numbers := list }}
{{- range $index, $port := $ports }}
{{- $where := printf "apiServer.service.ports[%d]" $index }}
{{- $name := toString (default "" $port.name) }}
{{- $number := printf "%v %s" $port.port (default "TCP" $port.protocol) }}
{{- if and $name (not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" $name)) }}
{{ $where }}.name: {{ $name | quote }} is not a name of a port; use lower-case letters, digits and dashes
{{- else if and (not $name) (gt (len $ports) 1) }}
{{ $where }}.name: missing, and a Service with several ports needs a name for each; write one
{{- else if has $name $names }}
{{ $where }}.name: {{ $name }} is the name of another port of the list; rename one of them
{{- end }}
{{- if has $number $numbers }}
{{ $where }}.port: {{ $number }} is the number of another port of the list; choose another
{{- else if and (regexMatch "^[0-9]+$" (toString $port.port)) (or (lt (int64 $port.port) 1) (gt (int64 $port.port) 65535)) }}
{{ $where }}.port: {{ $port.port }} is not a port; write a number from 1 to 65535
{{- end }}
{{- $names = append $names $name }}{{ $numbers = append $numbers $number }}
{{- if not (regexMatch "^[0-9]+$" (toString $port.port)) }}
apiServer.service.ports[{{ $index }}].port: {{ $port.port | quote }} is not a number; a name belongs into `targetPort`
{{- end }}
{{- if has (toString (default $port.port $port.targetPort)) (list "api-server" (toString $.Values.ports.apiServer)) }}{{ $found = append $found $index }}{{ end }}
{{- end }}
{{- if not $found }}
apiServer.service.ports: no port leads to the API server, which listens on {{ .Values.ports.apiServer }}: a port without `targetPort` leads to its own number; write `targetPort: api-server`
{{- end }}
{{- end -}}

{{- define "airflow.validate.template" -}}
{{- with .Values.podTemplate }}
{{- $pod := tpl . $ | fromYaml }}
{{- $first := first (default (list dict) (default dict $pod.spec).containers) }}
{{- if $pod.Error }}
podTemplate: it is not YAML ({{ $pod.Error | toString | replace "\n" " " | trunc 120 }}); write a Pod
{{- else if ne (toString $pod.kind) "Pod" }}
podTemplate: it is not a Pod but {{ $pod.kind | default "an object without a kind" }}; write a Pod
{{- else if ne (toString $first.name) "base" }}
podTemplate: its first container is named {{ $first.name | default "nothing" }}, and the executor looks for `base`; rename it
{{- end }}
{{- end }}
{{- end -}}
