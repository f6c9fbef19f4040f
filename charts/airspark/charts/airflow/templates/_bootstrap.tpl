{{/*
The bootstrap Job.

  airflow.bootstrap.component   component and values of its pod, as JSON                  job, configmap, RBAC
  airflow.bootstrap.objects     connections, variables, pools, roles, users, as JSON      settings, env
  airflow.gitConnection         connection of the Git bundle, as JSON                     objects
  airflow.sparkConnectConnection connection of the Connect server, as JSON                objects
  airflow.bootstrap.references  texts that stand in Secrets, by variable, as JSON         settings, env
  airflow.bootstrap.settings    what it puts into Airflow, as JSON                        configmap
  airflow.bootstrap.customEnv   whether it gets `env`, `extraEnv`, `extraEnvFrom`         podSpec
  airflow.bootstrap.env         variables, those for texts that stand in Secrets too      podSpec
  airflow.bootstrap.files       data of its ConfigMap                                     configmap, hash
*/}}

{{- /* What the official chart's two Jobs are given is this Job's too. */}}
{{- define "airflow.bootstrap.component" -}}
{{- $layers := list .Values.bootstrap -}}
{{- range list .Values.createUserJob .Values.migrateDatabaseJob }}
{{- $job := omit . "enabled" "existingSecret" "defaultUser" "applyCustomEnv" "useHelmHooks" "ttlSecondsAfterFinished" }}
{{- $said := dict }}
{{- range $key, $value := $job }}{{ if $value }}{{ $_ := set $said $key $value }}{{ end }}{{ end }}
{{- $layers = append $layers $said }}
{{- end }}
{{- dict "component" "bootstrap" "values" (include "airflow.layers" $layers | fromJson) | toJson -}}
{{- end -}}

{{- define "airflow.bootstrap.objects" -}}
{{- $users := dict -}}
{{- range $name, $user := .Values.users }}
{{- if $user }}
{{- $made := dict "firstName" $name "lastName" "" "password" (dict "valueFrom" (dict "secretKeyRef" (dict "name" (include "airflow.secretName.user" (dict "root" $ "name" $name)) "key" "password"))) }}
{{- $_ := set $users $name (merge (dict) $user $made) }}
{{- end }}
{{- end }}
{{- $variables := dict -}}
{{- range $key, $variable := .Values.variables }}
{{- if not (kindIs "invalid" $variable) }}
{{- $whole := and (kindIs "map" $variable) (not (hasKey (kindIs "map" $variable | ternary $variable dict) "valueFrom")) }}
{{- $_ := set $variables $key ($whole | ternary $variable (dict "value" $variable)) }}
{{- end }}
{{- end }}
{{- $given := dict "connections" .Values.connections "pools" .Values.pools "roles" .Values.roles -}}
{{- $objects := dict "users" $users "variables" $variables -}}
{{- range $kind, $items := $given }}
{{- $kept := dict }}
{{- range $name, $item := $items }}
{{- if $item }}{{ $_ := set $kept $name $item }}{{ end }}
{{- end }}
{{- $_ := set $objects $kind $kept }}
{{- end }}
{{- if .Values.dags.gitSync.enabled }}
{{- $_ := set $objects.connections "git_dags" (merge (dict) (get $objects.connections "git_dags" | default dict) (include "airflow.gitConnection" . | fromJson)) }}
{{- end }}
{{- if .Values.global.spark.connect.enabled }}
{{- $_ := set $objects.connections "spark_connect_default" (merge (dict) (get $objects.connections "spark_connect_default" | default dict) (include "airflow.sparkConnectConnection" . | fromJson)) }}
{{- end }}
{{- tpl (toYaml $objects) . | fromYaml | toJson -}}
{{- end -}}

{{- define "airflow.gitConnection" -}}
{{- $git := .Values.dags.gitSync -}}
{{- $connection := dict "type" "git" "host" $git.repo -}}
{{- with $git.credentialsSecret }}
{{- $_ := set $connection "login" (dict "valueFrom" (dict "secretKeyRef" (dict "name" . "key" "GITSYNC_USERNAME"))) }}
{{- $_ := set $connection "password" (dict "valueFrom" (dict "secretKeyRef" (dict "name" . "key" "GITSYNC_PASSWORD"))) }}
{{- end }}
{{- with $git.sshKeySecret }}
{{- $key := dict "valueFrom" (dict "secretKeyRef" (dict "name" . "key" "gitSshKey")) }}
{{- $extra := dict "private_key" $key "strict_host_key_checking" (empty $git.knownHosts | ternary "no" "yes") }}
{{- with include "airflow.knownHosts" $ }}{{ $_ := set $extra "known_hosts_file" . }}{{ end }}
{{- $_ := set $connection "extra" $extra }}
{{- end }}
{{- toJson $connection -}}
{{- end -}}

{{- define "airflow.sparkConnectConnection" -}}
{{- $connection := dict "type" "spark_connect" "description" "The Spark Connect server of this release"
      "host" (printf "%s-spark-connect" .Release.Name) "port" 15002 "login" "airflow" -}}
{{- /* Without authentication among Spark's processes, their Secret holds the token alone. */}}
{{- $secret := include "airflow.sparkSecret" . | default (printf "%s-spark-auth" .Release.Name) -}}
{{- toJson (set $connection "password" (dict "valueFrom" (dict "secretKeyRef" (dict "name" $secret "key" "connect-token")))) -}}
{{- end -}}

{{- define "airflow.bootstrap.references" -}}
{{- $pattern := `\{"valueFrom":\{"secretKeyRef":\{"key":"[^"]*","name":"[^"]*"\}\}\}` -}}
{{- $found := dict -}}
{{- range regexFindAll $pattern (include "airflow.bootstrap.objects" .) -1 | uniq }}
{{- $_ := set $found (printf "AIRSPARK_TEXT_%s" (sha256sum . | trunc 10 | upper)) . }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{- define "airflow.bootstrap.settings" -}}
{{- $objects := include "airflow.bootstrap.objects" . -}}
{{- range $name, $reference := include "airflow.bootstrap.references" . | fromJson }}
{{- $objects = replace $reference (dict "env" $name | toJson) $objects }}
{{- end }}
{{- $simple := eq .Values.auth.manager "simple" -}}
{{- $user := and .Values.createUserJob.enabled (not $simple) | ternary (omit .Values.createUserJob.defaultUser "username") nil -}}
{{- $providers := list -}}
{{- if .Values.logs.remote.enabled }}
{{- $providers = append $providers (get (dict "s3" "amazon" "gcs" "google" "azure" "microsoft-azure") .Values.logs.remote.provider) }}
{{- end }}
{{- if .Values.dags.gitSync.enabled }}{{ $providers = append $providers "git" }}{{ end }}
{{- if .Values.elasticsearch.enabled }}{{ $providers = append $providers "elasticsearch" }}{{ end }}
{{- if .Values.opensearch.enabled }}{{ $providers = append $providers "opensearch" }}{{ end }}
{{- $names := list }}
{{- range $providers }}{{ $names = append $names (printf "apache-airflow-providers-%s" .) }}{{ end }}
{{- toPrettyJson (merge (dict
  "databaseDeadlineSeconds" .Values.bootstrap.databaseDeadlineSeconds
  "lockDeadlineSeconds" .Values.bootstrap.lockDeadlineSeconds
  "migrate" .Values.migrateDatabaseJob.enabled
  "authManager" ($simple | ternary "simple" "fab")
  "providers" $names
  "user" $user) (fromJson $objects)) -}}
{{- end -}}

{{- define "airflow.bootstrap.customEnv" -}}
{{- if and (ne .Values.migrateDatabaseJob.applyCustomEnv false) (ne .Values.createUserJob.applyCustomEnv false) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.bootstrap.env" -}}
# The auth manager tells of each of its 400 permissions.
- name: AIRFLOW__LOGGING__LOGGING_LEVEL
  value: ERROR
{{- $direct := .Values.pgbouncer.enabled | ternary "direct" (include "airflow.secretKey.metadata" .) }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.metadata" . }}, key: {{ $direct }}}
- name: AIRFLOW__CORE__FERNET_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.fernet" . }}, key: fernet-key}
{{- if and .Values.createUserJob.enabled (ne .Values.auth.manager "simple") }}
{{- range $key := list "username" "password" }}
- name: ADMIN_{{ upper $key }}
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.admin" $ }}, key: {{ $key }}}
{{- end }}
{{- end }}
{{- range $name, $reference := include "airflow.bootstrap.references" . | fromJson }}
- name: {{ $name }}
  {{- fromJson $reference | toYaml | nindent 2 }}
{{- end }}
{{- if include "airflow.bootstrap.customEnv" . }}
{{- $values := (include "airflow.bootstrap.component" . | fromJson).values }}
{{- with include "airflow.env" (dict "root" . "values" $values "secrets" list) }}
{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.bootstrap.files" -}}
secrets.json: |
  {{- include "airflow.bootstrap.secrets" . | fromJsonArray | toPrettyJson | nindent 2 }}
settings.json: |
  {{- include "airflow.bootstrap.settings" . | nindent 2 }}
{{- range $path, $_ := .Files.Glob "files/scripts/{bootstrap,create_secrets,metadata}*.py" }}
{{ base $path }}: |
  {{- $.Files.Get $path | trim | nindent 2 }}
{{- end }}
{{- end -}}

