{{/*
How people get to the user interfaces of master and history server.

  spark.page              values of a page: `ingress`, `httpRoute`, as JSON          below              (dict root, component)
  spark.public            whether an Ingress or a route leads to a page              network policies   (dict root, component)
  spark.page.path         path of a page behind its Ingress; empty is the root       config             (dict root, component)
  spark.page.url          address of a page by its Ingress or route, or nothing      below, notes       (dict root, component)
  spark.ui.url            address of the master's page for links, or nothing         config, validate
  spark.history.url       address of the history server for links                    config, notes
  spark.ingress           an Ingress                                                 ingress.yaml       (dict root, component)
  spark.httpRoute         a route of the Gateway API                                 httproute.yaml     (dict root, component)
*/}}

{{- define "spark.page" -}}
{{- $values := eq .component "spark-history" | ternary .root.Values.historyServer .root.Values -}}
{{- $there := or (eq .component "spark-master") $values.enabled -}}
{{- $page := dict -}}
{{- range $way := list "ingress" "httpRoute" }}
{{- $_ := set $page $way (deepCopy (get $values $way)) }}
{{- $_ := set (get $page $way) "enabled" (and $there (get $values $way).enabled) }}
{{- end }}
{{- toJson $page -}}
{{- end -}}

{{- define "spark.public" -}}
{{- $page := include "spark.page" . | fromJson -}}
{{- if or $page.ingress.enabled $page.httpRoute.enabled }}yes{{ end -}}
{{- end -}}

{{- /* A pattern such as /spark(/|$)(.*) is a controller's own matter: what it means for links stands in `url`. */}}
{{- define "spark.page.path" -}}
{{- $ingress := (include "spark.page" . | fromJson).ingress -}}
{{- $path := $ingress.path | trimSuffix "*" | trimSuffix "/" -}}
{{- if and $ingress.enabled (regexMatch "^(/[A-Za-z0-9._~-]+)+$" $path) }}{{ $path }}{{ end -}}
{{- end -}}

{{- define "spark.page.url" -}}
{{- $page := include "spark.page" . | fromJson -}}
{{- if and $page.ingress.enabled $page.ingress.hostname -}}
{{- $page.ingress.tls | ternary "https" "http" }}://{{ tpl $page.ingress.hostname .root }}{{ include "spark.page.path" . -}}
{{- else if and $page.httpRoute.enabled $page.httpRoute.hostnames -}}
https://{{ tpl (first $page.httpRoute.hostnames) .root -}}
{{- end -}}
{{- end -}}

{{- define "spark.ui.url" -}}
{{- .Values.ui.reverseProxy.url | default (include "spark.page.url" (dict "root" . "component" "spark-master")) -}}
{{- end -}}

{{- define "spark.history.url" -}}
{{- coalesce .Values.historyServer.url (include "spark.page.url" (dict "root" . "component" "spark-history")) "http://localhost:18080" -}}
{{- end -}}

{{- define "spark.ingress" -}}
{{- $root := .root -}}
{{- $ingress := (include "spark.page" . | fromJson).ingress -}}
{{- if $ingress.enabled }}
{{- $hostname := tpl $ingress.hostname $root }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "spark.fullname" $root }}-{{ .component }}
  labels:
    {{- include "spark.labels" . | nindent 4 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- include "common.map" (list . $root) | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.ingressClassName }}
  ingressClassName: {{ tpl . $root }}
  {{- end }}
  {{- if $ingress.tls }}
  tls:
    - secretName: {{ tpl ($ingress.tlsSecretName | default (printf "%s-tls" $hostname)) $root }}
      {{- with $hostname }}
      hosts: [{{ quote . }}]
      {{- end }}
  {{- end }}
  rules:
    - http:
        paths:
          - path: {{ $ingress.path }}
            pathType: {{ $ingress.pathType }}
            backend:
              service:
                name: {{ include "spark.fullname" $root }}-{{ .component }}
                port:
                  name: http
      {{- with $hostname }}
      host: {{ quote . }}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "spark.httpRoute" -}}
{{- $route := (include "spark.page" . | fromJson).httpRoute -}}
{{- if $route.enabled }}
{{- $name := printf "%s-%s" (include "spark.fullname" .root) .component }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $name }}
  labels:
    {{- include "spark.labels" . | nindent 4 }}
spec:
  parentRefs:
    {{- include "common.yaml" (list $route.parentRefs .root) | nindent 4 }}
  {{- with $route.hostnames }}
  hostnames:
    {{- include "common.yaml" (list . $.root) | nindent 4 }}
  {{- end }}
  rules:
    - backendRefs:
        - name: {{ $name }}
          port: {{ .port }}
{{- end }}
{{- end -}}
