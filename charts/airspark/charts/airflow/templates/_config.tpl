{{/*
Configuration.

  airflow.config.computed    what follows from other values, as JSON           config.cfg
  airflow.config.cfg         the text of airflow.cfg                           config, bootstrap
  airflow.webserverConfig    the text of webserver_config.py                   config, bootstrap
  airflow.config.checksum    changes when a mounted configuration file does    workloads
  airflow.sparkDefaults      the text of spark-defaults.conf                   spark-client
*/}}

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
      (printf "%s://%s-api-server.%s.svc:%v%s/execution/" (include "airflow.api.scheme" .)
        (include "airflow.fullname" .) .Release.Namespace (include "airflow.apiServer.port" . | int) (include "airflow.api.basePath" .)) -}}
{{- with include "airflow.timeZone" . }}{{ $_ := set $core "default_timezone" . }}{{ end -}}
{{- $config := include "airflow.config.logging" . | fromJson -}}
{{- $_ := set $config "core" $core -}}
{{- $_ := set $config "api" (dict "port" (toString .Values.ports.apiServer) "workers" "1") -}}
{{- $_ := set $config "dag_processor" (dict "dag_bundle_config_list" (include "airflow.bundles" .)) -}}
{{- $auth := include "airflow.auth" . }}
{{- if eq $auth "simple" }}
{{- $_ := set $core "simple_auth_manager_all_admins" "True" }}
{{- else if ne $auth "other" }}
{{- $_ := set $config "database" (dict "external_db_managers" "airflow.providers.fab.auth_manager.models.db.FABDBManager") }}
{{- end }}
{{- if hasPrefix "https:" (include "airflow.api.baseUrl" .) }}
{{- $_ := set $config "fab" (dict "cookie_secure" "True") }}
{{- end }}
{{- if eq $auth "oidc" }}
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
{{- /* merge writes into maps that it copies, and checks read what values say. Sections that only Celery and the Kerberos sidecar
       read: their templates in the official values read parts that are not here. */}}
{{- $config := merge (omit (deepCopy .Values.config) "celery" "celery_kubernetes_executor") (include "airflow.config.computed" . | fromJson) -}}
{{- range $section := keys $config | sortAlpha }}
[{{ $section }}]
{{- range $key := keys (get $config $section) | sortAlpha }}
{{- $value := get (get $config $section) $key }}
{{- if not (or (kindIs "invalid" $value) (contains ".Values.kerberos." (toString $value))) }}
{{- /* tpl copies all templates each time, which 50 plain values in eight places need not pay for. */}}
{{ $key }} = {{ if contains "{{" (toString $value) }}{{ tpl (toString $value) $ }}{{ else }}{{ include "common.text" $value }}{{ end }}
{{- end }}
{{- end }}
{{ end }}
{{- end -}}

{{- define "airflow.webserverConfig" -}}
{{- if .Values.apiServer.apiServerConfig -}}
{{- tpl .Values.apiServer.apiServerConfig . -}}
{{- else if eq (include "airflow.auth" .) "oidc" -}}
{{- .Files.Get "files/webserver_config_oidc.py" -}}
{{- else -}}
{{- .Files.Get "files/webserver_config.py" -}}
{{- end -}}
{{- end -}}

{{- define "airflow.config.checksum" -}}
{{- join "\n" (list (include "airflow.config.cfg" .) (include "airflow.webserverConfig" .) (tpl .Values.airflowLocalSettings .) (.Files.Get "files/scripts/airspark_executor.py") (.Files.Get "files/scripts/pod_policy.py") (.Files.Get "files/scripts/airspark_auth.py")) | sha256sum -}}
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
{{- with include "airflow.timeZone" . }}
{{- $conf = merge $conf (dict "spark.sql.session.timeZone" . "spark.executorEnv.AIRSPARK_TIME_ZONE" .) }}
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
{{ $key }} {{ tpl (get $conf $key | include "common.text") $ }}
{{- end }}
{{- end -}}
