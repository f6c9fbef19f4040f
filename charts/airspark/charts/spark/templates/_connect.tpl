{{/*
The Connect server.

  spark.connect.enabled      whether there is one                                        every template of it, config, bootstrap
  spark.connect.tlsSecret    name of the Secret with its certificate                     deployment, bootstrap
  spark.connect.hosts        names that its certificate is for, by commas                bootstrap
  spark.connect.conf         its spark-defaults, as JSON                                 config
  spark.connect.proxy        configuration of the proxy that speaks TLS in front of it   config
  spark.connect.config       the data of its own ConfigMap: a change restarts no worker  configmap, deployment
*/}}

{{- define "spark.connect.enabled" -}}
{{- if or .Values.connect.enabled (dig "spark" "connect" "enabled" false (.Values.global | default dict)) }}yes{{ end -}}
{{- end -}}

{{- define "spark.connect.tlsSecret" -}}
{{- tpl (.Values.connect.tls.secretName | default (printf "%s-spark-connect-tls" (include "spark.fullname" .))) . -}}
{{- end -}}

{{- define "spark.connect.hosts" -}}
{{- $name := printf "%s-spark-connect" (include "spark.fullname" .) -}}
{{- $inNamespace := printf "%s.%s" $name .Release.Namespace -}}
{{- join "," (list $name $inNamespace (printf "%s.svc" $inNamespace) (printf "%s.svc.cluster.local" $inNamespace) "localhost") -}}
{{- end -}}

{{- define "spark.connect.conf" -}}
{{- $connect := .Values.connect -}}
{{- $ports := $connect.containerPorts -}}
{{- $service := .Values.shuffleService.enabled -}}
{{- $leaving := .Values.worker.decommission.enabled -}}
{{- $conf := dict
  "spark.app.name" "Spark Connect server"
  "spark.blockManager.port" $ports.blockManager
  "spark.connect.grpc.binding.address" "127.0.0.1"
  "spark.connect.grpc.binding.port" $ports.grpc
  "spark.cores.max" $connect.maxCores
  "spark.decommission.enabled" $leaving
  "spark.driver.extraClassPath" "/opt/spark/spark.jar"
  "spark.driver.extraJavaOptions" "-XX:+UseSerialGC -Dsun.net.inetaddr.ttl=5"
  "spark.driver.memory" $connect.daemonMemoryLimit
  "spark.driver.port" $ports.driver
  "spark.dynamicAllocation.enabled" true
  "spark.dynamicAllocation.minExecutors" 0
  "spark.dynamicAllocation.shuffleTracking.enabled" (not $service)
  "spark.executor.extraClassPath" "/opt/spark/spark.jar"
  "spark.executor.cores" $connect.executor.cores
  "spark.executor.memory" $connect.executor.memory
  "spark.io.encryption.enabled" .Values.security.storage.encryptionEnabled
  "spark.master" (include "spark.masterUrl" .)
  "spark.shuffle.service.enabled" $service
  "spark.shuffle.service.port" .Values.worker.containerPorts.shuffle
  "spark.storage.decommission.enabled" $leaving
  "spark.storage.decommission.rddBlocks.enabled" $leaving
  "spark.storage.decommission.replicationReattemptInterval" "5s"
  "spark.storage.decommission.shuffleBlocks.enabled" $leaving
  "spark.ui.killEnabled" false
  "spark.ui.port" $ports.http
  "spark.ui.reverseProxy" .Values.ui.reverseProxy.enabled -}}
{{- if .Values.security.rpc.authenticationEnabled }}
{{- /* Spark wants it to be there, and takes the variable's value. */}}
{{- $_ := set $conf "spark.authenticate.secret" "${env:_SPARK_AUTH_SECRET}" }}
{{- end }}
{{- with include "spark.ui.url" . }}
{{- $_ := set $conf "spark.ui.reverseProxyUrl" . }}
{{- end }}
{{- if include "spark.mountClaim" (dict "root" . "name" "events") }}
{{- $conf = merge $conf (dict
  "spark.eventLog.compress" true
  "spark.eventLog.dir" (printf "file:%s" .Values.mounts.events.mountPath)
  "spark.eventLog.enabled" true
  "spark.eventLog.rolling.enabled" true) }}
{{- end }}
{{- $conf = merge $conf (include "spark.timeZoneConf" . | fromJson) }}
{{- toJson (mergeOverwrite (include "spark.securityConf" . | fromJson) (include "spark.metrics.conf" . | fromJson) $conf $connect.sparkConf) -}}
{{- end -}}

{{- /* TCP behind TLS: what a client and the server say to each other passes as it is. */}}
{{- define "spark.connect.proxy" -}}
{{- $port := .Values.connect.containerPorts.grpc -}}
global
  log stdout format raw daemon notice
  maxconn 512
  nbthread 1
  ssl-default-bind-options ssl-min-ver TLSv1.2
  # the key of tls.crt is in tls.key
  ssl-load-extra-del-ext

defaults
  log global
  mode tcp
  option clitcpka
  option srvtcpka
  timeout connect 5s
  timeout client 1h
  timeout server 1h

# Spark itself listens at the same port of 127.0.0.1.
frontend connect
  bind "${POD_IP}:{{ $port }}"
  tcp-request connection reject if { nbsrv(spark) eq 0 }
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  tcp-request content accept if { req.payload(0,3) -m str PRI }
  tcp-request content reject
  use_backend tls if { req.ssl_hello_type 1 }
  default_backend plain

backend tls
  server tls abns@tls
frontend tls
  bind abns@tls ssl crt /opt/spark-tls/tls.crt alpn h2
  default_backend spark
backend spark
  server spark 127.0.0.1:{{ $port }} check inter 1s

# A client without TLS would try for ten minutes and then say that the connection was closed.
backend plain
  server plain abns@plain
frontend plain
  mode http
  bind abns@plain proto h2
  http-request return status 200 hdr grpc-status 16 hdr grpc-message "this server wants TLS and a token: connect to sc://<host>:{{ $port }}/;use_ssl=true with the token in SPARK_CONNECT_AUTHENTICATE_TOKEN"
{{- end -}}

{{- define "spark.connect.config" -}}
spark-defaults.conf: |
  {{- include "spark.properties" (dict "root" . "conf" (include "spark.connect.conf" . | fromJson)) | trim | nindent 2 }}
haproxy.cfg: |
  {{- include "spark.connect.proxy" . | nindent 2 }}
probe-tls.sh: |
  {{- .Files.Get "files/connect/probe-tls.sh" | trim | nindent 2 }}
{{- end -}}
