{{/*
Task pods.

  airflow.taskValues            values of a task pod, named templates included, as JSON    (dict root, name)
  airflow.launcherAccount       account of tasks that launch pods                          task pods, RBAC
  airflow.launchingAccounts     accounts that launch pods, as JSON                         launcher
  airflow.taskBasics            command, security context, resources of a task's container (dict root, values)
  airflow.taskSecrets           secrets that task pods get; none unless they write logs to a search index
  airflow.podTemplates          pod templates by file name                                 config
  airflow.ownPodTemplate        the text of `podTemplate` with the labels of task pods     podTemplates
  airflow.podTemplatesVolume    volume with all pod templates                              scheduler
  airflow.podPolicy             what task pods may have beyond their templates, as JSON    scheduler
*/}}

{{- define "airflow.taskValues" -}}
{{- $workers := .root.Values.workers -}}
{{- $named := get $workers.kubernetes.podTemplates (default "" .name) | default dict -}}
{{- include "airflow.layers" (list (omit $workers "kubernetes") (omit $workers.kubernetes "podTemplates" "launcher") $named) -}}
{{- end -}}

{{- /* A deferred task is resumed by the triggerer, which must see the same pods. */}}
{{- define "airflow.launchingAccounts" -}}
{{- $accounts := list (include "airflow.launcherAccount" .) }}
{{- if and .Values.triggerer.enabled .Values.triggerer.serviceAccount.automountServiceAccountToken }}
{{- $accounts = append $accounts (include "airflow.serviceAccountName" (dict "root" . "component" "triggerer" "values" .Values.triggerer)) }}
{{- end }}
{{- toJson $accounts -}}
{{- end -}}

{{- define "airflow.launcherAccount" -}}
{{- include "airflow.serviceAccountName" (dict "root" . "component" "launcher" "values" (dict "serviceAccount" .Values.workers.kubernetes.launcher)) -}}
{{- end -}}

{{- /* The executor sets the arguments, so there are none here. */}}
{{- define "airflow.taskBasics" -}}
{{- with .values.command }}
command: {{ include "common.json" (list . $.root) }}
{{- end }}
securityContext:
  {{- include "airflow.containerSecurityContext" . | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- with .values.containerLifecycleHooks | default .root.Values.containerLifecycleHooks }}
lifecycle:
  {{- include "common.yaml" (list . $.root) | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.taskSecrets" -}}
{{- $writes := or (include "airflow.setting.on" (dict "root" . "section" "elasticsearch" "key" "write_to_es")) (include "airflow.setting.on" (dict "root" . "section" "opensearch" "key" "write_to_os")) -}}
{{- toYaml (empty $writes | ternary list (list "elasticsearch" "opensearch")) -}}
{{- end -}}

{{- define "airflow.podTemplates" -}}
pod_template_file.yaml: |
  {{- if .Values.podTemplate }}
  {{- include "airflow.ownPodTemplate" . | trim | nindent 2 }}
  {{- else }}
  {{- include "airflow.podTemplate" (dict "root" . "name" "") | trim | nindent 2 }}
  {{- end }}
{{- range $name, $named := .Values.workers.kubernetes.podTemplates }}
{{- if $named }}
{{ $name }}.yaml: |
  {{- include "airflow.podTemplate" (dict "root" $ "name" $name) | trim | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Network policies know task pods by three labels, which a template of the user's gets too. */}}
{{- define "airflow.ownPodTemplate" -}}
{{- $text := tpl .Values.podTemplate . -}}
{{- $pod := fromYaml $text -}}
{{- $metadata := default dict $pod.metadata -}}
{{- $labels := include "airflow.selectorLabels" (dict "root" . "component" "worker") | fromYaml -}}
{{- $wanted := mergeOverwrite (dict) (default dict $metadata.labels) $labels -}}
{{- if or $pod.Error (eq (toJson $wanted) (toJson $metadata.labels)) -}}
{{ $text }}
{{- else -}}
{{ mergeOverwrite (dict) $pod (dict "metadata" (mergeOverwrite (dict) $metadata (dict "labels" $wanted))) | toYaml }}
{{- end -}}
{{- end -}}

{{- define "airflow.podTemplate" -}}
{{- $scope := merge (dict "PodTemplateName" .name "Template" .root.Template) .root -}}
{{- $pod := tpl (.root.Files.Get "files/pod-template-file.kubernetes-helm-yaml") $scope | fromYaml -}}
{{- with $pod.Error }}{{ fail (printf "\n\nworkers: a text of the task pod's values is not valid YAML: %s\n" .) }}{{ end -}}
{{- $values := include "airflow.taskValues" (dict "root" .root "name" .name) | fromJson -}}
{{- $spec := include "airflow.pod" (dict "root" .root "spec" (toYaml $pod.spec) "path" "workers" "values" $values "pod" "every task pod") | fromYaml -}}
{{- toYaml (set $pod "spec" $spec) -}}
{{- end -}}

{{- /* The platform's own names: those that values bring, and those that begin with the release's. */}}
{{- define "airflow.podPolicy" -}}
{{- $release := .Release.Name -}}
{{- $secrets := list (printf "%s-*" (include "airflow.fullname" .)) (printf "%s-*" $release) "sh.helm.release.*" -}}
{{- range include "airflow.bootstrap.secrets" . | fromJsonArray }}{{ $secrets = append $secrets .name }}{{ end }}
{{- range include "airflow.bootstrap.references" . | fromJson }}{{ $secrets = append $secrets (fromJson .).valueFrom.secretKeyRef.name }}{{ end }}
{{- range list .Values.dags.gitSync.credentialsSecret .Values.dags.gitSync.sshKeySecret .Values.auth.oidc.clientSecretName }}
{{- with . }}{{ $secrets = append $secrets (tpl . $) }}{{ end }}
{{- end }}
{{- range $component := list "apiServer" "bootstrap" "dagProcessor" "scheduler" "triggerer" }}
{{- range (get $.Values $component).env }}
{{- with dig "valueFrom" "secretKeyRef" "name" "" . }}{{ $secrets = append $secrets (tpl . $) }}{{ end }}
{{- end }}
{{- end }}
{{- $claims := list (printf "data-%s-postgresql-*" (include "airflow.fullname" .)) (printf "recovery-%s-spark-master-*" $release) (printf "logs-%s-*" (include "airflow.fullname" .)) (include "airflow.claimName.backup" .) (include "airflow.claimName.dags" .) (include "airflow.claimName.logs" .) -}}
{{- $accounts := list (include "airflow.launcherAccount" .) (printf "%s-spark" $release) (printf "%s-spark-bootstrap" $release) (printf "%s-spark-operator" $release) -}}
{{- range $component := list "apiServer" "backup" "bootstrap" "cleanup" "dagProcessor" "databaseCleanup" "pgbouncer" "scheduler" "statsd" "triggerer" }}
{{- $name := kebabcase $component }}
{{- $accounts = append $accounts (include "airflow.serviceAccountName" (dict "root" $ "component" $name "values" (get $.Values $component))) }}
{{- end }}
{{- $named := (.Values.global | default dict).platform | default dict -}}
{{- dict "allowed" .Values.workers.kubernetes.allowed "platform" (dict
  "secrets" (concat $secrets ($named.secrets | default list) | uniq)
  "serviceAccounts" (concat $accounts ($named.serviceAccounts | default list) | uniq)
  "claims" (concat $claims ($named.claims | default list) | uniq)) | toJson -}}
{{- end -}}

{{- define "airflow.podTemplatesVolume" -}}
- name: chart/pod-templates
  configMap:
    name: {{ include "airflow.fullname" . }}-pod-templates
{{- end -}}
