{{/*
The metadata database.

  airflow.database.host             host of the server                                          secrets, pgbouncer
  airflow.database.ca               file the server's certificate is checked with, or nothing   secrets, pgbouncer
                                    (dict root, sslmode)
  airflow.database.caVolume         volume with that file                                       volumes, pgbouncer
  airflow.database.caSecret         its Secret, or nothing                                      the two above, containers
  airflow.database.own              whether the database is the chart's, and the URL is made for it       below
  airflow.database.sslmode          the sslmode of the URL                                      secrets, pgbouncer
  airflow.database.certificate      Secret with certificate and key of the chart's server       postgresql, pgbouncer, secrets
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
{{- define "airflow.database.own" -}}
{{- if and .Values.postgresql.enabled (not .Values.data.metadataConnection.host) (not .Values.data.metadataSecretName) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.database.sslmode" -}}
{{- .Values.data.metadataConnection.sslmode | default (include "airflow.database.own" . | empty | ternary "disable" "verify-full") -}}
{{- end -}}

{{- define "airflow.database.certificate" -}}
{{- default (printf "%s-postgresql-tls" (include "airflow.fullname" .)) (tpl (dig "tls" "secretName" "" (merge dict .Values.postgresql)) .) -}}
{{- end -}}

{{- define "airflow.database.caSecret" -}}
{{- $brought := tpl (default "" .Values.data.metadataConnection.caSecretName) . -}}
{{- default (include "airflow.database.own" . | empty | ternary "" (include "airflow.database.certificate" .)) $brought -}}
{{- end -}}

{{- define "airflow.database.ca" -}}
{{- if include "airflow.database.caSecret" .root -}}
/etc/airspark/database/ca.crt
{{- else if hasPrefix "verify-" .sslmode -}}
/etc/ssl/certs/ca-certificates.crt
{{- end -}}
{{- end -}}

{{- define "airflow.database.caVolume" -}}
{{- with include "airflow.database.caSecret" . }}
- name: chart/database-ca
  secret:
    secretName: {{ . }}
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
{{- if and .Values.pgbouncer.enabled $data.metadataSecretName (not .Values.pgbouncer.configSecretName) }}
pgbouncer.configSecretName: the password is in the Secret of `data.metadataSecretName`, which PgBouncer cannot read; name a Secret with the keys `pgbouncer.ini` and `users.txt`
{{- end }}
{{- end -}}
