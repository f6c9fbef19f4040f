{{/*
Names. Every object's name comes from here and from nowhere else.

  airflow.fullname              prefix of all names                 every template
  airflow.labels                labels of an object                 every template   (dict root, component, values)
  airflow.podLabels             labels of a pod                     pods             (dict root, component, values)
  airflow.selectorLabels        labels that select pods             workloads        (dict root, component)
  airflow.serviceAccountName    account of a component              workloads, RBAC  (dict root, component, values)
  airflow.secretName.*          Secrets, brought or made            pods, bootstrap
  airflow.secretKey.metadata    key of the metadata Secret          pods, bootstrap
  airflow.claimName.*           claims of logs and DAGs             pods, claims
  airflow.mountClaim            claim of a mount                    task pods        (dict root, name)
  airflow.sparkSecret           Secret that every Spark process of the release shares   task pods, config
  airflow.image, .workerImage, .partImage   image references        pods, config
  airflow.imagePullSecrets      as a list of {name}                 every pod
  airflow.layers                maps over maps, as JSON; null says nothing, and no map is changed   (list of maps)
*/}}

{{- define "airflow.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if and .Values.useStandardNaming (not (contains (default .Chart.Name .Values.nameOverride) .Release.Name)) -}}
{{- printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) -}}
{{- else -}}
{{- .Release.Name -}}
{{- end -}}
{{- end -}}

{{- define "airflow.selectorLabels" -}}
tier: airflow
component: {{ .component }}
release: {{ .root.Release.Name }}
{{- end -}}

{{- define "airflow.labels" -}}
{{- $object := dict "app.kubernetes.io/managed-by" .root.Release.Service "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- include "common.map" (list (mergeOverwrite $object (include "airflow.podLabels" . | fromYaml)) .root) -}}
{{- end -}}

{{- /* What selects pods stays the chart's own. */}}
{{- define "airflow.podLabels" -}}
{{- $chart := dict
  "app.kubernetes.io/name" (default .root.Chart.Name .root.Values.nameOverride)
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/component" .component
  "app.kubernetes.io/part-of" "airspark" -}}
{{- $user := mergeOverwrite dict .root.Values.labels (default dict (default dict .values).labels) -}}
{{- include "common.map" (list (mergeOverwrite $chart $user (include "airflow.selectorLabels" . | fromYaml)) .root) -}}
{{- end -}}

{{- define "airflow.serviceAccountName" -}}
{{- default (printf "%s-airflow-%s" (include "airflow.fullname" .root) .component) (tpl (default "" (default dict .values.serviceAccount).name) .root) -}}
{{- end -}}

{{- define "airflow.secretName.metadata" -}}
{{- default (printf "%s-metadata" (include "airflow.fullname" .)) (tpl (default "" .Values.data.metadataSecretName) .) -}}
{{- end -}}
{{- define "airflow.secretKey.metadata" -}}
{{- .Values.data.metadataSecretName | empty | ternary "connection" (default "connection" .Values.data.metadataSecretKey) -}}
{{- end -}}
{{- define "airflow.secretName.fernet" -}}
{{- default (printf "%s-fernet-key" (include "airflow.fullname" .)) (tpl (default "" .Values.fernetKeySecretName) .) -}}
{{- end -}}
{{- define "airflow.secretName.jwt" -}}
{{- default (printf "%s-jwt-secret" (include "airflow.fullname" .)) (tpl (default "" .Values.jwtSecretName) .) -}}
{{- end -}}
{{- define "airflow.secretName.jwtKeys" -}}
{{- default (printf "%s-jwt-keys" (include "airflow.fullname" .)) (tpl (default "" .Values.jwtKeyPair.secretName) .) -}}
{{- end -}}
{{- define "airflow.secretName.api" -}}
{{- default (printf "%s-api-secret-key" (include "airflow.fullname" .)) (tpl (default "" .Values.apiSecretKeySecretName) .) -}}
{{- end -}}
{{- define "airflow.secretName.postgresql" -}}
{{- default (printf "%s-postgresql" (include "airflow.fullname" .)) (tpl (default "" .Values.postgresql.auth.existingSecret) .) -}}
{{- end -}}
{{- define "airflow.secretName.databasePassword" -}}
{{- default (include "airflow.secretName.postgresql" .) (tpl (default "" .Values.data.metadataConnection.passwordSecretName) .) -}}
{{- end -}}
{{- define "airflow.secretName.admin" -}}
{{- default (printf "%s-admin" (include "airflow.fullname" .)) (tpl (default "" .Values.createUserJob.existingSecret) .) -}}
{{- end -}}
{{- define "airflow.secretName.pgbouncer" -}}
{{- default (printf "%s-pgbouncer-config" (include "airflow.fullname" .)) (tpl .Values.pgbouncer.configSecretName .) -}}
{{- end -}}

{{- define "airflow.secretName.user" -}}
{{- printf "%s-user-%s" (include "airflow.fullname" .root) (lower .name | replace "_" "-" | replace "@" "-at-") -}}
{{- end -}}

{{- define "airflow.claimName.logs" -}}
{{- default (printf "%s-logs" (include "airflow.fullname" .)) (tpl .Values.logs.persistence.existingClaim .) -}}
{{- end -}}
{{- define "airflow.claimName.dags" -}}
{{- default (printf "%s-dags" (include "airflow.fullname" .)) (tpl .Values.dags.persistence.existingClaim .) -}}
{{- end -}}

{{- define "airflow.claimName.backup" -}}
{{- default (printf "%s-backup" (include "airflow.fullname" .)) (tpl .Values.backup.persistence.existingClaim .) -}}
{{- end -}}

{{- define "airflow.mountClaim" -}}
{{- $claim := default (get (.root.Values.global.claims | default dict) .name) (get .root.Values.mounts .name).claim -}}
{{- tpl ($claim | default "") .root -}}
{{- end -}}

{{- define "airflow.sparkSecret" -}}
{{- tpl (dig "spark" "authSecretName" "" (.Values.global | default dict)) . -}}
{{- end -}}

{{- define "airflow.image.repository" -}}
{{- default .Values.defaultAirflowRepository .Values.images.airflow.repository -}}
{{- end -}}
{{- define "airflow.image.tag" -}}
{{- default (default .Chart.AppVersion .Values.defaultAirflowTag) .Values.images.airflow.tag -}}
{{- end -}}
{{- define "airflow.image" -}}
{{- $digest := default .Values.defaultAirflowDigest .Values.images.airflow.digest -}}
{{ include "airflow.image.repository" . }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ include "airflow.image.tag" . }}{{ end }}
{{- end -}}
{{- define "airflow.workerImage.repository" -}}
{{- default (include "airflow.image.repository" .) .Values.images.pod_template.repository -}}
{{- end -}}
{{- define "airflow.workerImage.tag" -}}
{{- default (include "airflow.image.tag" .) .Values.images.pod_template.tag -}}
{{- end -}}
{{- define "airflow.workerImage" -}}
{{- $image := .Values.images.pod_template -}}
{{- $digest := default .Values.defaultAirflowDigest .Values.images.airflow.digest -}}
{{- if or $image.repository $image.tag $image.digest }}{{ $digest = $image.digest }}{{ end -}}
{{ include "airflow.workerImage.repository" . }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ include "airflow.workerImage.tag" . }}{{ end }}
{{- end -}}
{{- define "airflow.partImage" -}}
{{- $image := get .root.Values.images .name -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .root.Chart.AppVersion $image.tag }}{{ end }}
{{- end -}}

{{- /* mergeOverwrite would write the later maps into the earlier ones, which belong to the values. */}}
{{- define "airflow.layers" -}}
{{- $merged := dict -}}
{{- range . }}
{{- range $key, $value := . }}
{{- if and (kindIs "map" $value) (kindIs "map" (get $merged $key)) }}
{{- $value = include "airflow.layers" (list (get $merged $key) $value) | fromJson }}
{{- end }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $merged $key $value }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $merged -}}
{{- end -}}

{{- define "airflow.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.imagePullSecrets (list (default dict .Values.registry).secretName) -}}
{{- with kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") . }}
{{- $names = append $names (dict "name" (tpl . $)) }}
{{- end }}
{{- end -}}
{{- with $names | uniq }}
{{- toYaml . }}
{{- end }}
{{- end -}}
