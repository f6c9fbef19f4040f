{{/*
The metadata database.

  airflow.database.host             host of the server                                          secrets, pgbouncer
  airflow.database.ca               file the server's certificate is checked with, or nothing   secrets, pgbouncer
                                    (dict root, sslmode)
  airflow.database.caVolume         volume with that file                                       volumes, pgbouncer
  airflow.database.madeDirect       whether the bootstrap Job makes the key `direct`, the way past PgBouncer    bootstrap, backup
  airflow.database.pastBouncer      variable with that key of a Secret of the user's, if it has it            bootstrap, backup
  airflow.database.asyncEnv         how asynchronous sessions reach it                          componentPod
  airflow.database.asyncMount       the module they are configured by                           componentPod
  airflow.validate.database         what of it cannot work, a sentence a line                   validate
*/}}

{{- define "airflow.database.host" -}}
{{- default (printf "%s-postgresql.%s.svc" (include "airflow.fullname" .) .Release.Namespace) .Values.data.metadataConnection.host -}}
{{- end -}}

{{- /* Without a CA of its own, a server that must be verified has a certificate of a public one. */}}
{{- define "airflow.database.ca" -}}
{{- if .root.Values.data.metadataConnection.caSecretName -}}
/etc/airspark/database/ca.crt
{{- else if hasPrefix "verify-" .sslmode -}}
/etc/ssl/certs/ca-certificates.crt
{{- end -}}
{{- end -}}

{{- define "airflow.database.caVolume" -}}
{{- with .Values.data.metadataConnection.caSecretName }}
- name: chart/database-ca
  secret:
    secretName: {{ tpl . $ }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{- define "airflow.database.madeDirect" -}}
{{- if and .Values.pgbouncer.enabled (not .Values.data.metadataSecretName) }}yes{{ end -}}
{{- end -}}

{{- /* The official chart's Secret has `connection` alone, which leads to PgBouncer. */}}
{{- define "airflow.database.pastBouncer" -}}
{{- if and .Values.pgbouncer.enabled .Values.data.metadataSecretName }}
- name: AIRSPARK_POOLED
  value: "yes"
- name: AIRSPARK_DIRECT_CONNECTION
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.metadata" . }}, key: direct, optional: true}
{{- end }}
{{- end -}}

{{- define "airflow.database.asyncEnv" -}}
{{- $own := default dict .Values.config.database -}}
{{- if not (or $own.sql_alchemy_conn_async $own.sql_alchemy_conn_async_cmd) }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD
  value: python /opt/airspark/async_database.py
{{- if and .Values.pgbouncer.enabled (not $own.sql_alchemy_connect_args_async) }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC
  value: async_database.CONNECT_ARGS
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.database.asyncMount" -}}
{{- if .Values.pgbouncer.enabled }}
- name: chart/scripts
  mountPath: {{ .Values.airflowHome }}/config/async_database.py
  subPath: async_database.py
  readOnly: true
{{- end }}
{{- end -}}

{{- define "airflow.validate.database" -}}
{{- $data := .Values.data -}}
{{- $connection := $data.metadataConnection -}}
{{- $secure := list "require" "verify-ca" "verify-full" -}}
{{- if and .Values.pgbouncer.enabled $data.metadataSecretName (not .Values.pgbouncer.configSecretName) }}
pgbouncer.configSecretName: the password is in the Secret of `data.metadataSecretName`, which PgBouncer cannot read; name a Secret with the keys `pgbouncer.ini` and `users.txt`
{{- end }}
{{- if and .Values.postgresql.enabled (not $connection.host) (not $data.metadataSecretName) }}
{{- if has $connection.sslmode $secure }}
data.metadataConnection.sslmode: the chart's own PostgreSQL speaks no TLS, so {{ $connection.sslmode }} would never connect; remove it, or name an external database by `data.metadataConnection.host`
{{- end }}
{{- if and .Values.pgbouncer.enabled (has .Values.pgbouncer.sslmode $secure) (not .Values.pgbouncer.configSecretName) }}
pgbouncer.sslmode: the chart's own PostgreSQL speaks no TLS, so {{ .Values.pgbouncer.sslmode }} would never connect; remove it, or name an external database by `data.metadataConnection.host`
{{- end }}
{{- end }}
{{- end -}}
