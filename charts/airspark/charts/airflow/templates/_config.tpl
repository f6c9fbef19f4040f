{{/*
Configuration.

  airflow.api.basePath       path part of config.api.base_url, or nothing      probes, config, ingress
  airflow.authManager        class of the auth manager                         config
  airflow.seconds            seconds of a text such as 60s                     bundles
  airflow.bundles            DAG bundles, as JSON                              config
  airflow.bundles.connections  connections of `connections` that bundles use   DAG processor
  airflow.config.computed    what follows from other values, as JSON           config.cfg
  airflow.config.cfg         the text of airflow.cfg                           config, bootstrap
  airflow.webserverConfig    the text of webserver_config.py                   config, bootstrap
  airflow.config.checksum    changes when a mounted configuration file does    workloads
  airflow.sparkDefaults      the text of spark-defaults.conf                   spark-client
*/}}

{{- define "airflow.api.basePath" -}}
{{- $url := tpl (toString (dig "api" "base_url" "" .Values.config)) . -}}
{{- if $url }}{{ (urlParse $url).path | trimSuffix "/" }}{{ end -}}
{{- end -}}

{{- define "airflow.authManager" -}}
{{- if eq .Values.auth.manager "simple" -}}
airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager
{{- else -}}
airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
{{- end -}}
{{- end -}}

{{- /* A number with s, m or h, or seconds without. */}}
{{- define "airflow.seconds" -}}
{{- mul (regexFind "^[0-9]+" .) (get (dict "m" 60 "h" 3600) (regexFind "[smh]?$" .) | default 1) -}}
{{- end -}}

{{- define "airflow.bundles" -}}
{{- $git := .Values.dags.gitSync -}}
{{- if $git.enabled -}}
{{- $kwargs := dict "git_conn_id" "git_dags" "tracking_ref" (coalesce $git.ref $git.rev $git.branch)
      "refresh_interval" (include "airflow.seconds" $git.period | int) -}}
{{- with $git.subPath }}{{ $_ := set $kwargs "subdir" . }}{{ end -}}
{{- toJson (list (dict "name" "git" "classpath" "airflow.providers.git.bundles.git.GitDagBundle" "kwargs" $kwargs)) -}}
{{- else -}}
{{- tpl (toJson .Values.dagProcessor.dagBundleConfigList) . -}}
{{- end -}}
{{- end -}}

{{- define "airflow.bundles.connections" -}}
{{- $known := keys .Values.connections | concat (.Values.dags.gitSync.enabled | ternary (list "git_dags") list) -}}
{{- $used := list -}}
{{- range include "airflow.bundles" . | fromJsonArray }}
{{- range $key, $value := .kwargs }}
{{- if and (hasSuffix "conn_id" $key) (has $value $known) }}{{ $used = append $used $value }}{{ end }}
{{- end }}
{{- end }}
{{- $used | uniq | sortAlpha | join " " -}}
{{- end -}}

{{- define "airflow.config.logging" -}}
{{- $remote := .Values.logs.remote -}}
{{- $search := or .Values.elasticsearch.enabled .Values.opensearch.enabled -}}
{{- $logging := dict "remote_logging" (or $remote.enabled $search | ternary "True" "False") -}}
{{- $config := dict "logging" $logging -}}
{{- if $remote.enabled }}
{{- $_ := set $logging "remote_base_log_folder" $remote.folder }}
{{- $_ := set $logging "delete_local_logs" ($remote.deleteLocalCopies | ternary "True" "False") }}
{{- with $remote.connectionId }}{{ $_ := set $logging "remote_log_conn_id" . }}{{ end }}
{{- if eq $remote.provider "azure" }}
{{- $_ := set $config "azure_remote_logging" (dict "remote_wasb_log_container" $remote.container) }}
{{- end }}
{{- end }}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $index := get $.Values $name }}
{{- if $index.enabled }}
{{- $section := dict "json_format" "True" "write_stdout" "True" }}
{{- with $index.connection.host }}
{{- $address := $index.connection }}
{{- $_ := set $section "host" (printf "%s://%s%s:%v" (default "http" $address.scheme) (empty $address.user | ternary "" (printf "%s@" $address.user)) . (default 9200 $address.port)) }}
{{- end }}
{{- $_ := set $config $name $section }}
{{- end }}
{{- end }}
{{- toJson $config -}}
{{- end -}}

{{- define "airflow.config.computed" -}}
{{- $core := dict "auth_manager" (include "airflow.authManager" .) "execution_api_server_url"
      (printf "http://%s-api-server.%s.svc:%v%s/execution/"
        (include "airflow.fullname" .) .Release.Namespace (include "airflow.apiServer.port" . | int) (include "airflow.api.basePath" .)) -}}
{{- $config := include "airflow.config.logging" . | fromJson -}}
{{- $_ := set $config "core" $core -}}
{{- $_ := set $config "dag_processor" (dict "dag_bundle_config_list" (include "airflow.bundles" .)) -}}
{{- if eq .Values.auth.manager "simple" }}
{{- $_ := set $core "simple_auth_manager_all_admins" "True" }}
{{- else }}
{{- $_ := set $config "database" (dict "external_db_managers" "airflow.providers.fab.auth_manager.models.db.FABDBManager") }}
{{- end }}
{{- if hasPrefix "https:" (tpl (toString (dig "api" "base_url" "" .Values.config)) .) }}
{{- $_ := set $config "fab" (dict "cookie_secure" "True") }}
{{- end }}
{{- if eq .Values.auth.manager "oidc" }}
{{- /* webserver_config.py reads it */}}
{{- $_ := set $config "airspark_oidc" (dict "settings" (.Values.auth.oidc | toJson | replace "%" "%%")) }}
{{- end }}
{{- if .Values.jwtKeyPair.enabled }}
{{- $_ := set $config "api_auth" (dict "jwt_private_key_path" "/etc/airspark/jwt/private-key.pem" "trusted_jwks_url" "/etc/airspark/jwt/jwks.json") }}
{{- end }}
{{- with include "airflow.config.metrics" . | fromJson }}
{{- $config = merge $config . }}
{{- end }}
{{- toJson $config -}}
{{- end -}}

{{- define "airflow.config.cfg" -}}
{{- $config := merge (dict) .Values.config (include "airflow.config.computed" . | fromJson) -}}
{{- range $section := keys $config | sortAlpha }}
[{{ $section }}]
{{- range $key := keys (get $config $section) | sortAlpha }}
{{- $value := get (get $config $section) $key }}
{{- if not (kindIs "invalid" $value) }}
{{- /* tpl copies all templates each time, which 50 plain values in eight places need not pay for. */}}
{{ $key }} = {{ if contains "{{" (toString $value) }}{{ tpl (toString $value) $ }}{{ else }}{{ $value }}{{ end }}
{{- end }}
{{- end }}
{{ end }}
{{- end -}}

{{- define "airflow.webserverConfig" -}}
{{- if .Values.apiServer.apiServerConfig -}}
{{- tpl .Values.apiServer.apiServerConfig . -}}
{{- else if eq .Values.auth.manager "oidc" -}}
{{- .Files.Get "files/webserver_config_oidc.py" -}}
{{- else -}}
{{- .Files.Get "files/webserver_config.py" -}}
{{- end -}}
{{- end -}}

{{- define "airflow.config.checksum" -}}
{{- join "\n" (list (include "airflow.config.cfg" .) (include "airflow.webserverConfig" .) (tpl .Values.airflowLocalSettings .) (.Files.Get "files/scripts/airspark_executor.py")) | sha256sum -}}
{{- end -}}

{{- define "airflow.sparkDefaults" -}}
{{- $ports := .Values.sparkClient.ports -}}
{{- /* The class path's first jar gives the others an order, by which the JVM uses the image's archive of classes. */}}
{{- $conf := dict
  "spark.driver.extraClassPath" "/opt/spark/spark.jar"
  "spark.executor.extraClassPath" "/opt/spark/spark.jar"
  "spark.decommission.enabled" true
  "spark.storage.decommission.enabled" true
  "spark.storage.decommission.rddBlocks.enabled" true
  "spark.storage.decommission.replicationReattemptInterval" "5s"
  "spark.storage.decommission.shuffleBlocks.enabled" true
  "spark.driver.bindAddress" "0.0.0.0"
  "spark.driver.port" $ports.driver
  "spark.blockManager.port" $ports.blockManager
  "spark.ui.killEnabled" false
  "spark.ui.port" $ports.ui
  "spark.ui.reverseProxy" true
  "spark.port.maxRetries" 16
  "spark.metrics.conf.driver.sink.prometheusServlet.class" "org.apache.spark.metrics.sink.PrometheusServlet"
  "spark.metrics.conf.driver.sink.prometheusServlet.path" "/metrics/prometheus"
  "spark.metrics.namespace" "spark" -}}
{{- /* A driver wants the key to be there and then reads the variable, so what stands here is no secret. */}}
{{- if include "airflow.sparkSecret" . }}
{{- $conf = merge $conf (dict
  "spark.authenticate" true
  "spark.authenticate.secret" "${env:_SPARK_AUTH_SECRET}"
  "spark.io.encryption.enabled" true
  "spark.network.crypto.cipher" "AES/GCM/NoPadding"
  "spark.network.crypto.enabled" true
  "spark.network.crypto.saslFallback" false) }}
{{- end }}
{{- if include "airflow.mountClaim" (dict "root" . "name" "events") }}
{{- $conf = merge $conf (dict
  "spark.eventLog.enabled" true
  "spark.eventLog.dir" (printf "file:%s" .Values.mounts.events.mountPath)
  "spark.eventLog.compress" true
  "spark.eventLog.rolling.enabled" true) }}
{{- end }}
{{- with .Values.sparkClient.dynamicAllocation }}
{{- if .enabled }}
{{- $service := eq .shuffle "service" }}
{{- $conf = merge $conf (dict
  "spark.dynamicAllocation.enabled" true
  "spark.dynamicAllocation.shuffleTracking.enabled" (not $service)
  "spark.shuffle.service.enabled" $service) }}
{{- end }}
{{- end }}
{{- $conf = mergeOverwrite $conf .Values.sparkClient.conf }}
{{- range $key := keys $conf | sortAlpha }}
{{ $key }} {{ tpl (toString (get $conf $key)) $ }}
{{- end }}
{{- end -}}
