{{/*
The time zone of applications.

  sparkOperator.timeZone            the zone of their sessions and days, or nothing                      below
  sparkOperator.validate.timeZone   refuses what is not a time zone                                      validate
  sparkOperator.sparkConf           properties of applications that do not say otherwise, as JSON        config
*/}}

{{- define "sparkOperator.timeZone" -}}
{{- dig "timeZone" "" (.Values.global | default dict) -}}
{{- end -}}

{{- /* Helm takes a zone that it does not know for UTC, and so each where it has no list of zones: then nothing is said here. */}}
{{- define "sparkOperator.validate.timeZone" -}}
{{- $zone := include "sparkOperator.timeZone" . -}}
{{- $utc := list "UTC" "UCT" "Zulu" "Universal" "Etc/UTC" "Etc/UCT" "Etc/Zulu" "Etc/Universal" -}}
{{- $listed := ne (dateInZone "MST" 0 "Asia/Tokyo") "UTC" -}}
{{- if and $zone $listed (not (has $zone $utc)) (eq (dateInZone "MST" 0 $zone) "UTC") }}
global.timeZone: {{ $zone | quote }} is not a time zone; write a name of the IANA time zone database, such as Europe/Berlin, or nothing for UTC
{{- end }}
{{- end -}}

{{- /* Spark makes a secret for each application that runs on Kubernetes, and hands it to its executors. */}}
{{- define "sparkOperator.sparkConf" -}}
{{- $conf := dict -}}
{{- $security := .Values.spark.defaults.security -}}
{{- if $security.authentication }}{{ $_ := set $conf "spark.authenticate" "true" }}{{ end -}}
{{- if and $security.authentication $security.encryption -}}
{{- $conf = merge $conf (dict
      "spark.network.crypto.enabled" "true"
      "spark.network.crypto.cipher" "AES/GCM/NoPadding"
      "spark.network.crypto.saslFallback" "false"
      "spark.io.encryption.enabled" "true") -}}
{{- end -}}
{{- with include "sparkOperator.timeZone" . -}}
{{- $conf = merge $conf (dict "spark.sql.session.timeZone" . "spark.kubernetes.driverEnv.AIRSPARK_TIME_ZONE" . "spark.executorEnv.AIRSPARK_TIME_ZONE" .) -}}
{{- end -}}
{{- toJson (mergeOverwrite $conf .Values.spark.defaults.sparkConf) -}}
{{- end -}}
