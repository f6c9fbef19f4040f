{{/*
What is warned of after an installation, by this chart's NOTES.txt and by a parent's.

  airflow.notes.settings    settings whose effect cannot be seen here, a sentence a line    warnings
  airflow.notes.warnings    what is not fit for production
*/}}

{{- define "airflow.notes.settings" -}}
{{- $query := dict "root" . "given" (include "airflow.settings.given" . | fromJson) -}}
{{- $labels := "`tier: airflow`, `component: worker` and" }}
{{- $default := printf "%s/pod_templates/" .Values.airflowHome }}
{{- $file := include "airflow.setting.value" (merge (dict "section" "kubernetes_executor" "key" "pod_template_file") $query) }}
{{- if not (hasPrefix $default $file) }}
The pod template {{ $file }} is not of this chart: give its pods the labels {{ $labels }} `release: {{ .Release.Name }}`, or network policies keep them from the API server.
{{- end }}
{{- if include "airflow.logs.remote" . }}
{{- $place := "" }}
{{- range list "logging.remote_base_log_folder" "elasticsearch.host" "opensearch.host" }}
{{- $parts := splitList "." . }}
{{- $place = print $place (include "airflow.setting" (merge (dict "section" (first $parts) "key" (last $parts)) $query) | fromJson).where }}
{{- end }}
{{- if not (or $place .Values.extraEnvFrom .Values.logs.remote.enabled .Values.elasticsearch.enabled .Values.opensearch.enabled) }}
Logs are to be sent away, and nothing says where, with which no component starts: set `logs.remote`, or `config.logging.remote_base_log_folder`.
{{- end }}
{{- end }}
{{- $connection := .Values.data.metadataConnection }}
{{- if has (toString $connection.host) (list "127.0.0.1" "localhost" "::1") }}
data.metadataConnection.host is {{ $connection.host }}, so each pod needs the proxy of the database beside it: give it `restartPolicy: Always` in `extraInitContainers` of each component, of `bootstrap` and of the Jobs{{ if .Values.helmTest.enabled }}, and switch `helmTest.enabled` off, whose pod has none{{ end }}.
{{- if and .Values.networkPolicies.enabled (not .Values.networkPolicies.database.ports) }}
Network policies open port {{ $connection.port }} to the database, and the proxy connects to others: set `networkPolicies.database.ports`, for example [443, 3307] for the Cloud SQL Auth Proxy.
{{- end }}
{{- end }}
{{- if and .Values.pgbouncer.enabled .Values.pgbouncer.metricsExporterSidecar (not (include "airflow.pgbouncer.exports" .)) }}
pgbouncer.metricsExporterSidecar is set, and no exporter runs, because the chart has no image of one: set `images.pgbouncerExporter.repository` and `images.pgbouncerExporter.tag`.
{{- end }}
{{- if and (or .Values.workers.sparkSecret .Values.workers.kubernetes.sparkSecret) (not (include "airflow.sparkSecret" .)) }}
workers.sparkSecret is true, and there is no secret to hand to task pods: set `global.spark.authSecretName`.
{{- end }}
{{- if .Values.networkPolicies.enabled }}
{{- $opens := dict "dag_processor.dag_bundle_config_list" "ports 22 and 443" "logging.remote_base_log_folder" "port 443" "database.sql_alchemy_conn" "port 5432 or `networkPolicies.database.ports`" "secrets.backend_kwargs" "port 443" }}
{{- range $name, $ports := $opens }}
{{- $parts := splitList "." $name }}
{{- $setting := include "airflow.setting" (merge (dict "section" (first $parts) "key" (last $parts)) $query) | fromJson }}
{{- if $setting.hidden }}
{{ $setting.where }}: what a Secret holds cannot be read here, so network policies open {{ $ports }} for it: open others by `networkPolicy.extraEgress` of the components.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.notes.warnings" -}}
{{- $said := list -}}
{{- $simple := eq (include "airflow.auth" .) "simple" }}
{{- $all := include "airflow.setting.on" (dict "root" . "section" "core" "key" "simple_auth_manager_all_admins" "default" "True") }}
{{- if and $simple (not $all) }}
{{- $said = append $said "The SimpleAuthManager is for development only, as Airflow's documentation says: set `fab` or `oidc` in `auth.manager`." }}
{{- else if $simple }}
{{- $said = append $said "ANYBODY WHO REACHES THE API SERVER IS AN ADMINISTRATOR (auth.manager: simple), and may run any code in task pods. For development only: set `fab` or `oidc`." }}
{{- end }}
{{- if and (not .Values.rbac.createAdmissionPolicies) (or .Values.allowPodLaunching .Values.allowJobLaunching) }}
{{- $said = append $said "A task with the template `launcher` may make any pod, also one that reads the platform's Secrets, and reach into those of the platform: set `rbac.createAdmissionPolicies`, which needs rights of the whole cluster." }}
{{- end }}
{{- $zone := include "airflow.timeZone" . | default "UTC" }}
{{- $naive := include "airflow.setting.value" (dict "root" . "section" "core" "key" "default_timezone" "default" $zone) }}
{{- if ne (lower $naive) (lower $zone) }}
{{- $said = append $said (printf "config.core.default_timezone is %s and global.timeZone %s: Airflow takes times without a zone for the former, days of DAGs and applications are of the latter. Set `global.timeZone` alone." $naive $zone) }}
{{- end }}
{{- if not (or (include "airflow.logs.claimed" .) (include "airflow.logs.remote" .)) }}
{{- $said = append $said "Task logs are lost with their pods: set `logs.persistence.enabled`, or `logs.remote`." }}
{{- end }}
{{- $once := list }}
{{- if and (include "airflow.logs.claimed" .) (include "airflow.logs.several" . | fromJsonArray) (hasPrefix "ReadWriteOnce" (include "airflow.notes.logMode" .)) }}
{{- $once = append $once "logs" }}
{{- end }}
{{- with .Values.dags.persistence }}
{{- if and .enabled (hasPrefix "ReadWriteOnce" .accessMode) }}{{ $once = append $once "dags" }}{{ end }}
{{- end }}
{{- range $once }}
{{- $said = append $said (printf "The claim %s is for the pods of one node, and several pods mount it: on several nodes set `%s.persistence.accessMode: ReadWriteMany`." (include (printf "airflow.claimName.%s" .) $) .) }}
{{- end }}
{{- if and .Values.postgresql.enabled (not .Values.data.metadataConnection.host) (not .Values.data.metadataSecretName) }}
{{- $said = append $said "The database is one pod on one claim, for small installations: bring your own by `data.metadataSecretName`, or back this one up." }}
{{- end }}
{{- if not .Values.networkPolicies.enabled }}
{{- $said = append $said "Every pod of the cluster may reach the database and the API server: set `networkPolicies.enabled`." }}
{{- end }}
{{- if include "airflow.ingress.enabled" . }}
{{- range (include "airflow.ingress.hosts" (dict "root" . "ingress" .Values.ingress.apiServer) | fromJson).hosts }}
{{- if not .tls.enabled }}
{{- $said = append $said (printf "Passwords for %s travel in the clear unless something before the Ingress ends TLS: set `ingress.apiServer.hosts[].tls`." (default "any host" .name)) }}
{{- end }}
{{- end }}
{{- $path := tpl (default "" .Values.ingress.apiServer.path) . | trimSuffix "/" }}
{{- if and $path (ne $path (include "airflow.api.basePath" .)) }}
{{- $said = append $said (printf "The Ingress serves %s, and Airflow believes to be at %s: give `config.api.base_url` the same path." $path (include "airflow.api.path" .)) }}
{{- end }}
{{- end }}
{{- range splitList "\n" (include "airflow.images.warnings" . | trim) }}
{{- with trim . }}{{ $said = append $said . }}{{ end }}
{{- end }}
{{- range splitList "\n" (print (include "airflow.notes.settings" . | trim) "\n" (include "airflow.keys.sections" . | trim)) }}
{{- with trim . }}{{ $said = append $said . }}{{ end }}
{{- end }}
{{- if and .Values.podTemplate (not (regexMatch "airflow\\.cfg|EXECUTION_API_SERVER_URL" (tpl .Values.podTemplate .))) }}
{{- $said = append $said "The container of `podTemplate` has neither airflow.cfg nor AIRFLOW__CORE__EXECUTION_API_SERVER_URL, so its tasks do not find the API server unless its image sets it: mount the ConfigMap, or set `workers.kubernetes` instead." }}
{{- end }}
{{- range include "airflow.keys.ignored" . | fromJsonArray }}
{{- $said = append $said (printf "ignored: %s" .) }}
{{- end }}
{{- range $said }}
  ! {{ . }}
{{- end }}
{{- end -}}
