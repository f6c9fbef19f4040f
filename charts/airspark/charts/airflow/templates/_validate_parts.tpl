{{/*
More checks of values, as in _validate.tpl: a line is a sentence.

  airflow.validate.logs       task logs that would be lost, or that no second pod can write    validate
  airflow.validate.dags       where DAGs come from                                              validate
  airflow.validate.access     login, and how open it stands                                     validate
  airflow.validate.secrets    Secrets that nobody brings or makes                               validate
  airflow.validate.metrics    metrics that nobody sends                                         validate
*/}}

{{- define "airflow.validate.logs" -}}
{{- $logs := .Values.logs -}}
{{- $claimed := include "airflow.logs.claimed" . -}}
{{- if not (or $claimed (include "airflow.logs.remote" .) $logs.emptyDirConfig) }}
logs.persistence.enabled: a task's log would be lost with its pod; keep the claim, send logs away by `logs.remote`, `elasticsearch` or `opensearch`, or say that you mean it by `logs.emptyDirConfig`, for example {sizeLimit: 1Gi}
{{- end }}
{{- if and $claimed (hasPrefix "ReadWriteOnce" $logs.persistence.accessMode) (not $logs.persistence.singleNode) }}
{{- range $name := include "airflow.logs.several" . | fromJsonArray }}
logs.persistence.accessMode: a claim of {{ $logs.persistence.accessMode }} is for the pods of one node, and `{{ $name }}` has several; set ReadWriteMany, send logs away by `logs.remote`, or say that all pods are on one node by `logs.persistence.singleNode`
{{- end }}
{{- end }}
{{- if $logs.remote.enabled }}
{{- $schemes := dict "s3" "s3://" "gcs" "gs://" "azure" "wasb" }}
{{- $scheme := get $schemes $logs.remote.provider }}
{{- if not (hasPrefix $scheme $logs.remote.folder) }}
logs.remote.folder: {{ $logs.remote.folder | quote }} is no folder of the provider {{ $logs.remote.provider }}; write one that begins with {{ $scheme }}
{{- end }}
{{- end }}
{{- $indexes := list }}
{{- range $name := list "elasticsearch" "opensearch" }}
{{- $index := get $.Values $name }}
{{- if $index.enabled }}
{{- $indexes = append $indexes $name }}
{{- if not (or $index.secretName $index.connection.host) }}
{{ $name }}.secretName: names no Secret with the key `connection`, and `{{ $name }}.connection.host` no host; set one of them
{{- end }}
{{- end }}
{{- end }}
{{- if gt (add (len $indexes) ($logs.remote.enabled | ternary 1 0)) 1 }}
logs.remote.enabled, elasticsearch.enabled, opensearch.enabled: Airflow sends logs to one place; switch on one of them
{{- end }}
{{- end -}}

{{- define "airflow.validate.dags" -}}
{{- $git := .Values.dags.gitSync -}}
{{- if $git.enabled }}
{{- if not $git.repo }}
dags.gitSync.repo: names no repository; set its address, or switch `dags.gitSync.enabled` off
{{- end }}
{{- if .Values.dags.persistence.enabled }}
dags.persistence.enabled: DAGs come from Git or from a claim, not from both; switch this or `dags.gitSync.enabled` off
{{- end }}
{{- if and $git.enabled $git.sshKeySecret (not $git.knownHosts) }}
dags.gitSync.knownHosts: it is empty, so any server that answers in place of the repository's host could bring DAGs; write the lines that `ssh-keyscan` prints for the host, after a look at the fingerprints that its owner publishes
{{- end }}
{{- if and $git.credentialsSecret $git.sshKeySecret }}
dags.gitSync.credentialsSecret: a repository is opened by a password or by a key, not by both; remove this or `dags.gitSync.sshKeySecret`
{{- end }}
{{- $baked := list (dict "name" "dags-folder" "classpath" "airflow.dag_processing.bundles.local.LocalDagBundle" "kwargs" dict) }}
{{- if ne (toJson .Values.dagProcessor.dagBundleConfigList) (toJson $baked) }}
dagProcessor.dagBundleConfigList: the bundle of `dags.gitSync` takes its place; put a Git bundle into the list, or remove the list
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.access" -}}
{{- $service := .Values.apiServer.service.type -}}
{{- $auth := include "airflow.auth" . }}
{{- $class := include "airflow.setting" (dict "root" . "section" "core" "key" "auth_manager") | fromJson }}
{{- $key := $class.where | default "auth.manager" }}
{{- $everybody := include "airflow.setting.on" (dict "root" . "section" "core" "key" "simple_auth_manager_all_admins" "default" "True") }}
{{- if eq $auth "simple" }}
{{- $doors := list }}
{{- if or .Values.ingress.enabled .Values.ingress.apiServer.enabled }}{{ $doors = append $doors "ingress.apiServer.enabled" }}{{ end }}
{{- if .Values.apiServer.httpRoute.enabled }}{{ $doors = append $doors "apiServer.httpRoute.enabled" }}{{ end }}
{{- if eq $service "LoadBalancer" }}{{ $doors = append $doors "apiServer.service.type: LoadBalancer" }}{{ end }}
{{- with empty $everybody | ternary list $doors }}
{{ $key }}: `simple` makes everybody an administrator without a login, and {{ join ", " . }} opens it to the network; set `fab` or `oidc`
{{- end }}
{{- range $key := list "users" "roles" }}
{{- if get $.Values $key }}
{{ $key }}: there are none with `auth.manager: simple`, which knows no login; set `fab`, or remove them
{{- end }}
{{- end }}
{{- else if eq $auth "other" }}
{{- range $list := list "users" "roles" }}
{{- if get $.Values $list }}
{{ $list }}: the FAB auth manager alone keeps them in the database, and {{ $key }} is {{ $class.value | default "in a Secret" }}; remove them, or remove that
{{- end }}
{{- end }}
{{- else if eq $auth "oidc" }}
{{- $missing := list }}
{{- range $key := list "issuer" "clientId" "clientSecretName" }}
{{- if not (get $.Values.auth.oidc $key) }}{{ $missing = append $missing (printf "auth.oidc.%s" $key) }}{{ end }}
{{- end }}
{{- with $missing }}
{{ join ", " . }}: missing, and `auth.manager: oidc` cannot ask the provider without; set what the provider gave you
{{- end }}
{{- if not (or .Values.auth.oidc.roleMapping .Values.auth.oidc.defaultRole) }}
auth.oidc.roleMapping: nobody would get a role; map the provider's groups to roles, or give everybody one by `auth.oidc.defaultRole`
{{- end }}
{{- end }}
{{- with .Values.apiServer.httpRoute }}
{{- if and .enabled (not .parentRefs) }}
apiServer.httpRoute.parentRefs: names no Gateway, so nothing would serve the route; set it, for example [{name: my-gateway}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.secrets" -}}
{{- $all := .Values -}}
{{- $connection := $all.data.metadataConnection -}}
{{- $external := or $connection.host (not $all.postgresql.enabled) -}}
{{- if and $external (not $all.data.metadataSecretName) (not (and $connection.host $connection.passwordSecretName)) }}
data.metadataSecretName: the database is not the chart's, and no Secret opens it; name one whose key `connection` holds the URL, or set `data.metadataConnection.host` and `data.metadataConnection.passwordSecretName`
{{- end }}
{{- if and $all.jwtKeyPair.enabled $all.jwtSecretName }}
jwtSecretName: tokens are signed by a shared secret or by a key pair, not by both; remove this, or switch `jwtKeyPair.enabled` off
{{- end }}
{{- $login := and $all.createUserJob.enabled (include "airflow.auth.users" .) -}}
{{- $brought := dict
  "data.metadataSecretName" $all.data.metadataSecretName
  "fernetKeySecretName" $all.fernetKeySecretName
  "apiSecretKeySecretName" $all.apiSecretKeySecretName -}}
{{- $_ := set $brought ($all.jwtKeyPair.enabled | ternary "jwtKeyPair.secretName" "jwtSecretName") ($all.jwtKeyPair.enabled | ternary $all.jwtKeyPair.secretName $all.jwtSecretName) }}
{{- if $all.postgresql.enabled }}
{{- $_ := set $brought "postgresql.auth.existingSecret" $all.postgresql.auth.existingSecret }}
{{- $_ := set $brought "postgresql.tls.secretName" (default dict $all.postgresql.tls).secretName }}
{{- end }}
{{- if $all.pgbouncer.enabled }}{{ $_ := set $brought "pgbouncer.configSecretName" $all.pgbouncer.configSecretName }}{{ end }}
{{- if $login }}{{ $_ := set $brought "createUserJob.existingSecret" $all.createUserJob.existingSecret }}{{ end }}
{{- range $name, $user := $all.users }}
{{- if $user }}{{ $_ := set $brought (printf "users.%s.password" $name) $user.password }}{{ end }}
{{- end }}
{{- $missing := list }}
{{- range $key, $name := $brought }}{{ if not $name }}{{ $missing = append $missing $key }}{{ end }}{{ end }}
{{- if and $all.gitops.enabled $missing }}
{{ join ", " $missing }}: missing, and with `gitops.enabled` the bootstrap Job makes no Secret; name the Secrets that you bring
{{- end }}
{{- $rotated := dict
  "fernetKey" "fernetKeySecretName" "apiSecretKey" "apiSecretKeySecretName" "databasePassword" "postgresql.auth.existingSecret"
  "jwtSecret" ($all.jwtKeyPair.enabled | ternary "jwtKeyPair.secretName" "jwtSecretName") "adminPassword" "createUserJob.existingSecret" }}
{{- range $rotation, $key := $rotated }}
{{- $owner := $key }}
{{- if and (get $all.rotation $rotation) (get $brought $key) }}
rotation.{{ $rotation }}: rotates what the bootstrap Job made, and `{{ $owner }}` brings it; rotate your Secret in its own place, and remove this
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.metrics" -}}
{{- $metrics := .Values.metrics -}}
{{- range $name := list "serviceMonitor" "podMonitor" }}
{{- if and (get $metrics $name).enabled (not $.Values.statsd.enabled) }}
metrics.{{ $name }}.enabled: there is nothing to read without the statsd exporter; set `statsd.enabled`
{{- end }}
{{- end }}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled }}
metrics.podMonitor.enabled: the ServiceMonitor already reads the statsd exporter, and two would count everything twice; keep one of them
{{- end }}
{{- if and $metrics.prometheusRule.enabled (not $.Values.statsd.enabled) (not $metrics.prometheusRule.selector) }}
metrics.prometheusRule.enabled: alerts are about the statsd exporter's metrics; set `statsd.enabled`, or name your own by `metrics.prometheusRule.selector`
{{- end }}
{{- if and (or .Values.otelCollector.metricsEnabled .Values.otelCollector.tracesEnabled) (not .Values.otelCollector.endpoint) }}
otelCollector.endpoint: nobody is there to send to; name your collector, for example http://collector:4318
{{- end }}
{{- end -}}
