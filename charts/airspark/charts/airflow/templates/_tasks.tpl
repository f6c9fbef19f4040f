{{/*
Task pods.

  airflow.taskValues            values of a task pod, named templates included, as JSON    (dict root, name)
  airflow.launcherAccount       account of tasks that launch pods                          task pods, RBAC
  airflow.taskBasics            command, security context, resources of a task's container (dict root, values)
  airflow.taskSecrets           secrets that task pods get; none unless they write logs to a search index
  airflow.podTemplates          pod templates by file name                                 config
  airflow.podTemplatesVolume    volume with all pod templates                              scheduler
*/}}

{{- define "airflow.taskValues" -}}
{{- $workers := .root.Values.workers -}}
{{- $named := get $workers.kubernetes.podTemplates (default "" .name) | default dict -}}
{{- include "airflow.layers" (list (omit $workers "kubernetes") (omit $workers.kubernetes "podTemplates" "launcher") $named) -}}
{{- end -}}

{{- define "airflow.launcherAccount" -}}
{{- include "airflow.serviceAccountName" (dict "root" . "component" "launcher" "values" (dict "serviceAccount" .Values.workers.kubernetes.launcher)) -}}
{{- end -}}

{{- /* The executor sets the arguments, so there are none here. */}}
{{- define "airflow.taskBasics" -}}
{{- with .values.command }}
command: {{ tpl (toJson .) $.root }}
{{- end }}
securityContext:
  {{- include "airflow.containerSecurityContext" . | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- with .values.containerLifecycleHooks | default .root.Values.containerLifecycleHooks }}
lifecycle:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "airflow.taskSecrets" -}}
{{- $writes := or (eq (toString (dig "elasticsearch" "write_to_es" "False" .Values.config)) "True") (eq (toString (dig "opensearch" "write_to_os" "False" .Values.config)) "True") -}}
{{- toYaml ($writes | ternary (list "elasticsearch" "opensearch") list) -}}
{{- end -}}

{{- define "airflow.podTemplates" -}}
pod_template_file.yaml: |
  {{- if .Values.podTemplate }}
  {{- tpl .Values.podTemplate . | trim | nindent 2 }}
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

{{- define "airflow.podTemplate" -}}
{{- $scope := merge (dict "PodTemplateName" .name "Template" .root.Template) .root -}}
{{- tpl (.root.Files.Get "files/pod-template-file.kubernetes-helm-yaml") $scope -}}
{{- end -}}

{{- define "airflow.podTemplatesVolume" -}}
- name: pod-templates
  configMap:
    name: {{ include "airflow.fullname" . }}-pod-templates
{{- end -}}
