{{/*
Paths to what Airflow reaches outside the release because a setting says so, whichever way it is given (_settings.tpl).

  airflow.network.settings       the paths                                                        paths
  airflow.network.urlPort        port of the first URL in a text, else a default  (dict text, default)     settings
  airflow.network.otelPorts      ports of collectors that settings and variables name, as JSON    settings  (dict root, given)
*/}}

{{- define "airflow.network.urlPort" -}}
{{- $url := regexFind "[a-z0-9+]+://[^\"'\\s]+" (toString .text) -}}
{{- $port := regexFind "^[a-z0-9+]+://[^/?]*:[0-9]+" $url | regexFind "[0-9]+$" -}}
{{- coalesce $port (get (dict "http" 80 "https" 443) (splitList "://" $url | first)) .default -}}
{{- end -}}

{{- define "airflow.network.otelPorts" -}}
{{- $ports := list -}}
{{- $query := dict "root" .root "given" .given -}}
{{- range $section := list "metrics" "traces" }}
{{- if include "airflow.setting.on" (merge (dict "section" $section "key" "otel_on") $query) }}
{{- if (include "airflow.setting" (merge (dict "section" $section "key" "otel_host") $query) | fromJson).where }}
{{- $ports = append $ports (include "airflow.setting.value" (merge (dict "section" $section "key" "otel_port" "default" "8889") $query)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $variable := .given }}
{{- if regexMatch "^OTEL_EXPORTER_OTLP_([A-Z]+_)?ENDPOINT$" $name }}
{{- $ports = concat $ports ($variable.hidden | ternary (list "4317" "4318") (list (include "airflow.network.urlPort" (dict "text" $variable.value "default" "4318")))) }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "airflow.network.settings" -}}
{{- $given := include "airflow.settings.given" . | fromJson -}}
{{- /* Most values say nothing of it, and this is asked for every policy. */}}
{{- $said := or $given (eq (include "airflow.auth" .) "other") | empty | ternary false true }}
{{- range list "database" "metrics" "openlineage" "secrets" "sentry" "smtp" "traces" }}
{{- if hasKey $.Values.config . }}{{ $said = true }}{{ end }}
{{- end }}
{{- if $said }}
{{- $running := list "api-server" "scheduler" "dag-processor" "triggerer" -}}
{{- $senders := concat $running (list "worker" "bootstrap" "cleanup" "database-cleanup") -}}
{{- $query := dict "root" . "given" $given -}}
{{- $database := include "airflow.setting" (merge (dict "section" "database" "key" "sql_alchemy_conn") $query) | fromJson }}
{{- if $database.where }}
{{- $ports := .Values.networkPolicies.database.ports | default (list (include "airflow.network.urlPort" (dict "text" $database.value "default" 5432))) }}
- {from: {{ concat $running (list "bootstrap" "database-cleanup" "helm-test" "pgbouncer" "backup") | toJson }}, to: database of {{ first (splitList " " $database.where) }}, peers: {{ include "airflow.network.blocks" .Values.networkPolicies.database.cidrs }}, ports: {{ toJson $ports }}}
{{- end }}
{{- if include "airflow.setting.on" (merge (dict "section" "metrics" "key" "statsd_on") $query) }}
{{- if (include "airflow.setting" (merge (dict "section" "metrics" "key" "statsd_host") $query) | fromJson).where }}
- {from: {{ toJson $senders }}, to: statsd server, peers: [], ports: [{{ include "airflow.setting.value" (merge (dict "section" "metrics" "key" "statsd_port" "default" (.Values.statsd.enabled | ternary .Values.ports.statsdIngest 8125)) $query) }}], protocols: [UDP]}
{{- end }}
{{- end }}
{{- with include "airflow.network.otelPorts" $query | fromJsonArray | uniq }}
- {from: {{ toJson $senders }}, to: OTLP collector of settings, peers: [], ports: {{ toJson . }}}
{{- end }}
{{- if eq (include "airflow.auth" .) "other" }}
{{- $server := include "airflow.setting.value" (merge (dict "section" "keycloak_auth_manager" "key" "server_url") $query) }}
- {from: [api-server], to: auth manager, peers: [], ports: [{{ include "airflow.network.urlPort" (dict "text" $server "default" 443) }}]}
{{- end }}
{{- $backend := include "airflow.setting" (merge (dict "section" "secrets" "key" "backend") $query) | fromJson }}
{{- if or $backend.value $backend.hidden }}
{{- $kwargs := include "airflow.setting.value" (merge (dict "section" "secrets" "key" "backend_kwargs") $query) }}
- {from: {{ append $running "bootstrap" | toJson }}, to: secrets backend, peers: [], ports: [{{ include "airflow.network.urlPort" (dict "text" $kwargs "default" 443) }}]}
{{- end }}
{{- if (include "airflow.setting" (merge (dict "section" "smtp" "key" "smtp_host") $query) | fromJson).where }}
- {from: {{ without $running "api-server" | toJson }}, to: mail server, peers: [], ports: [{{ include "airflow.setting.value" (merge (dict "section" "smtp" "key" "smtp_port" "default" 25) $query) }}]}
{{- end }}
{{- range $to, $where := dict "lineage server" (list "openlineage" "transport") "Sentry" (list "sentry" "sentry_dsn") }}
{{- $setting := include "airflow.setting" (merge (dict "section" (first $where) "key" (last $where)) $query) | fromJson }}
{{- if or $setting.value $setting.hidden }}
- {from: {{ toJson $running }}, to: {{ $to }}, peers: [], ports: [{{ include "airflow.network.urlPort" (dict "text" $setting.value "default" 443) }}]}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
