{{/*
How people get in.

  airflow.apiServer.servicePorts    ports of the Service, as JSON                     service, port
  airflow.apiServer.port            port of the Service that serves the UI            ingress, HTTPRoute, notes
  airflow.apiServer.public          whether something outside the cluster sends to it deployment
  airflow.apiServer.proxyArguments  arguments that believe the proxy in front         deployment
  airflow.apiServer.proxyEnv        variables that believe it, as a JSON list         deployment
  airflow.api.path                  path of the UI, never empty                       ingress, HTTPRoute
  airflow.ingress.enabled           whether the API server has an Ingress             ingress, notes
  airflow.ingress.hosts             hosts of an Ingress as JSON {hosts: [{name, tls}]} ingress, notes
  airflow.ingress                   an Ingress  (dict root, component, name, ingress, backend, path)
*/}}

{{- define "airflow.apiServer.servicePorts" -}}
{{- $service := .Values.apiServer.service -}}
{{- $ports := list -}}
{{- range $given := $service.ports }}
{{- $port := dict }}
{{- range $key, $value := $given }}
{{- $text := tpl (include "common.text" $value) $ }}
{{- $_ := set $port $key (regexMatch "^[0-9]+$" $text | ternary (int $text) $text) }}
{{- end }}
{{- $ports = append $ports $port }}
{{- end }}
{{- if not $ports }}
{{- $port := dict "name" "api-server" "port" .Values.ports.apiServer "targetPort" "api-server" }}
{{- with $service.nodePort }}{{ $_ := set $port "nodePort" . }}{{ end }}
{{- $ports = list $port }}
{{- end }}
{{- toJson (dict "ports" $ports) -}}
{{- end -}}

{{- define "airflow.apiServer.port" -}}
{{- $ports := (include "airflow.apiServer.servicePorts" . | fromJson).ports -}}
{{- $found := list -}}
{{- range $ports }}
{{- if has (toString (.targetPort | default .port)) (list "api-server" (toString $.Values.ports.apiServer)) }}{{ $found = append $found . }}{{ end }}
{{- end }}
{{- int (first $found | default (first $ports)).port -}}
{{- end -}}

{{- define "airflow.apiServer.public" -}}
{{- $url := include "airflow.api.baseUrl" . -}}
{{- if or (include "airflow.ingress.enabled" .) .Values.apiServer.httpRoute.enabled (hasPrefix "https:" $url) }}yes{{ end -}}
{{- end -}}

{{- /* Without it, redirects and cookies behind a proxy that ends TLS are made for http. */}}
{{- define "airflow.apiServer.proxyArguments" -}}
{{- toJson (dict "arguments" (include "airflow.apiServer.public" . | empty | ternary list (list "--proxy-headers"))) -}}
{{- end -}}

{{- define "airflow.apiServer.proxyEnv" -}}
{{- $name := "FORWARDED_ALLOW_IPS" -}}
{{- $env := list -}}
{{- if include "airflow.apiServer.public" . }}
{{- $env = list (dict "name" $name "value" "*") }}
{{- range concat .Values.env (default list .Values.apiServer.env) }}
{{- if eq .name $name }}{{ $env = list }}{{ end }}
{{- end }}
{{- end }}
{{- toJson (dict "env" $env) -}}
{{- end -}}

{{- define "airflow.api.path" -}}
{{- default "/" (include "airflow.api.basePath" .) -}}
{{- end -}}

{{- define "airflow.ingress.enabled" -}}
{{- if or .Values.ingress.apiServer.enabled .Values.ingress.enabled }}yes{{ end -}}
{{- end -}}

{{- define "airflow.ingress.hosts" -}}
{{- $ingress := .ingress -}}
{{- $given := $ingress.hosts | default (list (default "" $ingress.host)) -}}
{{- $hosts := list -}}
{{- range $given }}
{{- $host := kindIs "string" . | ternary (dict "name" .) . }}
{{- $tls := kindIs "string" . | ternary (default dict $ingress.tls) (default dict $host.tls) }}
{{- $hosts = append $hosts (dict "name" (tpl $host.name $.root) "tls" $tls) }}
{{- end }}
{{- toJson (dict "hosts" $hosts) -}}
{{- end -}}

{{- define "airflow.ingress" -}}
{{- $ingress := .ingress -}}
{{- $root := .root -}}
{{- $hosts := (include "airflow.ingress.hosts" . | fromJson).hosts -}}
{{- $own := dict "path" (tpl (default .path $ingress.path) $root) "pathType" $ingress.pathType "serviceName" .backend.name "servicePort" .backend.port -}}
{{- $paths := concat (default list $ingress.precedingPaths) (list $own) (default list $ingress.succeedingPaths) -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name }}
  labels:
    {{- include "airflow.labels" . | nindent 4 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- include "common.map" (list . $root) | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.ingressClassName }}
  ingressClassName: {{ tpl . $root }}
  {{- end }}
  {{- $tls := list }}
  {{- range $hosts }}
  {{- if .tls.enabled }}
  {{- $entry := empty .name | ternary dict (dict "hosts" (list .name)) }}
  {{- with .tls.secretName }}{{ $_ := set $entry "secretName" (tpl . $root) }}{{ end }}
  {{- $tls = append $tls $entry }}
  {{- end }}
  {{- end }}
  {{- with $tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range $host := $hosts }}
    - http:
        paths:
          {{- range $paths }}
          - path: {{ .path }}
            pathType: {{ default "ImplementationSpecific" .pathType }}
            backend:
              service:
                name: {{ tpl .serviceName $root }}
                port:
                  {{ regexMatch "^[0-9]+$" (toString .servicePort) | ternary "number" "name" }}: {{ .servicePort }}
          {{- end }}
      {{- with $host.name }}
      host: {{ quote . }}
      {{- end }}
    {{- end }}
{{- end -}}
