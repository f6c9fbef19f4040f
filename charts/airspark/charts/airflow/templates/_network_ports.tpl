{{/*
Ports of what Airflow reaches outside the release, out of the addresses in values.

  airflow.network.port              port of a URL                                        the helpers below, paths
  airflow.network.connectionPort    port of a connection of `connections`, else 443      the helpers below  (dict root, id)
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
{{- $connection := get .root.Values.connections (default "" .id) | default dict -}}
{{- $extra := kindIs "map" $connection.extra | ternary $connection.extra dict -}}
{{- $address := kindIs "string" $connection.host | ternary $connection.host "" | coalesce $extra.endpoint_url | default "" -}}
{{- $connection.port | default (include "airflow.network.port" (tpl $address .root)) -}}
{{- end -}}

{{- define "airflow.network.logPorts" -}}
{{- $ports := list -}}
{{- if .Values.logs.remote.enabled }}
{{- $ports = append $ports (include "airflow.network.connectionPort" (dict "root" . "id" .Values.logs.remote.connectionId)) }}
{{- end }}
{{- range $index := list .Values.elasticsearch .Values.opensearch }}
{{- if $index.enabled }}
{{- /* An address that stands in a Secret has one of the two usual ports. */}}
{{- $ports = concat $ports (empty $index.secretName | ternary (list (default 9200 $index.connection.port)) (list 443 9200)) }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "airflow.network.dagPorts" -}}
{{- $ports := list -}}
{{- if .Values.dags.gitSync.enabled }}
{{- $ports = append $ports (include "airflow.network.port" (tpl .Values.dags.gitSync.repo .)) }}
{{- else }}
{{- range .Values.dagProcessor.dagBundleConfigList }}
{{- if not (hasSuffix ".LocalDagBundle" .classpath) }}
{{- $id := coalesce .kwargs.git_conn_id .kwargs.aws_conn_id .kwargs.gcp_conn_id "" }}
{{- $known := tpl (.kwargs.repo_url | default "") $ }}
{{- $ports = append $ports (empty $known | ternary (include "airflow.network.connectionPort" (dict "root" $ "id" $id)) (include "airflow.network.port" $known)) }}
{{- end }}
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
