{{/*
Ports of what Airflow reaches outside the release, out of the addresses in values.

  airflow.network.port              port of a URL                                        the helpers below, paths
  airflow.network.connectionPort    port of a connection of `connections` or of a variable, else 443      the helpers below
                                    (dict root, id, given)
  airflow.network.logPorts          ports of the store or index with logs, as JSON       paths
  airflow.network.dagPorts          ports of the servers with DAG bundles, as JSON       paths
  airflow.network.driverPorts       ports of a Spark driver, and those that it tries
                                    when they are taken, as JSON                         paths               (dict root, names)
*/}}

{{- define "airflow.network.port" -}}
{{- $port := regexFind "^([a-z0-9+]+://)?[^/]*:[0-9]+(/|$)" . | regexFind "[0-9]+/?$" | trimSuffix "/" -}}
{{- if and (contains "@" .) (not (contains "://" .)) -}}
22
{{- else -}}
{{- coalesce $port (get (dict "http" 80 "ssh" 22 "git" 9418) (splitList "://" . | first)) 443 -}}
{{- end -}}
{{- end -}}

{{- define "airflow.network.connectionPort" -}}
{{- $variable := get .given (printf "AIRFLOW_CONN_%s" (default "" .id | upper)) | default (dict "value" "") -}}
{{- /* A connection is a URI, whose endpoint is escaped, or JSON. */}}
{{- $text := $variable.value | replace "%3A" ":" | replace "%3a" ":" | replace "%2F" "/" | replace "%2f" "/" -}}
{{- $json := hasPrefix "{" $text | ternary (fromJson $text) dict -}}
{{- $uri := hasPrefix "{" $text | ternary "" (regexFind "https?://[^&]*" $text | default $text) -}}
{{- $connection := merge (dict) (get .root.Values.connections (default "" .id) | default dict) $json (dict "host" (or $uri (get .given "AWS_ENDPOINT_URL_S3" | default (get .given "AWS_ENDPOINT_URL" | default dict)).value)) -}}
{{- $extra := kindIs "map" $connection.extra | ternary $connection.extra dict -}}
{{- $address := kindIs "string" $connection.host | ternary $connection.host "" | coalesce $extra.endpoint_url | default "" -}}
{{- $connection.port | default (include "airflow.network.port" (tpl $address .root)) -}}
{{- end -}}

{{- define "airflow.network.logPorts" -}}
{{- $ports := list -}}
{{- $query := dict "root" . "given" (include "airflow.settings.given" . | fromJson) -}}
{{- if include "airflow.logs.remote" . }}
{{- $remote := .Values.logs.remote }}
{{- $folder := include "airflow.setting" (merge (dict "section" "logging" "key" "remote_base_log_folder" "default" ($remote.enabled | ternary $remote.folder "")) $query) | fromJson }}
{{- if or $folder.value $folder.hidden }}
{{- $default := get (dict "s3" "aws_default" "cloudwatch" "aws_default" "gs" "google_cloud_default") (splitList "://" $folder.value | first) | default "wasb_default" }}
{{- $id := include "airflow.setting.value" (merge (dict "section" "logging" "key" "remote_log_conn_id" "default" $remote.connectionId) $query) | default $default }}
{{- $ports = append $ports (include "airflow.network.connectionPort" (merge (dict "id" $id) $query)) }}
{{- end }}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $index := get $.Values $name }}
{{- $host := include "airflow.setting" (merge (dict "section" $name "key" "host") $query) | fromJson }}
{{- /* An address that stands in a Secret has one of the two usual ports. */}}
{{- if $host.hidden }}
{{- $ports = concat $ports (list 443 9200) }}
{{- else if $host.value }}
{{- $ports = append $ports (include "airflow.network.urlPort" (dict "text" $host.value "default" (include "airflow.setting.value" (merge (dict "section" $name "key" "port" "default" 9200) $query)))) }}
{{- else if $index.enabled }}
{{- $ports = concat $ports (empty $index.secretName | ternary (list (default 9200 $index.connection.port)) (list 443 9200)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "airflow.network.dagPorts" -}}
{{- $ports := list -}}
{{- $query := dict "root" . "given" (include "airflow.settings.given" . | fromJson) -}}
{{- $setting := include "airflow.setting" (merge (dict "section" "dag_processor" "key" "dag_bundle_config_list") $query) | fromJson }}
{{- /* A list that stands in a Secret may name a repository by either address. */}}
{{- if $setting.hidden }}{{ $ports = list 22 443 }}{{ end }}
{{- range include "airflow.bundles.effective" . | fromJsonArray }}
{{- if not (hasSuffix ".LocalDagBundle" .classpath) }}
{{- $id := coalesce .kwargs.git_conn_id .kwargs.aws_conn_id .kwargs.gcp_conn_id | default "" }}
{{- $repository := and (eq $id "git_dags") $.Values.dags.gitSync.enabled | ternary $.Values.dags.gitSync.repo "" }}
{{- $known := tpl (coalesce .kwargs.repo_url $repository | default "") $ }}
{{- $ports = append $ports (empty $known | ternary (include "airflow.network.connectionPort" (merge (dict "id" $id) $query)) (include "airflow.network.port" $known)) }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "airflow.network.driverPorts" -}}
{{- $client := .root.Values.sparkClient -}}
{{- $tries := dig "spark.port.maxRetries" 16 $client.conf | int -}}
{{- $ranges := list -}}
{{- range .names }}
{{- $port := get $client.ports . }}
{{- $ranges = append $ranges (dict "port" $port "endPort" (min 65535 (add $port $tries))) }}
{{- end }}
{{- toJson $ranges -}}
{{- end -}}
