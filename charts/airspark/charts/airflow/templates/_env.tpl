{{/*
Environment of containers.

  airflow.secretEnv                    variables that stand in Secrets, by the name of a secret   env, secretFiles
  airflow.userEnv                      what values add, as JSON              env                    (dict root, values)
  airflow.env                          settings, wanted secrets and what values add, but for the names in `fixed`
                                       (dict root, values, secrets, watch, extra, fixed)
  airflow.envFrom                      what values add                       every Airflow container
*/}}

{{- define "airflow.secretEnv" -}}
{{- $all := dict
  "database" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" (include "airflow.secretName.metadata" .) (include "airflow.secretKey.metadata" .))
  "fernet" (list "AIRFLOW__CORE__FERNET_KEY" (include "airflow.secretName.fernet" .) "fernet-key")
  "jwt" (list "AIRFLOW__API_AUTH__JWT_SECRET" (include "airflow.secretName.jwt" .) "jwt-secret")
  "api" (list "AIRFLOW__API__SECRET_KEY" (include "airflow.secretName.api" .) "api-secret-key")
  "connection" (list "AIRFLOW_CONN_AIRFLOW_DB" (include "airflow.secretName.metadata" .) (include "airflow.secretKey.metadata" .)) -}}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $index := get $.Values $name }}
{{- if and $index.enabled $index.secretName }}
{{- $_ := set $all $name (list (printf "AIRFLOW__%s__HOST" (upper $name)) (tpl $index.secretName $) "connection") }}
{{- end }}
{{- end }}
{{- range $name, $secret := $all }}
{{- if not (get $.Values.enableBuiltInSecretEnvVars (first $secret)) }}
{{- $_ := unset $all $name }}
{{- end }}
{{- end }}
{{- if .Values.jwtKeyPair.enabled }}
{{- /* The keys are read from files; their public part is here to be seen to change. */}}
{{- $_ := set $all "jwt" (list "AIRSPARK_JWT_KEYS" (include "airflow.secretName.jwtKeys" .) "jwks.json") }}
{{- end }}
{{- if eq (include "airflow.auth" .) "oidc" }}
{{- $_ := set $all "oidc" (list "AIRSPARK_OIDC_CLIENT_SECRET" (tpl (default "" .Values.auth.oidc.clientSecretName) .) "client-secret") }}
{{- end }}
{{- toJson $all -}}
{{- end -}}

{{- /* What only the values say; the most special last. */}}
{{- define "airflow.userEnv" -}}
{{- $env := .root.Values.env -}}
{{- range .root.Values.secret }}
{{- $env = append $env (dict "name" .envName "valueFrom" (dict "secretKeyRef" (dict "name" (tpl .secretName $.root) "key" .secretKey))) }}
{{- end }}
{{- $extra := tpl (default "" .root.Values.extraEnv) .root | fromYamlArray -}}
{{- range $extra }}
{{- if not (kindIs "map" .) }}{{ fail (printf "\n\nextraEnv: it is not a YAML list of maps (%v); write, for example, - {name: TZ, value: Asia/Seoul}\n" .) }}{{ end }}
{{- end }}
{{- concat $env $extra (default list (default dict .values).env) | toJson -}}
{{- end -}}

{{- define "airflow.env" -}}
{{- $secrets := include "airflow.secretEnv" .root | fromJson -}}
{{- $user := list -}}
{{- $given := list -}}
{{- range include "airflow.userEnv" . | fromJsonArray }}
{{- if not (has .name (default list $.fixed)) }}
{{- $user = append $user . }}
{{- $given = append $given .name }}
{{- end }}
{{- end }}
{{- $env := list (dict "name" "AIRFLOW_HOME" "value" .root.Values.airflowHome) -}}
{{- $watched := list -}}
{{- range .secrets }}
{{- with get $secrets . }}
{{- $env = append $env (dict "name" (first .) "valueFrom" (dict "secretKeyRef" (dict "name" (index . 1) "key" (index . 2)))) }}
{{- if not (has (first .) $given) }}{{ $watched = append $watched (printf "%s=/run/airspark/secrets/%s" (first .) (first .)) }}{{ end }}
{{- end }}
{{- end }}
{{- if and $watched .watch }}
{{- $env = append $env (dict "name" "AIRSPARK_SECRETS" "value" (join ";" $watched)) }}
{{- end }}
{{- with include "airflow.timeZone" .root }}{{ $env = append $env (dict "name" "AIRSPARK_TIME_ZONE" "value" .) }}{{ end -}}
{{- with concat $env (default list .extra) (include "airflow.otelEnv" . | fromJsonArray) $user }}
{{- toYaml . }}
{{- end }}
{{- end -}}

{{- define "airflow.envFrom" -}}
{{- with .Values.extraEnvFrom }}{{ tpl . $ | trim }}{{ end -}}
{{- end -}}
