{{/*
Network policies, made of the table in _network.tpl.

  airflow.networkPolicy    the policy of a component; `policy` is what values add, `ports` is what its `ingress.from`
                           opens, `peers` are more of those    networkpolicy.yaml  (dict root, component, policy, ports, peers)
  airflow.network.rules    the rules of one direction          networkPolicy       (dict root, component, parts, paths, inward)
  airflow.network.peers    pods of components, as JSON         rules               (dict root, parts)
  airflow.network.ports    ports of a rule, as JSON            rules               (dict root, ports, protocols)
*/}}

{{- define "airflow.network.peers" -}}
{{- $labels := dict "tier" (hasPrefix "spark-" (first .parts) | ternary "spark" "airflow") "release" .root.Release.Name -}}
{{- $spread := and .root.Values.multiNamespaceMode (has "worker" .parts) -}}
{{- $peers := list -}}
{{- range $group := $spread | ternary (list (without .parts "worker") (list "worker")) (list .parts) }}
{{- $selector := dict "matchLabels" $labels "matchExpressions" (list (dict "key" "component" "operator" "In" "values" $group)) }}
{{- if eq (len $group) 1 }}
{{- $selector = dict "matchLabels" (merge (dict "component" (first $group)) $labels) }}
{{- end }}
{{- $peer := dict "podSelector" $selector }}
{{- if and $spread (has "worker" $group) }}{{ $_ := set $peer "namespaceSelector" dict }}{{ end }}
{{- if $group }}{{ $peers = append $peers $peer }}{{ end }}
{{- end }}
{{- toJson $peers -}}
{{- end -}}

{{- define "airflow.network.ports" -}}
{{- $ports := list -}}
{{- range $port := .ports }}
{{- $given := kindIs "map" $port | ternary $port (dict "port" $port) }}
{{- /* The official chart's ports are texts with templates; a text of digits would be taken for a port's name. */}}
{{- $number := include "common.text" $given.port }}
{{- if contains "{{" $number }}{{ $number = tpl $number $.root }}{{ end }}
{{- range $protocol := $.protocols | default (list (default "TCP" $given.protocol)) }}
{{- $ports = append $ports (merge (dict "port" (regexMatch "^[0-9]+$" $number | ternary (int $number) $number) "protocol" $protocol) $given) }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "airflow.network.rules" -}}
{{- range $path := .paths }}
{{- $outside := hasKey $path "peers" }}
{{- $rule := dict }}
{{- with include "airflow.network.ports" (dict "root" $.root "ports" $path.ports "protocols" $path.protocols) | fromJsonArray }}
{{- $_ := set $rule "ports" . }}
{{- end }}
{{- if and $.inward (eq $path.to $.component) }}
{{- $from := list }}
{{- range $path.from }}{{ if or $outside (has . $.parts) }}{{ $from = append $from . }}{{ end }}{{ end }}
{{- with $outside | ternary $path.peers (include "airflow.network.peers" (dict "root" $.root "parts" $from) | fromJsonArray) }}
{{- $_ := set $rule "from" . }}
{{- end }}
# {{ join ", " $from }} --> {{ $path.to }}
{{ toYaml (list $rule) }}
{{- else if and (not $.inward) (has $.component $path.from) (or $outside (has $path.to $.parts)) }}
{{- with $outside | ternary $path.peers (include "airflow.network.peers" (dict "root" $.root "parts" (list $path.to)) | fromJsonArray) }}
{{- $_ := set $rule "to" . }}
{{- end }}
# {{ $.component }} --> {{ $path.to }}
{{ toYaml (list $rule) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.networkPolicy" -}}
{{- $policy := default dict .policy -}}
{{- $ingress := default dict $policy.ingress -}}
{{- $parts := include "airflow.network.parts" .root | fromJsonArray -}}
{{- if and .root.Values.networkPolicies.enabled (has .component $parts) }}
{{- $table := dict "root" .root "component" .component "parts" $parts "paths" (include "airflow.network.paths" .root | fromYamlArray) }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "airflow.fullname" .root }}-{{ .component }}-policy
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "airflow.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- range $direction := list "ingress" "egress" }}
  {{- $inward := eq $direction "ingress" }}
  {{- $rules := include "airflow.network.rules" (merge (dict "inward" $inward) $table) | trim }}
  {{- $more := $inward | ternary $policy.extraIngress $policy.extraEgress | default list }}
  {{- with concat (default list $ingress.from) (default list $.peers) }}
  {{- if $inward }}
  {{- $ports := include "airflow.network.ports" (dict "root" $.root "ports" ($ingress.ports | default $.ports)) | fromJsonArray }}
  {{- $rules = printf "%s\n# ingress.from --> %s\n%s" $rules $.component (include "common.yaml" (list (list (dict "from" . "ports" $ports)) $.root)) | trim }}
  {{- end }}
  {{- end }}
  {{- range $more }}
  {{- $arrow := $inward | ternary (printf "extraIngress --> %s" $.component) (printf "%s --> extraEgress" $.component) }}
  {{- $rules = printf "%s\n# %s\n%s" $rules $arrow (include "common.yaml" (list (list .) $.root)) | trim }}
  {{- end }}
  {{- if $rules }}
  {{ $direction }}:
    {{- $rules | nindent 4 }}
  {{- else }}
  {{ $direction }}: []
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
