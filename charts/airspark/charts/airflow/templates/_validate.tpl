{{/*
Refusal of values that the schema cannot explain. Each check gives lines, one sentence a line: the key, what is wrong
with it and what to do. templates/validate.yaml says all of them at once.

  airflow.validate.refused     keys of what this chart does not have                        validate
  airflow.validate.unknown     keys at the top that look like a misspelt one                validate
  airflow.validate.names       names that Kubernetes would not take                         validate
  airflow.validate.versions    executor and version of Airflow                              validate
  airflow.validate.replicas    numbers of pods                                              validate
  airflow.validate.ports       ports of one pod                                             validate
*/}}

{{- define "airflow.validate.refused" -}}
{{- range include "airflow.keys.given" (dict "root" . "file" "files/refused-keys.yaml") | fromJsonArray }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.unknown" -}}
{{- range include "airflow.keys.unknown" . | fromJsonArray }}
{{- with include "airflow.keys.misspelt" (dict "root" $ "key" .) }}
{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.names" -}}
{{- $name := include "airflow.fullname" . -}}
{{- $longest := .Values.databaseCleanup.enabled | ternary 35 40 -}}
{{- if gt (len $name) $longest }}
fullnameOverride: the name {{ $name }} is {{ len $name }} characters long and the names of pods leave room for {{ $longest }}; choose a shorter release name or `fullnameOverride`
{{- end }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
fullnameOverride: {{ $name }} cannot begin the name of a Service; use lower-case letters, digits and dashes, a letter first
{{- end }}
{{- range $template, $settings := .Values.workers.kubernetes.podTemplates }}
{{- if and $settings (or (eq $template "pod_template_file") (not (regexMatch "^[a-zA-Z0-9][-_.a-zA-Z0-9]{0,200}$" $template))) }}
workers.kubernetes.podTemplates.{{ $template }}: a task asks for it by the file {{ $template }}.yaml, which cannot be; use letters, digits, dashes and underscores, and not pod_template_file
{{- end }}
{{- end }}
{{- range $user, $settings := .Values.users }}
{{- $secret := include "airflow.secretName.user" (dict "root" $ "name" $user) }}
{{- if and $settings (not $settings.password) (not (regexMatch "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$" $secret)) }}
users.{{ $user }}: a password would be made in the Secret {{ $secret }}, which is no name for one; bring a password by `users.{{ $user }}.password.valueFrom.secretKeyRef`
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.versions" -}}
{{- if ne .Values.executor "KubernetesExecutor" }}
executor: this chart runs the KubernetesExecutor, not {{ .Values.executor }}; remove the key, and set tasks' resources under `workers.kubernetes`
{{- end }}
{{- $version := .Values.airflowVersion }}
{{- if not (regexMatch "^[0-9]+\\.[0-9]+\\.[0-9]+" $version) }}
airflowVersion: {{ $version }} is no version; write the one of the image, for example 3.3.2
{{- else if semverCompare "<3.2.2-0" (regexFind "^[0-9]+\\.[0-9]+\\.[0-9]+" $version) }}
airflowVersion: the chart knows Airflow 3.2.2 and newer, not {{ $version }}, whose task tokens expire while a pod is pending; use an image of a newer Airflow
{{- end }}
{{- range $name := list "apiServer" "dagProcessor" "scheduler" }}
{{- if eq (toString (get (get $.Values $name) "enabled")) "false" }}
{{ $name }}.enabled: Airflow 3 does not work without it; remove the key, or set `{{ $name }}.replicas` to 0 for a while
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.replicas" -}}
{{- with .Values.apiServer.hpa }}
{{- if and .enabled (gt (int .minReplicaCount) (int .maxReplicaCount)) }}
apiServer.hpa.minReplicaCount: {{ .minReplicaCount }} pods at least and {{ .maxReplicaCount }} at most cannot be; raise `apiServer.hpa.maxReplicaCount`
{{- end }}
{{- end }}
{{- range $name := list "apiServer" "dagProcessor" "pgbouncer" "scheduler" "triggerer" }}
{{- $config := dig "podDisruptionBudget" "config" dict (get $.Values $name | merge dict) | default dict }}
{{- if and (not (kindIs "invalid" $config.minAvailable)) (not (kindIs "invalid" $config.maxUnavailable)) }}
{{ $name }}.podDisruptionBudget.config: Kubernetes takes minAvailable or maxUnavailable, not both; remove one
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.validate.ports" -}}
{{- $pods := dict
  "sparkClient.ports" .Values.sparkClient.ports
  "ports" (pick .Values.ports "statsdIngest" "statsdScrape") -}}
{{- range $where, $ports := $pods }}
{{- $seen := dict }}
{{- range $name := keys $ports | sortAlpha }}
{{- $port := get $ports $name | toString }}
{{- with get $seen $port }}
{{ $where }}.{{ $name }}: {{ $port }} is the port of `{{ $where }}.{{ . }}` in the same pod; choose another
{{- end }}
{{- $_ := set $seen $port $name }}
{{- end }}
{{- end }}
{{- end -}}
