{{/*
Who reaches whom. docs/network-policies.md says why.

  airflow.network.paths       the one table that all network policies are made of, as YAML    airflow.networkPolicy
  airflow.network.scrapers    path of those who read metrics  (dict values, to, port, ingress)   paths
  airflow.network.callers     components with a token for the Kubernetes API, as JSON         paths
  airflow.network.blocks      networks as peers, as JSON  (list of networks)                  paths
  airflow.network.parts       components of this release that exist, as JSON                  airflow.networkPolicy
*/}}

{{- /* A path is {from: names, to: name, ports}. `peers` says where an end outside the release is; none is anywhere. */}}
{{- define "airflow.network.paths" -}}
{{- $all := .Values -}}
{{- $policies := $all.networkPolicies -}}
{{- $running := list "api-server" "scheduler" "dag-processor" "triggerer" -}}
{{- $clients := concat $running (list "bootstrap" "database-cleanup" "helm-test") (include "airflow.cleanup.own" . | empty | ternary list (list "cleanup")) -}}
{{- $senders := concat $running (list "worker" "bootstrap" "cleanup" "database-cleanup") | toJson -}}
- {from: {{ concat $clients (list "worker" "cleanup" "pgbouncer" "backup") | toJson }}, to: DNS, peers: {{ toJson $policies.dns.to }}, ports: {{ toJson $policies.dns.ports }}, protocols: [UDP, TCP]}
{{- if $all.pgbouncer.enabled }}
- {from: {{ toJson $clients }}, to: pgbouncer, ports: [{{ $all.ports.pgbouncer }}]}
{{- /* Where both Secrets are the user's, only the one with the URL may say the way past PgBouncer. */}}
{{- $clients = list "pgbouncer" "bootstrap" }}
{{- end }}
{{- $clients = append $clients "backup" }}
{{- $keda := default dict $all.triggerer.keda }}
{{- if $keda.enabled }}
{{- $bouncer := and $keda.usePgbouncer $all.pgbouncer.enabled | default false }}
- {from: [KEDA], to: {{ $bouncer | ternary "pgbouncer" "postgresql" }}, peers: [{namespaceSelector: {{ $keda.namespaceLabels | empty | ternary dict (dict "matchLabels" (include "common.map" (list (default dict $keda.namespaceLabels) .) | fromYaml)) | toJson }}}], ports: [{{ $bouncer | ternary $all.ports.pgbouncer 5432 }}]}
{{- end }}
{{- $database := $all.data.metadataConnection }}
{{- if and $all.postgresql.enabled (not $database.host) }}
- {from: {{ toJson $clients }}, to: postgresql, ports: [5432]}
{{- end }}
{{- if or (not $all.postgresql.enabled) $database.host $all.data.metadataSecretName }}
- {from: {{ toJson $clients }}, to: external database, peers: {{ include "airflow.network.blocks" $policies.database.cidrs }}, ports: {{ $policies.database.ports | default (list $database.port) | toJson }}}
{{- end }}
- {from: {{ include "airflow.network.callers" . }}, to: Kubernetes API, peers: {{ include "airflow.network.blocks" $policies.kubernetesApi.cidrs }}, ports: {{ toJson $policies.kubernetesApi.ports }}}
- {from: [worker, helm-test], to: api-server, ports: [{{ $all.ports.apiServer }}]}
{{- $public := or (ne $all.apiServer.service.type "ClusterIP") (include "airflow.apiServer.public" .) }}
{{- if and $public (empty (dig "ingress" "from" "" ($all.apiServer.networkPolicy | default dict))) }}
- {from: [anywhere], to: api-server, peers: [], ports: [{{ $all.ports.apiServer }}]}
{{- end }}
- {from: [api-server], to: triggerer, ports: [{{ $all.ports.triggererLogs }}]}
- {from: [worker], to: spark-master, ports: {{ toJson $policies.sparkMaster.ports }}}
- {from: [worker], to: spark-worker, ports: []}
- {from: [worker], to: spark-connect, ports: {{ toJson $policies.sparkConnect.ports }}}
- {from: [spark-master, spark-worker], to: worker, ports: {{ include "airflow.network.driverPorts" (dict "root" . "names" (list "driver" "blockManager")) }}}
- {from: [spark-master], to: worker, ports: {{ include "airflow.network.driverPorts" (dict "root" . "names" (list "ui")) }}}
{{- if $all.statsd.enabled }}
- {from: {{ $senders }}, to: statsd, ports: [{{ $all.ports.statsdIngest }}], protocols: [UDP]}
{{- end }}
{{- include "airflow.network.scrapers" (dict "values" $all.statsd "to" "statsd" "port" $all.ports.statsdScrape "ingress" $all.ingress.statsd) }}
{{- if (default dict $all.images.pgbouncerExporter).repository }}
{{- include "airflow.network.scrapers" (dict "values" $all.pgbouncer "to" "pgbouncer" "port" (default 9127 $all.ports.pgbouncerScrape) "ingress" $all.ingress.pgbouncer) }}
{{- end }}
{{- with include "airflow.network.logPorts" . | fromJsonArray }}
- {from: [api-server, scheduler, triggerer, worker], to: remote logs, peers: [], ports: {{ toJson . }}}
{{- end }}
{{- with include "airflow.network.dagPorts" . | fromJsonArray }}
- {from: [dag-processor, worker], to: DAG bundles, peers: [], ports: {{ toJson . }}}
{{- end }}
{{- if eq (include "airflow.auth" .) "oidc" }}
- {from: [api-server], to: OIDC provider, peers: [], ports: [{{ include "airflow.network.port" $all.auth.oidc.issuer }}]}
{{- end }}
{{- if or $all.otelCollector.metricsEnabled $all.otelCollector.tracesEnabled }}
- {from: {{ $senders }}, to: OTLP collector, peers: [], ports: [{{ include "airflow.network.port" $all.otelCollector.endpoint }}]}
{{- end }}
{{- include "airflow.network.settings" . }}
{{- end -}}

{{- /* Metrics may be read by every pod of the cluster, unless values say by whom. */}}
{{- define "airflow.network.scrapers" -}}
{{- $named := or .values.extraNetworkPolicies (dig "ingress" "from" "" (default dict .values.networkPolicy)) -}}
{{- $ingress := (default dict .ingress).enabled -}}
{{- if and .values.enabled (not $named) }}
- {from: [{{ empty $ingress | ternary "any pod" "anywhere" }}], to: {{ .to }}, peers: {{ empty $ingress | ternary "[{namespaceSelector: {}}]" "[]" }}, ports: [{{ .port }}]}
{{- end }}
{{- end -}}

{{- define "airflow.network.callers" -}}
{{- $callers := list "scheduler" "bootstrap" "cleanup" -}}
{{- range $part, $values := dict "api-server" .Values.apiServer "dag-processor" .Values.dagProcessor "triggerer" .Values.triggerer }}
{{- if $values.serviceAccount.automountServiceAccountToken }}{{ $callers = append $callers $part }}{{ end }}
{{- end }}
{{- range .Values.workers.kubernetes.podTemplates }}
{{- if (default dict .).launcher }}{{ $callers = append $callers "worker" }}{{ end }}
{{- end }}
{{- $callers | uniq | toJson -}}
{{- end -}}

{{- define "airflow.network.blocks" -}}
{{- $blocks := list -}}
{{- range . }}{{ $blocks = append $blocks (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- toJson $blocks -}}
{{- end -}}

{{- define "airflow.network.parts" -}}
{{- $parts := list "api-server" "scheduler" "dag-processor" "worker" "bootstrap" "spark-master" "spark-worker" "spark-connect" -}}
{{- range $part, $values := dict "triggerer" .Values.triggerer "postgresql" .Values.postgresql "pgbouncer" .Values.pgbouncer
      "statsd" .Values.statsd "cleanup" .Values.cleanup "database-cleanup" .Values.databaseCleanup
      "backup" .Values.backup "helm-test" .Values.helmTest }}
{{- if $values.enabled }}{{ $parts = append $parts $part }}{{ end }}
{{- end }}
{{- toJson $parts -}}
{{- end -}}
