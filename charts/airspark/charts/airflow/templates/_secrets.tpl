{{/*
The Secrets that the bootstrap Job makes or checks.

  airflow.bootstrap.databaseUrls   recipes of the metadata Secret's keys          secrets
  airflow.database.address         host:port that the components connect to       workloads
  airflow.bootstrap.secrets        Secrets it makes or checks, as JSON            role, configmap
*/}}

{{- define "airflow.bootstrap.databaseUrls" -}}
{{- $connection := .Values.data.metadataConnection -}}
{{- $url := dict "kind" "url" "protocol" $connection.protocol "user" $connection.user "port" $connection.port
      "database" $connection.db "sslmode" (include "airflow.database.sslmode" .) "host" (include "airflow.database.host" .)
      "passwordFrom" (include "airflow.secretName.databasePassword" .) -}}
{{- with include "airflow.database.ca" (dict "root" . "sslmode" (include "airflow.database.sslmode" .)) }}
{{- if ne $url.sslmode "disable" }}{{ $_ := set $url "sslrootcert" . }}{{ end }}
{{- end }}
{{- $keys := dict (include "airflow.secretKey.metadata" .) $url -}}
{{- $own := include "airflow.database.own" . -}}
{{- if include "airflow.database.madeDirect" . }}
{{- $bouncer := merge (dict "host" (printf "%s-pgbouncer.%s.svc" (include "airflow.fullname" .) .Release.Namespace)
      "port" .Values.ports.pgbouncer "database" (printf "%s-metadata" .Release.Name)) (empty $own | ternary (merge (dict "sslmode" "prefer") (omit $url "sslrootcert")) $url) -}}
{{- $keys = dict (include "airflow.secretKey.metadata" .) $bouncer "direct" $url -}}
{{- end }}
{{- $keda := default dict .Values.triggerer.keda -}}
{{- if and $own $keda.enabled }}
{{- /* KEDA's pods have no file of the authority. */}}
{{- $asked := empty $keda.usePgbouncer | ternary $url (get $keys (include "airflow.secretKey.metadata" .)) }}
{{- $_ := set $keys "kedaConnection" (merge (dict "sslmode" (eq $url.sslmode "disable" | ternary "disable" "require")) (omit $asked "sslrootcert")) -}}
{{- end }}
{{- toJson $keys -}}
{{- end -}}

{{- /* Empty for a Secret that is brought: only its owner knows what is in it. */}}
{{- define "airflow.database.address" -}}
{{- if not .Values.data.metadataSecretName -}}
{{- $url := get (include "airflow.bootstrap.databaseUrls" . | fromJson) (include "airflow.secretKey.metadata" .) -}}
{{- printf "%s:%v" $url.host $url.port -}}
{{- end -}}
{{- end -}}

{{- define "airflow.bootstrap.secrets" -}}
{{- $all := .Values -}}
{{- $random := dict "kind" "token" -}}
{{- $secrets := list -}}
{{- if $all.postgresql.enabled }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.postgresql" .) "brought" (not (empty $all.postgresql.auth.existingSecret))
      "generation" $all.rotation.databasePassword "keys" (dict "password" $random)) -}}
{{- end }}
{{- if $all.postgresql.enabled }}
{{- $name := include "airflow.database.certificate" . -}}
{{- $hosts := list -}}
{{- range $server := list "postgresql" "pgbouncer" }}
{{- $host := printf "%s-%s" (include "airflow.fullname" $) $server -}}
{{- $hosts = concat $hosts (list (printf "%s.%s.svc" $host $.Release.Namespace) (printf "%s.%s" $host $.Release.Namespace) $host) -}}
{{- end }}
{{- $secrets = append $secrets (dict "name" $name "brought" (dig "tls" "secretName" "" (merge dict $all.postgresql) | empty | not)
      "keys" (dict
        "tls.key" (dict "kind" "rsaPrivateKey")
        "tls.crt" (dict "kind" "certificate" "from" $name "key" "tls.key" "names" $hosts "days" 3650)
        "ca.crt" (dict "kind" "template" "text" "{certificate}" "values" (dict "certificate" (dict "secret" $name "key" "tls.crt"))))) -}}
{{- end }}
{{- if $all.data.metadataConnection.passwordSecretName }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.databasePassword" .) "brought" true "keys" (dict "password" $random)) -}}
{{- end }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.metadata" .) "brought" (not (empty $all.data.metadataSecretName))
      "annotations" (include "common.map" (list (default dict $all.data.metadataConnection.secretAnnotations) .) | fromYaml)
      "keys" (include "airflow.bootstrap.databaseUrls" . | fromJson)) -}}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.fernet" .) "brought" (not (empty $all.fernetKeySecretName))
      "generation" $all.rotation.fernetKey "annotations" (include "common.map" (list (default dict $all.fernetKeySecretAnnotations) .) | fromYaml) "keys" (dict "fernet-key" (dict "kind" "fernet"))) -}}
{{- if $all.jwtKeyPair.enabled }}
{{- $name := include "airflow.secretName.jwtKeys" . -}}
{{- $secrets = append $secrets (dict "name" $name "brought" (not (empty $all.jwtKeyPair.secretName)) "generation" $all.rotation.jwtSecret
      "annotations" (include "common.map" (list (default dict $all.jwtSecretAnnotations) .) | fromYaml)
      "keys" (dict "private-key.pem" (dict "kind" "rsaPrivateKey") "jwks.json" (dict "kind" "jwks" "from" $name "key" "private-key.pem"))) -}}
{{- else }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.jwt" .) "brought" (not (empty $all.jwtSecretName))
      "generation" $all.rotation.jwtSecret "annotations" (include "common.map" (list (default dict $all.jwtSecretAnnotations) .) | fromYaml) "keys" (dict "jwt-secret" $random)) -}}
{{- end }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.api" .) "brought" (not (empty $all.apiSecretKeySecretName))
      "generation" $all.rotation.apiSecretKey "annotations" (include "common.map" (list (default dict $all.apiSecretAnnotations) .) | fromYaml) "keys" (dict "api-secret-key" $random)) -}}
{{- if and $all.createUserJob.enabled (include "airflow.auth.users" .) }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.admin" .) "brought" (not (empty $all.createUserJob.existingSecret))
      "generation" $all.rotation.adminPassword
      "keys" (dict "username" (dict "kind" "text" "value" $all.createUserJob.defaultUser.username) "password" $random)) -}}
{{- end }}
{{- range $name, $user := $all.users }}
{{- if and $user (not $user.password) }}
{{- $secrets = append $secrets (dict "name" (include "airflow.secretName.user" (dict "root" $ "name" $name)) "brought" false "keys" (dict "password" $random)) -}}
{{- end }}
{{- end }}
{{- with include "airflow.pgbouncer.secrets" . | fromJsonArray }}
{{- $secrets = concat $secrets . }}
{{- end }}
{{- toJson $secrets -}}
{{- end -}}
