{{/*
The bootstrap Job.

  airflow.bootstrap.component   component and values of its pod, as JSON                  job, configmap, RBAC
  airflow.bootstrap.objects     connections, variables, pools, roles, users, as JSON      settings, env
  airflow.gitConnection         connection of the Git bundle, as JSON                     objects
  airflow.sparkConnectConnection connection of the Connect server, as JSON                objects
  airflow.bootstrap.references  texts that stand in Secrets, by variable, as JSON         settings, env
  airflow.bootstrap.providers   packages that values ask for, and by which key, as JSON   settings
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
{{- $values := include "airflow.layers" $layers | fromJson }}
{{- range $key, $value := $values }}
{{- if and (kindIs "slice" $value) (not (has $key (list "args" "command"))) }}
{{- $all := list }}
{{- range $layers }}{{ $all = concat $all (get . $key | default list) }}{{ end }}
{{- $_ := set $values $key (uniq $all) }}
{{- end }}
{{- end }}
{{- dict "component" "bootstrap" "values" $values | toJson -}}
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
{{- $_ := set $variables $key ($whole | ternary $variable (dict "value" (kindIs "map" $variable | ternary $variable (include "common.text" $variable)))) }}
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
{{- include "common.json" (list $objects .) -}}
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
{{- $extra := dict "private_key" $key "strict_host_key_checking" "yes" }}
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

{{- define "airflow.bootstrap.providers" -}}
{{- $query := dict "root" . "given" (include "airflow.settings.given" . | fromJson) -}}
{{- $asked := list -}}
{{- $remote := .Values.logs.remote -}}
{{- if include "airflow.logs.remote" . }}
{{- $folder := include "airflow.setting" (merge (dict "section" "logging" "key" "remote_base_log_folder" "default" ($remote.enabled | ternary $remote.folder "")) $query) | fromJson }}
{{- $stores := dict "s3" "amazon" "cloudwatch" "amazon" "gs" "google" "stackdriver" "google" "oss" "alibaba" "hdfs" "apache-hdfs" }}
{{- $store := get $stores (splitList "://" $folder.value | first) | default (hasPrefix "wasb" $folder.value | ternary "microsoft-azure" "") }}
{{- with $store }}{{ $asked = append $asked (dict "package" (printf "apache-airflow-providers-%s" .) "key" (default "logs.remote.folder" $folder.where)) }}{{ end }}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $host := include "airflow.setting" (merge (dict "section" $name "key" "host") $query) | fromJson }}
{{- $on := get (get $.Values $name) "enabled" }}
{{- if and (not $store) (or $on $host.value $host.hidden) }}
{{- $asked = append $asked (dict "package" (printf "apache-airflow-providers-%s" $name) "key" ($on | ternary (printf "%s.enabled" $name) $host.where)) }}
{{- end }}
{{- end }}
{{- end }}
{{- $list := include "airflow.setting" (merge (dict "section" "dag_processor" "key" "dag_bundle_config_list") $query) | fromJson }}
{{- $where := $list.where | default (.Values.dags.gitSync.enabled | ternary "dags.gitSync.enabled" "dagProcessor.dagBundleConfigList") }}
{{- $classes := list }}
{{- range include "airflow.bundles.effective" . | fromJsonArray }}{{ $classes = append $classes (list .classpath $where) }}{{ end }}
{{- range list (list "core" "auth_manager") (list "secrets" "backend") }}
{{- $setting := include "airflow.setting" (merge (dict "section" (first .) "key" (last .)) $query) | fromJson }}
{{- $classes = append $classes (list $setting.value $setting.where) }}
{{- end }}
{{- range $classes }}
{{- $key := last . }}
{{- with first . | include "airflow.provider" }}{{ $asked = append $asked (dict "package" . "key" $key) }}{{ end }}
{{- end }}
{{- $asked | uniq | toJson -}}
{{- end -}}

{{- define "airflow.bootstrap.settings" -}}
{{- $objects := include "airflow.bootstrap.objects" . -}}
{{- range $name, $reference := include "airflow.bootstrap.references" . | fromJson }}
{{- $objects = replace $reference (dict "env" $name | toJson) $objects }}
{{- end }}
{{- $users := include "airflow.auth.users" . -}}
{{- $user := and .Values.createUserJob.enabled $users | empty | ternary nil (omit .Values.createUserJob.defaultUser "username") -}}
{{- toPrettyJson (merge (dict
  "databaseDeadlineSeconds" .Values.bootstrap.databaseDeadlineSeconds
  "lockDeadlineSeconds" .Values.bootstrap.lockDeadlineSeconds
  "migrate" .Values.migrateDatabaseJob.enabled
  "authManager" (empty $users | ternary (include "airflow.auth" .) "fab")
  "providers" (include "airflow.bootstrap.providers" . | fromJsonArray)
  "user" $user) (fromJson $objects)) -}}
{{- end -}}

{{- define "airflow.bootstrap.customEnv" -}}
{{- if and (ne .Values.migrateDatabaseJob.applyCustomEnv false) (ne .Values.createUserJob.applyCustomEnv false) }}yes{{ end -}}
{{- end -}}

{{- define "airflow.bootstrap.env" -}}
# The auth manager tells of each of its 400 permissions.
- name: AIRFLOW__LOGGING__LOGGING_LEVEL
  value: ERROR
- name: AIRFLOW_HOME
  value: {{ .Values.airflowHome }}
{{- $direct := include "airflow.database.madeDirect" . | empty | ternary (include "airflow.secretKey.metadata" .) "direct" }}
{{- include "airflow.database.pastBouncer" . }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.metadata" . }}, key: {{ $direct }}}
- name: AIRFLOW__CORE__FERNET_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "airflow.secretName.fernet" . }}, key: fernet-key}
{{- if and .Values.createUserJob.enabled (include "airflow.auth.users" .) }}
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

