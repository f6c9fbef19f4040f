{{/*
Network policies, made of the table in _network.tpl.

  spark.networkPolicy    the policy of a component; `policy` is what values add    networkpolicy.yaml  (dict root, component, policy)
  spark.network.rules    the rules of one direction, each with its arrow           networkPolicy       (dict root, component, inward)
  spark.network.peers    pods of components, as JSON                               rules               (dict root, parts)
  spark.network.ports    ports of a rule, as JSON                                  rules               (dict ports, protocols)
*/}}

{{- define "spark.network.peers" -}}
{{- $peers := list -}}
{{- range $tier, $group := dict "airflow" (list "worker") "spark" (without .parts "worker") }}
{{- $of := list }}
{{- range $group }}{{ if has . $.parts }}{{ $of = append $of . }}{{ end }}{{ end }}
{{- $labels := dict "tier" $tier "release" $.root.Release.Name }}
{{- if eq (len $of) 1 }}
{{- $peers = append $peers (dict "podSelector" (dict "matchLabels" (merge (dict "component" (first $of)) $labels))) }}
{{- else if $of }}
{{- $peers = append $peers (dict "podSelector" (dict "matchLabels" $labels "matchExpressions" (list (dict "key" "component" "operator" "In" "values" $of)))) }}
{{- end }}
{{- end }}
{{- toJson $peers -}}
{{- end -}}

{{- define "spark.network.ports" -}}
{{- $ports := list -}}
{{- range $port := .ports }}
{{- range $protocol := $.protocols | default (list "TCP") }}
{{- $ports = append $ports (merge (dict "protocol" $protocol) (kindIs "map" $port | ternary $port (dict "port" $port))) }}
{{- end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "spark.network.rules" -}}
{{- $parts := include "spark.network.parts" .root | fromJsonArray -}}
{{- range $path := include "spark.network.paths" .root | fromYamlArray }}
{{- $outside := hasKey $path "peers" }}
{{- $others := list $path.to }}
{{- if $.inward }}
{{- $others = list }}
{{- range $path.from }}{{ if or $outside (has . $parts) }}{{ $others = append $others . }}{{ end }}{{ end }}
{{- end }}
{{- $mine := $.inward | ternary (eq $path.to $.component) (has $.component $path.from) }}
{{- if and $mine $others (or $.inward $outside (has $path.to $parts)) }}
{{- $rule := dict }}
{{- with $outside | ternary $path.peers (include "spark.network.peers" (dict "root" $.root "parts" $others) | fromJsonArray) }}
{{- $_ := set $rule ($.inward | ternary "from" "to") . }}
{{- end }}
{{- with include "spark.network.ports" $path | fromJsonArray }}
{{- $_ := set $rule "ports" . }}
{{- end }}
# {{ $.inward | ternary (join ", " $others) $.component }} --> {{ $path.to }}
{{ toYaml (list $rule) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "spark.networkPolicy" -}}
{{- if and .root.Values.networkPolicies.enabled (has .component (include "spark.network.parts" .root | fromJsonArray)) }}
{{- $policy := default dict .policy }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "spark.fullname" .root }}-{{ .component }}-policy
  labels:
    {{- include "spark.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "spark.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- range $direction := list "ingress" "egress" }}
  {{- $inward := eq $direction "ingress" }}
  {{- $rules := include "spark.network.rules" (merge (dict "inward" $inward) $) | trim }}
  {{- $arrow := $inward | ternary (printf "extraIngress --> %s" $.component) (printf "%s --> extraEgress" $.component) }}
  {{- range $inward | ternary $policy.extraIngress $policy.extraEgress }}
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
