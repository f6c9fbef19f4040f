{{/*
Texts of configuration files.

  spark.properties       a map as lines of spark-defaults.conf, values as templates    config   (dict root, conf)
  spark.securityConf     authentication and encryption of every process, as JSON       below
  spark.daemonConf       of master and workers, as JSON                                config
  spark.historyConf      of the history server, as JSON                                config
  spark.config           the data of the ConfigMap                                     config, pods
*/}}

{{- define "spark.properties" -}}
{{- range $key := keys .conf | sortAlpha }}
{{ $key }} {{ tpl (get $.conf $key | include "common.text") $.root }}
{{- end }}
{{- end -}}

{{- define "spark.securityConf" -}}
{{- $security := .Values.security -}}
{{- $conf := dict "spark.authenticate" $security.rpc.authenticationEnabled -}}
{{- if and $security.rpc.authenticationEnabled $security.rpc.encryptionEnabled }}
{{- $conf = merge $conf (dict
  "spark.network.crypto.cipher" "AES/GCM/NoPadding"
  "spark.network.crypto.enabled" true
  "spark.network.crypto.saslFallback" false) }}
{{- end }}
{{- if $security.acls.enabled }}
{{- $conf = merge $conf (dict
  "spark.acls.enable" true
  "spark.admin.acls" (join "," $security.acls.admins)
  "spark.ui.view.acls" (join "," $security.acls.viewers)) }}
{{- end }}
{{- toJson $conf -}}
{{- end -}}

{{- define "spark.daemonConf" -}}
{{- $conf := dict
  "spark.decommission.enabled" .Values.worker.decommission.enabled
  "spark.master.rest.enabled" .Values.master.rest.enabled
  "spark.shuffle.service.enabled" .Values.shuffleService.enabled
  "spark.shuffle.service.port" .Values.worker.containerPorts.shuffle
  "spark.ui.reverseProxy" .Values.ui.reverseProxy.enabled -}}
{{- if .Values.master.rest.enabled }}
{{- $conf = merge $conf (dict
  "spark.master.rest.filters" "org.apache.spark.ui.JWSFilter"
  "spark.master.rest.host" "0.0.0.0"
  "spark.master.rest.port" .Values.master.containerPorts.rest) }}
{{- end }}
{{- with include "spark.ui.url" . }}
{{- $_ := set $conf "spark.ui.reverseProxyUrl" . }}
{{- end }}
{{- if include "spark.history" . }}
{{- $_ := set $conf "spark.master.ui.historyServerUrl" (include "spark.history.url" .) }}
{{- end }}
{{- $conf = merge $conf (include "spark.timeZoneConf" . | fromJson) }}
{{- toJson (mergeOverwrite (include "spark.securityConf" . | fromJson) (include "spark.metrics.conf" . | fromJson) $conf .Values.sparkConf) -}}
{{- end -}}

{{- define "spark.historyConf" -}}
{{- $history := .Values.historyServer -}}
{{- $conf := dict
  "spark.history.fs.cleaner.enabled" true
  "spark.history.fs.cleaner.interval" $history.cleaner.interval
  "spark.history.fs.cleaner.maxAge" $history.cleaner.maxAge
  "spark.history.fs.logDirectory" (printf "file:%s" .Values.mounts.events.mountPath)
  "spark.history.fs.update.interval" $history.updateInterval
  "spark.history.store.hybridStore.diskBackend" "ROCKSDB"
  "spark.history.store.hybridStore.enabled" true
  "spark.history.store.path" "/tmp/history"
  "spark.history.ui.port" $history.containerPorts.http -}}
{{- with include "spark.page.path" (dict "root" . "component" "spark-history") }}
{{- $_ := set $conf "spark.ui.proxyBase" . }}
{{- end }}
{{- toJson (mergeOverwrite $conf $history.sparkConf) -}}
{{- end -}}

{{- define "spark.config" -}}
spark-defaults.conf: |
  {{- include "spark.properties" (dict "root" . "conf" (include "spark.daemonConf" . | fromJson)) | trim | nindent 2 }}
{{- if include "spark.history" . }}
history.conf: |
  {{- include "spark.properties" (dict "root" . "conf" (include "spark.historyConf" . | fromJson)) | trim | nindent 2 }}
{{- end }}
{{- range $path, $_ := .Files.Glob "files/scripts/*.sh" }}
{{ base $path }}: |
  {{- $.Files.Get $path | trim | nindent 2 }}
{{- end }}
{{- end -}}
