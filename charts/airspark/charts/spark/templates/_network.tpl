{{/*
Who reaches whom. docs/network-policies.md says why.

  spark.network.paths      the one table that all network policies are made of, as YAML    spark.networkPolicy
  spark.network.tries      ports of a driver, and those that Spark tries when they are
                           taken, as JSON  (list of ports)                                 paths
  spark.network.workers    ports of the workers of every group, as JSON                    paths  (dict root, names)
  spark.network.blocks     networks as peers, as JSON  (list of networks)                  paths
  spark.network.parts      components that exist, as JSON                                  spark.networkPolicy
*/}}

{{- /* A path is {from: names, to: name, ports}. `peers` says where an end outside the release is; none is anywhere.
       `worker` is a task pod of Airflow, in which a driver runs: which of its ports are open is that chart's to say. */}}
{{- define "spark.network.paths" -}}
{{- $all := .Values -}}
{{- $policies := $all.networkPolicies -}}
{{- $rest := $all.master.rest.enabled -}}
{{- $master := $all.master.containerPorts -}}
{{- $submit := concat (list $master.cluster $master.http) ($rest | ternary (list $master.rest) list) | toJson -}}
{{- $workerPages := include "spark.network.workers" (dict "root" . "names" (list "http")) -}}
{{- $connect := merge (dict) (dig "containerPorts" dict (default dict $all.connect)) (dict "grpc" 15002 "driver" 7078 "blockManager" 7079 "http" 4040) -}}
- {from: [spark-master, spark-worker, spark-history, spark-connect, spark-bootstrap, spark-helm-test], to: DNS, peers: {{ toJson $policies.dns.to }}, ports: {{ toJson $policies.dns.ports }}, protocols: [UDP, TCP]}
- {from: [spark-bootstrap], to: Kubernetes API, peers: {{ include "spark.network.blocks" $policies.kubernetesApi.cidrs }}, ports: {{ toJson $policies.kubernetesApi.ports }}}
- {from: [spark-worker], to: spark-master, ports: [{{ $master.cluster }}]}
- {from: [spark-master], to: spark-worker, ports: {{ $rest | ternary "[]" (include "spark.network.workers" (dict "root" . "names" (list "cluster" "http"))) }}}
- {from: [spark-worker], to: spark-worker, ports: []}
- {from: [worker], to: spark-master, ports: {{ $submit }}}
- {from: [worker], to: spark-worker, ports: []}
- {from: [spark-master, spark-worker], to: worker, ports: []}
- {from: [worker], to: spark-connect, ports: [{{ $connect.grpc }}]}
{{- range $driver, $ports := dict "spark-connect" $connect "spark-helm-test" (dict "driver" 7078 "blockManager" 7079 "http" 4040) }}
- {from: [{{ $driver }}], to: spark-master, ports: [{{ $master.cluster }}, {{ $master.http }}]}
- {from: [{{ $driver }}], to: spark-worker, ports: []}
- {from: [spark-master, spark-worker], to: {{ $driver }}, ports: {{ include "spark.network.tries" (list $ports.driver $ports.blockManager) }}}
- {from: [spark-master], to: {{ $driver }}, ports: {{ include "spark.network.tries" (list $ports.http) }}}
{{- end }}
- {from: [spark-helm-test], to: spark-history, ports: [{{ $all.historyServer.containerPorts.http }}]}
{{- with $policies.clients }}
- {from: [clients], to: spark-master, peers: {{ toJson . }}, ports: {{ $submit }}}
- {from: [clients], to: spark-worker, peers: {{ toJson . }}, ports: []}
- {from: [clients], to: spark-connect, peers: {{ toJson . }}, ports: [{{ $connect.grpc }}]}
- {from: [spark-master, spark-worker], to: clients, peers: {{ toJson . }}, ports: []}
{{- end }}
{{- range $page, $values := dict "spark-master" $all.master "spark-history" $all.historyServer }}
{{- $public := include "spark.public" (dict "root" $ "component" $page) }}
{{- if or $policies.viewers $public }}
- {from: [{{ empty $policies.viewers | ternary "anywhere" "viewers" }}], to: {{ $page }}, peers: {{ toJson $policies.viewers }}, ports: [{{ $values.containerPorts.http }}]}
{{- end }}
{{- end }}
{{- with $policies.scrapers }}
- {from: [scrapers], to: spark-master, peers: {{ toJson . }}, ports: [{{ $master.http }}]}
- {from: [scrapers], to: spark-worker, peers: {{ toJson . }}, ports: {{ $workerPages }}}
- {from: [scrapers], to: spark-connect, peers: {{ toJson . }}, ports: {{ include "spark.network.tries" (list $connect.http) }}}
{{- end }}
{{- end -}}

{{- define "spark.network.tries" -}}
{{- $ranges := list -}}
{{- range . }}{{ $ranges = append $ranges (dict "port" (int .) "endPort" (min 65535 (add . 16))) }}{{ end }}
{{- toJson $ranges -}}
{{- end -}}

{{- define "spark.network.workers" -}}
{{- $ports := list -}}
{{- range $worker := include "spark.groups" .root | fromJson }}
{{- range $.names }}{{ $ports = append $ports (int (get $worker.containerPorts .)) }}{{ end }}
{{- end }}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- define "spark.network.blocks" -}}
{{- $blocks := list -}}
{{- range . }}{{ $blocks = append $blocks (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- toJson $blocks -}}
{{- end -}}

{{- define "spark.network.parts" -}}
{{- $parts := list "spark-master" "spark-worker" "spark-bootstrap" "worker" -}}
{{- $connect := or (dig "enabled" false (default dict .Values.connect)) (dig "spark" "connect" "enabled" false .Values.global) }}
{{- range $part, $there := dict "spark-history" (include "spark.history" .) "spark-connect" $connect "spark-helm-test" .Values.helmTest.enabled }}
{{- if $there }}{{ $parts = append $parts $part }}{{ end }}
{{- end }}
{{- toJson $parts -}}
{{- end -}}
