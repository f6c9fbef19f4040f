{{/*
How the API server is reached, and how users log in, by settings in effect (_settings.tpl).

  airflow.api.baseUrl        config.api.base_url, or nothing                   access, notes
  airflow.api.basePath       path part of config.api.base_url, or nothing      probes, config, ingress
  airflow.authManager        class of the auth manager that `auth.manager` asks for    config, auth
  airflow.auth               how users log in: simple, fab, oidc or, for any other class, other    every template
  airflow.auth.users         whether users are in the metadata database               bootstrap, notes, tests
  airflow.api.scheme         http, or https where the API server has a certificate     probes, config, tests
*/}}

{{- define "airflow.api.baseUrl" -}}
{{- include "airflow.setting.value" (dict "root" . "section" "api" "key" "base_url") -}}
{{- end -}}

{{- define "airflow.api.scheme" -}}
{{- $setting := include "airflow.setting" (dict "root" . "section" "api" "key" "ssl_cert") | fromJson -}}
{{- or $setting.value $setting.hidden | empty | ternary "http" "https" -}}
{{- end -}}

{{- define "airflow.api.basePath" -}}
{{- $url := include "airflow.api.baseUrl" . -}}
{{- if $url }}{{ (urlParse $url).path | trimSuffix "/" }}{{ end -}}
{{- end -}}

{{- define "airflow.authManager" -}}
{{- if eq .Values.auth.manager "simple" -}}
airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager
{{- else -}}
airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
{{- end -}}
{{- end -}}

{{- define "airflow.auth" -}}
{{- $class := include "airflow.setting.value" (dict "root" . "section" "core" "key" "auth_manager" "default" (include "airflow.authManager" .)) -}}
{{- if hasSuffix ".SimpleAuthManager" $class -}}
simple
{{- else if hasSuffix ".FabAuthManager" $class -}}
{{- eq .Values.auth.manager "oidc" | ternary "oidc" "fab" -}}
{{- else -}}
other
{{- end -}}
{{- end -}}

{{- /* The FAB auth manager alone keeps users in the metadata database. */}}
{{- define "airflow.auth.users" -}}
{{- if has (include "airflow.auth" .) (list "fab" "oidc") }}yes{{ end -}}
{{- end -}}
