{{/*
Checks of names in values, as in _validate.tpl: a line is a sentence.

  airflow.validate.places       pods whose values name things, as a JSON list of {path, component, values, containers, mounts}
  airflow.validate.executors    names of the executor that this chart runs, as JSON                     below
  airflow.validate.variables    variables of one key    (dict path, items, by, task)                   below
  airflow.validate.reserved     names that the chart needs for itself                                   validate
*/}}

{{- define "airflow.validate.places" -}}
{{- $all := .Values -}}
{{- $places := list -}}
{{- range $path, $component := dict "apiServer" "api-server" "scheduler" "scheduler" "dagProcessor" "dag-processor" "triggerer" "triggerer" }}
{{- $values := get $all $path }}
{{- $containers := list $component }}
{{- if $values.waitForMigrations.enabled }}{{ $containers = append $containers "wait-for-airflow-migrations" }}{{ end }}
{{- if dig "logGroomerSidecar" "enabled" false $values }}{{ $containers = append $containers (printf "%s-log-groomer" $component) }}{{ end }}
{{- $mounts := eq $path "scheduler" | ternary (dict (printf "%s/pod_templates" $all.airflowHome) "write them by `podTemplate` or `workers.kubernetes.podTemplates`") dict }}
{{- $places = append $places (dict "path" $path "component" $component "values" $values "containers" $containers "mounts" $mounts) }}
{{- range $part := list "waitForMigrations" "logGroomerSidecar" }}
{{- $places = append $places (dict "path" (printf "%s.%s" $path $part) "component" $component "values" (get $values $part | default dict)) }}
{{- end }}
{{- end }}
{{- $tasks := dict "workers" $all.workers "workers.kubernetes" $all.workers.kubernetes }}
{{- range $name, $named := $all.workers.kubernetes.podTemplates }}{{ $_ := set $tasks (printf "workers.kubernetes.podTemplates.%s" $name) $named }}{{ end }}
{{- $spark := dict "/opt/spark-conf" "write lines of spark-defaults.conf by `sparkClient.conf`" "/opt/spark-cluster" "mount yours elsewhere" }}
{{- range $path, $values := $tasks }}
{{- $places = append $places (dict "path" $path "component" "worker" "values" (default dict $values) "containers" (list "base") "mounts" $spark) }}
{{- end }}
{{- range $path := list "bootstrap" "createUserJob" "migrateDatabaseJob" }}
{{- $places = append $places (dict "path" $path "component" "bootstrap" "values" (get $all $path) "containers" (list "bootstrap" "create-secrets") "mounts" (dict "/opt/bootstrap" "mount yours elsewhere")) }}
{{- end }}
{{- $places = append $places (dict "path" "cleanup" "component" "cleanup" "values" $all.cleanup "containers" (list "airflow-cleanup-pods")) }}
{{- $places = append $places (dict "path" "databaseCleanup" "component" "database-cleanup" "values" $all.databaseCleanup "containers" (list "database-cleanup")) }}
{{- $places = append $places (dict "path" "backup" "component" "backup" "values" $all.backup "containers" (list "backup") "mounts" (dict "/backups" "bring a claim by `backup.persistence.existingClaim`")) }}
{{- $places = append $places (dict "path" "statsd" "component" "statsd" "values" $all.statsd "containers" (list "statsd") "mounts" (dict "/etc/statsd-exporter" "write mappings by `statsd.extraMappings`")) }}
{{- $bouncer := eq (toString $all.pgbouncer.mountConfigSecret) "false" | ternary dict (dict "/etc/pgbouncer" "bring the files by `pgbouncer.configSecretName`") }}
{{- $places = append $places (dict "path" "pgbouncer" "component" "pgbouncer" "values" $all.pgbouncer "containers" (list "pgbouncer" "metrics-exporter") "mounts" $bouncer) }}
{{- $places = append $places (dict "path" "helmTest" "component" "helm-test" "values" $all.helmTest) }}
{{- $global := dict "env" $all.env "labels" $all.labels "extraVolumes" $all.volumes "extraVolumeMounts" $all.volumeMounts }}
{{- toJson (append $places (dict "path" "" "component" "" "values" $global "mounts" (pick $spark "/opt/spark-conf"))) -}}
{{- end -}}

{{- define "airflow.validate.executors" -}}
{{- list "KubernetesExecutor" "KubernetesExecutor:airspark_executor.KubernetesExecutor"
      "airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor" | toJson -}}
{{- end -}}

{{- /* Variables of one key. The executor of the chart may be said again, and a task's own is nobody's matter. */}}
{{- define "airflow.validate.variables" -}}
{{- $names := dict -}}
{{- range list "SECRETS" "DATABASE_ADDRESS" "WAIT_CONNECTIONS" "JWT_KEYS" "KEDA_CONNECTION" "STUCK_SECONDS" "OIDC_CLIENT_SECRET" }}
{{- $_ := set $names (printf "AIRSPARK_%s" .) "is a variable that the chart sets itself; give yours another name" }}
{{- end }}
{{- range default list .items }}
{{- $name := kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) $.by) "" }}
{{- $same := and (kindIs "map" .) (has (toString .value) (include "airflow.validate.executors" . | fromJsonArray)) }}
{{- if and (eq (toString $name) "AIRFLOW__CORE__EXECUTOR") (not (or $same $.task)) }}
{{ $.path }}: AIRFLOW__CORE__EXECUTOR asks for another executor than the KubernetesExecutor, which this chart runs; remove the variable
{{- end }}
{{- end }}
{{- include "common.reserved" (dict "path" .path "items" .items "by" .by "names" $names) }}
{{- end -}}

{{- define "airflow.validate.reserved" -}}
{{- $labels := dict "tier" "airflow" "release" .Release.Name -}}
{{- $files := dict
  (printf "%s/airflow.cfg" .Values.airflowHome) "write lines of it by `config`"
  "/opt/airspark" "mount yours elsewhere"
  "/run/airspark/secrets" "mount yours elsewhere" }}
{{- $claim := and .Values.triggerer.enabled .Values.triggerer.persistence.enabled | ternary (dict
  "logs" "is the volume of `triggerer.persistence`; give yours another name") dict }}
{{- $line := dig "core" "executor" "" .Values.config | toString }}
{{- if not (or (empty $line) (contains "{{" $line) (has $line (include "airflow.validate.executors" . | fromJsonArray))) }}
config.core.executor: this chart runs the KubernetesExecutor, not {{ $line }}; remove the line
{{- end }}
{{- include "airflow.validate.variables" (dict "path" "secret" "items" .Values.secret "by" "envName") }}
{{- $extra := include "airflow.validate.list" (list .Values.extraEnv .) | fromJsonArray }}
{{- include "airflow.validate.variables" (dict "path" "extraEnv" "items" $extra "by" "name") }}
{{- range include "airflow.validate.places" . | fromJsonArray }}
{{- $values := .values }}
{{- $path := empty .path | ternary "" (printf "%s." .path) }}
{{- $volumes := empty .path | ternary "volumes" (printf "%sextraVolumes" $path) }}
{{- include "airflow.validate.variables" (dict "path" (printf "%senv" $path) "items" $values.env "by" "name" "task" (eq .component "worker")) }}
{{- if or (not .path) (eq .path "triggerer") }}
{{- include "common.reserved" (dict "path" $volumes "items" $values.extraVolumes "by" "name" "names" $claim) }}
{{- end }}
{{- $mounts := dict }}
{{- range $where, $say := merge (dict) (default dict .mounts) $files }}{{ $_ := set $mounts $where (printf "is the chart's own; %s" $say) }}{{ end }}
{{- $given := regexReplaceAll `\{\{-? *\.Values\.airflowHome *-?\}\}` (toJson (default list $values.extraVolumeMounts)) $.Values.airflowHome | fromJsonArray }}
{{- include "common.reserved" (dict "path" (printf "%s%s" $path (empty .path | ternary "volumeMounts" "extraVolumeMounts")) "items" $given "by" "mountPath" "names" $mounts) }}
{{- include "common.reservedOnce" (dict "path" (printf "%s%s" $path (empty .path | ternary "volumeMounts" "extraVolumeMounts")) "items" $values.extraVolumeMounts "by" "mountPath") }}
{{- include "common.reservedOnce" (dict "path" $volumes "items" $values.extraVolumes "by" "name") }}
{{- $containers := dict }}
{{- range .containers }}{{ $_ := set $containers . "is the name of the chart's own container in this pod; give yours another name" }}{{ end }}
{{- range $list := list "extraContainers" "extraInitContainers" }}
{{- include "common.reserved" (dict "path" (printf "%s%s" $path $list) "items" (get $values $list) "by" "name" "names" $containers) }}
{{- include "common.reservedOnce" (dict "path" (printf "%s%s" $path $list) "items" (get $values $list) "by" "name") }}
{{- end }}
{{- include "common.reservedTwice" (dict "path" (printf "%sextraContainers" $path) "items" $values.extraContainers "other" (printf "%sextraInitContainers" $path) "others" $values.extraInitContainers) }}
{{- include "common.reservedLabels" (dict "path" (printf "%slabels" $path) "labels" $values.labels "own" (merge (dict "component" .component) $labels)) }}
{{- end }}
{{- end -}}
