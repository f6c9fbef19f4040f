{{/*
Access to the Kubernetes API. docs/rbac.md says why each verb is there.

  airflow.role          a Role, or a ClusterRole with multiNamespaceMode       (dict root, component, name, rules, wide, namespace)
  airflow.roleBinding   its binding                                            (dict root, component, name, subjects, wide, namespace)
  airflow.admission.name   name of the launcher's admission policy, in the whole cluster its own
*/}}

{{- define "airflow.role" -}}
{{- $wide := and .root.Values.multiNamespaceMode (not (empty .wide)) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $wide | ternary "ClusterRole" "Role" }}
metadata:
  name: {{ $wide | ternary (printf "%s-" .root.Release.Namespace) "" }}{{ include "airflow.fullname" .root }}-{{ .name }}-role
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
{{- end -}}

{{- define "airflow.roleBinding" -}}
{{- $wide := and .root.Values.multiNamespaceMode (not (empty .wide)) -}}
{{- $prefix := $wide | ternary (printf "%s-" .root.Release.Namespace) "" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $wide | ternary "ClusterRoleBinding" "RoleBinding" }}
metadata:
  name: {{ $prefix }}{{ include "airflow.fullname" .root }}-{{ .name }}-rolebinding
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $wide | ternary "ClusterRole" "Role" }}
  name: {{ $prefix }}{{ include "airflow.fullname" .root }}-{{ .name }}-role
subjects:
  {{- range .subjects }}
  - kind: ServiceAccount
    name: {{ . }}
    namespace: {{ $.root.Release.Namespace }}
  {{- end }}
{{- end -}}

{{- define "airflow.admission.name" -}}
{{- printf "%s-launcher.%s" (include "airflow.fullname" .) .Release.Namespace -}}
{{- end -}}
