{{/*
Names of helpers that values files of the official Airflow chart use in their templates, with the same meaning here.
templates/_validate_texts.tpl refuses the others with a sentence.

  airflow_dags, airflow_dags_mount_path          folder of the DAG files
  airflow_dags_mount, airflow_dags_volume_claim  its mount as a list, its claim
  airflow_logs, airflow_logs_no_quote            folder of the logs
  airflow_logs_volume_claim, airflow_logs_volume_name    their claim, their volume
  airflow_config                                 ConfigMap with airflow.cfg
  airflow_config_path, airflow_webserver_config_path, airflow_api_server_config_path, airflow_local_setting_path    its files
  airflow_config_mount                           mounts of airflow.cfg and airflow_local_settings.py, as a list
  airflow_pod_template_file                      folder of the pod templates
  dag_bundle_config_list                         DAG bundles, as JSON
  triggerer.capacity, cpu_count                  triggers of one triggerer; whole CPUs of a quantity, or of the scheduler's limit
  …_image                                        image references
  …_secret                                       names of Secrets
  ….serviceAccountName                           accounts
  standard_airflow_environment, custom_airflow_environment, custom_airflow_environment_from    environment of task pods
  airflowPodSecurityContext, containerSecurityContext    security contexts, of (list root values)
*/}}

{{- define "airflow_dags_mount_path" }}{{ .Values.dags.mountPath | default (printf "%s/dags" .Values.airflowHome) }}{{ end }}
{{- /* Airflow's Git bundle has a folder of its own, so there is no `repo` below this one. */}}
{{- define "airflow_dags" }}{{ include "airflow_dags_mount_path" . }}{{ end }}
{{- define "airflow_dags_mount" }}{{ with include "airflow.dagsMount" . | fromYaml }}{{ list (set . "name" "dags") | toYaml }}{{ end }}{{ end }}
{{- define "airflow_dags_volume_claim" }}{{ include "airflow.claimName.dags" . }}{{ end }}
{{- define "airflow_logs" }}{{ .Values.airflowHome }}/logs{{ end }}
{{- define "airflow_logs_no_quote" }}{{ include "airflow_logs" . }}{{ end }}
{{- define "airflow_logs_volume_claim" }}{{ include "airflow.claimName.logs" . }}{{ end }}
{{- define "airflow_logs_volume_name" }}logs{{ end }}
{{- define "airflow_config" }}{{ include "airflow.fullname" . }}-config{{ end }}
{{- define "airflow_config_path" }}{{ .Values.airflowHome }}/airflow.cfg{{ end }}
{{- define "airflow_webserver_config_path" }}{{ .Values.airflowHome }}/webserver_config.py{{ end }}
{{- define "airflow_api_server_config_path" }}{{ include "airflow_webserver_config_path" . }}{{ end }}
{{- define "airflow_webserver_config_configmap_name" }}{{ tpl (default "" .Values.apiServer.apiServerConfigConfigMapName) . | default (include "airflow_config" .) }}{{ end }}
{{- define "airflow_api_server_config_configmap_name" }}{{ include "airflow_webserver_config_configmap_name" . }}{{ end }}
{{- define "airflow_local_setting_path" }}{{ .Values.airflowHome }}/config/airflow_local_settings.py{{ end }}
{{- define "airflow_config_mount" }}
{{- $mounts := list (dict "name" "config" "mountPath" (include "airflow_config_path" .) "subPath" "airflow.cfg" "readOnly" true) }}
{{- if .Values.airflowLocalSettings }}
{{- $file := dict "mountPath" (include "airflow_local_setting_path" .) "subPath" "airflow_local_settings.py" }}
{{- $mounts = append $mounts (merge $file (dict "name" "config" "readOnly" true)) }}
{{- end }}
{{- toYaml $mounts }}
{{- end }}
{{- define "airflow_pod_template_file" }}{{ .Values.airflowHome }}/pod_templates{{ end }}
{{- define "dag_bundle_config_list" }}{{ include "airflow.bundles" . }}{{ end }}
{{- define "triggerer.capacity" }}{{ include "airflow.setting.value" (dict "root" . "section" "triggerer" "key" "capacity" "default" 1000) }}{{ end }}
{{- define "cpu_count" }}
{{- $cpu := . }}
{{- if kindIs "map" . }}{{ $cpu = dig "limits" "cpu" 1 .Values.scheduler.resources | default 1 }}{{ end }}
{{- $text := include "common.text" $cpu }}
{{- $cores := hasSuffix "m" $text | ternary (divf (trimSuffix "m" $text | float64) 1000) (float64 $text) }}
{{- ceil $cores | int | max 1 }}
{{- end }}

{{- define "airflow_image" }}{{ include "airflow.image" . | trim }}{{ end }}
{{- define "default_airflow_image" }}{{ include "airflow.image" . | trim }}{{ end }}
{{- define "airflow_image_for_migrations" }}{{ include "airflow.image" . | trim }}{{ end }}
{{- define "pod_template_image" }}{{ include "airflow.workerImage" . | trim }}{{ end }}
{{- define "statsd_image" }}{{ include "airflow.partImage" (dict "root" . "name" "statsd") | trim }}{{ end }}
{{- define "pgbouncer_image" }}{{ include "airflow.partImage" (dict "root" . "name" "pgbouncer") | trim }}{{ end }}
{{- define "pgbouncer_exporter_image" }}{{ include "airflow.partImage" (dict "root" . "name" "pgbouncerExporter") | trim }}{{ end }}

{{- define "fernet_key_secret" }}{{ include "airflow.secretName.fernet" . }}{{ end }}
{{- define "api_secret_key_secret" }}{{ include "airflow.secretName.api" . }}{{ end }}
{{- define "webserver_secret_key_secret" }}{{ include "airflow.secretName.api" . }}{{ end }}
{{- define "jwt_secret" }}{{ include "airflow.secretName.jwt" . }}{{ end }}
{{- define "airflow_metadata_secret" }}{{ include "airflow.secretName.metadata" . }}{{ end }}
{{- define "pgbouncer_config_secret" }}{{ include "airflow.secretName.pgbouncer" . }}{{ end }}
{{- define "pgbouncer_stats_secret" }}{{ (include "airflow.pgbouncer.stats" . | fromJson).name }}{{ end }}
{{- define "registry_secret" }}{{ with include "airflow.imagePullSecrets" . | fromYamlArray }}{{ (first .).name }}{{ end }}{{ end }}
{{- define "elasticsearch_secret" }}{{ tpl (default "" .Values.elasticsearch.secretName) . }}{{ end }}
{{- define "opensearch_secret" }}{{ tpl (default "" .Values.opensearch.secretName) . }}{{ end }}

{{- define "apiServer.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "api-server" "values" .Values.apiServer) }}{{ end }}
{{- define "scheduler.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "scheduler" "values" .Values.scheduler) }}{{ end }}
{{- define "dagProcessor.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "dag-processor" "values" .Values.dagProcessor) }}{{ end }}
{{- define "triggerer.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "triggerer" "values" .Values.triggerer) }}{{ end }}
{{- define "worker.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "worker" "values" (include "airflow.taskValues" (dict "root" .) | fromJson)) }}{{ end }}
{{- define "worker.kubernetes.serviceAccountName" }}{{ include "worker.serviceAccountName" . }}{{ end }}
{{- define "statsd.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "statsd" "values" .Values.statsd) }}{{ end }}
{{- define "pgbouncer.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "pgbouncer" "values" .Values.pgbouncer) }}{{ end }}
{{- define "cleanup.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "cleanup" "values" .Values.cleanup) }}{{ end }}
{{- define "databaseCleanup.serviceAccountName" }}{{ include "airflow.serviceAccountName" (dict "root" . "component" "database-cleanup" "values" .Values.databaseCleanup) }}{{ end }}
{{- define "migrateDatabaseJob.serviceAccountName" }}{{ include "airflow.serviceAccountName" (include "airflow.bootstrap.component" . | fromJson | merge (dict "root" .)) }}{{ end }}
{{- define "createUserJob.serviceAccountName" }}{{ include "migrateDatabaseJob.serviceAccountName" . }}{{ end }}

{{- /* Pod templates call these three by `indent`: their text begins with a new line, and is nothing where there is no entry. */}}
{{- define "standard_airflow_environment" }}
{{- $none := dict "Values" (merge (dict "env" list "secret" list "extraEnv" "") (omit .Values "env" "secret" "extraEnv")) }}
{{- include "airflow.env" (dict "root" (merge $none (omit . "Values")) "secrets" (include "airflow.taskSecrets" . | fromYamlArray)) | nindent 2 }}
{{- end }}
{{- define "custom_airflow_environment" }}
{{- with include "airflow.userEnv" (dict "root" .) | fromJsonArray }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- define "custom_airflow_environment_from" }}{{ with include "airflow.envFrom" . | trim }}{{ nindent 2 . }}{{ end }}{{ end }}
{{- define "airflowPodSecurityContext" }}{{ include "airflow.podSecurityContext" (dict "root" (first .) "uid" (first .).Values.uid "values" (last .)) }}{{ end }}
{{- define "containerSecurityContext" }}{{ include "airflow.containerSecurityContext" (dict "root" (first .) "values" (last .)) }}{{ end }}
