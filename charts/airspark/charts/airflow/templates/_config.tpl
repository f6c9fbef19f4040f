{{/*
Configuration.

  airflow.api.basePath       path part of config.api.base_url, or nothing      probes, config
  airflow.config.cfg         the text of airflow.cfg                           config, bootstrap
  airflow.config.checksum    changes when a mounted configuration file does    workloads
  airflow.sparkDefaults      the text of spark-defaults.conf                   spark-client
*/}}

{{- define "airflow.api.basePath" -}}
{{- $url := tpl (toString (dig "api" "base_url" "" .Values.config)) . -}}
{{- if $url }}{{ (urlParse $url).path | trimSuffix "/" }}{{ end -}}
{{- end -}}

{{- define "airflow.config.cfg" -}}
{{- $computed := dict "core" (dict "execution_api_server_url"
      (printf "http://%s-api-server.%s.svc:%v%s/execution/"
        (include "airflow.fullname" .) .Release.Namespace .Values.ports.apiServer (include "airflow.api.basePath" .))) -}}
{{- $config := merge (dict) .Values.config $computed -}}
{{- range $section := keys $config | sortAlpha }}
[{{ $section }}]
{{- range $key := keys (get $config $section) | sortAlpha }}
{{- $value := get (get $config $section) $key }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = {{ tpl (toString $value) $ }}
{{- end }}
{{- end }}
{{ end }}
{{- end -}}

{{- define "airflow.config.checksum" -}}
{{- include (print $.Template.BasePath "/config/configmap.yaml") . | sha256sum -}}
{{- end -}}

{{- define "airflow.sparkDefaults" -}}
{{- $ports := .Values.sparkClient.ports -}}
{{- $conf := merge (dict) .Values.sparkClient.conf (dict
  "spark.driver.bindAddress" "0.0.0.0"
  "spark.driver.port" $ports.driver
  "spark.blockManager.port" $ports.blockManager
  "spark.ui.port" $ports.ui
  "spark.port.maxRetries" 16) -}}
{{- range $key := keys $conf | sortAlpha }}
{{ $key }} {{ tpl (toString (get $conf $key)) $ }}
{{- end }}
{{- end -}}
