{{/*
Network policies; docs/network-policies.md has the whole table.

  sparkOperator.network.ports     ports of a rule      (dict ports, protocols)      network policies
  sparkOperator.network.common    DNS and the Kubernetes API, as egress rules       network policies  (dict root, component)
  sparkOperator.network.viewers   whether anybody may look at user interfaces       applications
*/}}

{{- define "sparkOperator.network.ports" -}}
{{- $ports := list -}}
{{- range $port := .ports }}
{{- range $.protocols | default (list "TCP") }}{{ $ports = append $ports (dict "protocol" . "port" $port) }}{{ end }}
{{- end }}
{{- toJson $ports -}}
{{- end -}}

{{- define "sparkOperator.network.common" -}}
{{- $policies := .root.Values.networkPolicies -}}
{{- $api := list -}}
{{- range $policies.kubernetesApi.cidrs }}{{ $api = append $api (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
# {{ .component }} --> DNS
- ports: {{ include "sparkOperator.network.ports" (dict "ports" $policies.dns.ports "protocols" (list "UDP" "TCP")) }}
  {{- with $policies.dns.to }}
  to: {{ toJson . }}
  {{- end }}
# {{ .component }} --> Kubernetes API
- ports: {{ include "sparkOperator.network.ports" $policies.kubernetesApi }}
  {{- with $api }}
  to: {{ toJson . }}
  {{- end }}
{{- end -}}

{{- define "sparkOperator.network.viewers" -}}
{{- if or .Values.networkPolicies.viewers .Values.controller.uiIngress.enable }}yes{{ end -}}
{{- end -}}
