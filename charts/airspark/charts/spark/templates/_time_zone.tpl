{{/*
The time zone.

  spark.timeZone              the zone of days, or nothing for UTC                      pods, below
  spark.validate.timeZone     refuses what is not a time zone                           validate
  spark.timeZoneConf          that of sessions and of executors' variables, as JSON     config, connect
*/}}

{{- define "spark.timeZone" -}}
{{- dig "timeZone" "" (.Values.global | default dict) -}}
{{- end -}}

{{- /* Helm takes a zone that it does not know for UTC, and so each where it has no list of zones: then nothing is said here. */}}
{{- define "spark.validate.timeZone" -}}
{{- $zone := include "spark.timeZone" . -}}
{{- $utc := list "UTC" "UCT" "Zulu" "Universal" "Etc/UTC" "Etc/UCT" "Etc/Zulu" "Etc/Universal" -}}
{{- $listed := ne (dateInZone "MST" 0 "Asia/Tokyo") "UTC" -}}
{{- if and $zone $listed (not (has $zone $utc)) (eq (dateInZone "MST" 0 $zone) "UTC") }}
global.timeZone: {{ $zone | quote }} is not a time zone; write a name of the IANA time zone database, such as Europe/Berlin, or nothing for UTC
{{- end }}
{{- end -}}

{{- define "spark.timeZoneConf" -}}
{{- $zone := include "spark.timeZone" . -}}
{{- toJson ($zone | empty | ternary dict (dict "spark.sql.session.timeZone" $zone "spark.executorEnv.AIRSPARK_TIME_ZONE" $zone)) -}}
{{- end -}}
