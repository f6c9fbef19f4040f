{{/*
Checks of names in values, as in _validate.tpl: a line is a sentence.

  spark.validate.places      pods whose values name things, as a JSON list of {path, values, containers, mounts, volumes, env}
  spark.validate.reserved    names that the chart needs for itself    validate
*/}}

{{- define "spark.validate.places" -}}
{{- $all := .Values -}}
{{- $recovery := $all.master.persistence.enabled | ternary (dict "recovery" "is the volume of `master.persistence`; give yours another name") dict -}}
{{- $places := list
  (dict "path" "master" "component" "spark-master" "values" $all.master "containers" (list "spark-master") "volumes" $recovery
    "env" (list "RECOVERY_MODE" "RECOVERY_DIRECTORY" "REST_JWS_KEY") "mounts" (dict "/opt/spark-recovery" "set `master.persistence`"))
  (dict "path" "historyServer" "component" "spark-history" "values" $all.historyServer "containers" (list "spark-history"))
  (dict "path" "connect" "component" "spark-connect" "values" $all.connect "containers" (list "spark-connect" "tls-proxy")
    "env" (list "SPARK_CONNECT_AUTHENTICATE_TOKEN") "mounts" (dict "/opt/spark-tls" "bring the certificate by `connect.tls`")) -}}
{{- range $group, $worker := include "spark.groups" . | fromJson }}
{{- $path := empty $group | ternary "worker" (printf "workers.groups.%s" $group) }}
{{- $places = append $places (dict "path" $path "component" "spark-worker" "values" $worker "containers" (list "spark-worker") "env" (list "MEMORY_LIMIT_MIB")) }}
{{- end }}
{{- toJson (append $places (dict "path" "" "component" "" "values" (dict "podLabels" $all.labels) "containers" list)) -}}
{{- end -}}

{{- define "spark.validate.reserved" -}}
{{- range include "spark.validate.places" . | fromJsonArray }}
{{- $values := .values }}
{{- $path := empty .path | ternary "" (printf "%s." .path) }}
{{- $env := dict "SPARK_CONF_DIR" "is where the chart's own configuration is; write lines of it by `sparkConf`" }}
{{- $_ := set $env "_SPARK_AUTH_SECRET" "is the secret of `security.passwordsSecretName`; name your Secret there" }}
{{- range .env }}{{ $_ := set $env . "is a variable that the chart sets itself; give yours another name" }}{{ end }}
{{- include "common.reserved" (dict "path" (printf "%sextraEnvVars" $path) "items" $values.extraEnvVars "by" "name" "names" $env) }}
{{- include "common.reserved" (dict "path" (printf "%sextraVolumes" $path) "items" $values.extraVolumes "by" "name" "names" (default dict .volumes)) }}
{{- $mounts := dict "/opt/spark-conf" "is the chart's own; write lines of spark-defaults.conf by `sparkConf`" }}
{{- range $where, $say := .mounts }}{{ $_ := set $mounts $where (printf "is the chart's own; %s" $say) }}{{ end }}
{{- include "common.reserved" (dict "path" (printf "%sextraVolumeMounts" $path) "items" $values.extraVolumeMounts "by" "mountPath" "names" $mounts) }}
{{- include "common.reservedOnce" (dict "path" (printf "%sextraVolumes" $path) "items" $values.extraVolumes "by" "name") }}
{{- include "common.reservedOnce" (dict "path" (printf "%sextraVolumeMounts" $path) "items" $values.extraVolumeMounts "by" "mountPath") }}
{{- $containers := dict }}
{{- range .containers }}{{ $_ := set $containers . "is the name of the chart's own container in this pod; give yours another name" }}{{ end }}
{{- range $list := list "sidecars" "initContainers" }}
{{- include "common.reserved" (dict "path" (printf "%s%s" $path $list) "items" (get $values $list) "by" "name" "names" $containers) }}
{{- include "common.reservedOnce" (dict "path" (printf "%s%s" $path $list) "items" (get $values $list) "by" "name") }}
{{- end }}
{{- include "common.reservedTwice" (dict "path" (printf "%ssidecars" $path) "items" $values.sidecars "other" (printf "%sinitContainers" $path) "others" $values.initContainers) }}
{{- $own := dict "tier" "spark" "component" .component "release" $.Release.Name "airspark.io/worker-group" "" }}
{{- include "common.reservedLabels" (dict "path" (empty .path | ternary "labels" (printf "%spodLabels" $path)) "labels" $values.podLabels "own" $own) }}
{{- end }}
{{- end -}}
