{{/*
The time zone.

  airflow.timeZone            the zone of days and schedules, or nothing for UTC    config, containers, cronjobs, notes
  airflow.validate.timeZone   refuses what is not a time zone                       validate
*/}}

{{- define "airflow.timeZone" -}}
{{- dig "timeZone" "" (.Values.global | default dict) -}}
{{- end -}}

{{- /* Helm takes a zone that it does not know for UTC, and so each where it has no list of zones: then nothing is said here. */}}
{{- define "airflow.validate.timeZone" -}}
{{- $zone := include "airflow.timeZone" . -}}
{{- $utc := list "UTC" "UCT" "Zulu" "Universal" "Etc/UTC" "Etc/UCT" "Etc/Zulu" "Etc/Universal" -}}
{{- $listed := ne (dateInZone "MST" 0 "Asia/Tokyo") "UTC" -}}
{{- if and $zone $listed (not (has $zone $utc)) (eq (dateInZone "MST" 0 $zone) "UTC") }}
global.timeZone: {{ $zone | quote }} is not a time zone; write a name of the IANA time zone database, such as Europe/Berlin, or nothing for UTC
{{- end }}
{{- end -}}
