{{/*
Rights. Each is a Role in every namespace whose applications are run, or one ClusterRole for all of them.

  sparkOperator.controllerRules    what the controller does there                       rbac
  sparkOperator.driverRules        what Spark does there from within a driver           applications
  sparkOperator.role               a Role or ClusterRole   (dict root, name, rules)     rbac
  sparkOperator.binding            its binding             (dict root, name, account)   rbac
  sparkOperator.roleName           its name, in the whole cluster its own  (dict root, name)
  sparkOperator.admission.name     name of the drivers' admission policy, likewise
*/}}

{{- define "sparkOperator.controllerRules" -}}
- apiGroups: [sparkoperator.k8s.io]
  resources: [sparkapplications, scheduledsparkapplications]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [sparkoperator.k8s.io]
  resources: [sparkapplications/status, scheduledsparkapplications/status]
  verbs: [get, update, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
# Groups of pods for batch schedulers, where their API is installed.
- apiGroups: [scheduling.volcano.sh, scheduling.x-k8s.io]
  resources: [podgroups]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "sparkOperator.driverRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims]
  verbs: [get, list, create, delete, deletecollection]
# The controller makes the driver's Service, and Spark removes what has the label of its application.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, delete, deletecollection]
{{- end -}}

{{- define "sparkOperator.roleName" -}}
{{- $name := printf "%s-%s" (include "sparkOperator.fullname" .root) .name -}}
{{- include "sparkOperator.clusterWide" .root | empty | ternary $name (printf "%s-%s" .root.Release.Namespace $name) -}}
{{- end -}}

{{- define "sparkOperator.role" -}}
{{- $all := include "sparkOperator.clusterWide" .root -}}
{{- range $namespace := $all | empty | ternary (include "sparkOperator.namespaces" .root | fromJsonArray) (list "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $all | empty | ternary "Role" "ClusterRole" }}
metadata:
  name: {{ include "sparkOperator.roleName" $ }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "sparkOperator.labels" $.root | nindent 4 }}
rules:
  {{- include $.rules $.root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sparkOperator.binding" -}}
{{- $all := include "sparkOperator.clusterWide" .root -}}
{{- range $namespace := $all | empty | ternary (include "sparkOperator.namespaces" .root | fromJsonArray) (list "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $all | empty | ternary "RoleBinding" "ClusterRoleBinding" }}
metadata:
  name: {{ include "sparkOperator.roleName" $ }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "sparkOperator.labels" $.root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $all | empty | ternary "Role" "ClusterRole" }}
  name: {{ include "sparkOperator.roleName" $ }}
subjects:
  - kind: ServiceAccount
    name: {{ include "sparkOperator.account" $.root }}
    namespace: {{ $.root.Release.Namespace }}
{{- end }}
{{- end -}}

{{- define "sparkOperator.admission.name" -}}
{{- printf "%s-spark-operator-driver.%s" (include "sparkOperator.fullname" .) .Release.Namespace -}}
{{- end -}}
