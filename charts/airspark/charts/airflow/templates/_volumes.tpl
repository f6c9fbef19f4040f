{{/*
Volumes and their mounts.

  airflow.configMounts     airflow.cfg, webserver_config.py, airflow_local_settings.py, keys    Airflow containers
  airflow.knownHosts       where the known hosts of a Git repository are, or nothing            containers
  airflow.configVolumes    their volumes                                                        Airflow pods
  airflow.logs.remote      whether task logs are sent away                                      validate, notes
  airflow.logs.claimed     whether task logs are on a claim                                     pods, claim
  airflow.logs.accessMode  access mode of the claim for task logs                               claim, notes
  airflow.logs.several     keys of components with several pods that mount it, as JSON          validate, claim
  airflow.logsMount        task logs                                                            containers
  airflow.logsVolume       claim or emptyDir                                                    pods
  airflow.dagsMount        DAG files on a claim                                     DAG processor, triggerer, tasks
  airflow.dagsVolume       the claim                                                DAG processor, triggerer, tasks
  airflow.claimMounts      claims of `mounts` that a component asks for, as a list              components (dict root, values)
  airflow.claimVolumes     their volumes                                                        components (dict root, values)
*/}}

{{- define "airflow.configMounts" -}}
- name: chart/config
  mountPath: {{ .Values.airflowHome }}/airflow.cfg
  subPath: airflow.cfg
  readOnly: true
- name: {{ empty .Values.apiServer.apiServerConfigConfigMapName | ternary "chart/config" "chart/webserver-config" }}
  mountPath: {{ .Values.airflowHome }}/webserver_config.py
  subPath: webserver_config.py
  readOnly: true
{{- if .Values.airflowLocalSettings }}
- name: chart/config
  mountPath: {{ .Values.airflowHome }}/config/airflow_local_settings.py
  subPath: airflow_local_settings.py
  readOnly: true
{{- end }}
{{- if include "airflow.knownHosts" . }}
- name: chart/config
  mountPath: {{ include "airflow.knownHosts" . }}
  subPath: known_hosts
  readOnly: true
{{- end }}
- name: chart/tmp
  mountPath: /tmp
{{- end -}}

{{- define "airflow.knownHosts" -}}
{{- if and .Values.dags.gitSync.enabled .Values.dags.gitSync.knownHosts }}{{ .Values.airflowHome }}/known_hosts{{ end -}}
{{- end -}}

{{- define "airflow.configVolumes" -}}
- name: chart/config
  configMap:
    name: {{ include "airflow.fullname" . }}-config
{{- with .Values.apiServer.apiServerConfigConfigMapName }}
- name: chart/webserver-config
  configMap:
    name: {{ tpl . $ }}
{{- end }}
- name: chart/scripts
  configMap:
    name: {{ include "airflow.fullname" . }}-scripts
- name: chart/tmp
  emptyDir: {}
{{- with include "airflow.database.caVolume" . | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "airflow.logs.remote" -}}
{{- $own := or .Values.logs.remote.enabled .Values.elasticsearch.enabled .Values.opensearch.enabled | ternary "True" "False" -}}
{{- include "airflow.setting.on" (dict "root" . "section" "logging" "key" "remote_logging" "default" $own) -}}
{{- end -}}

{{- define "airflow.logs.claimed" -}}
{{- if eq (toString .Values.logs.persistence.enabled) (include "airflow.logs.remote" . | empty | ternary "auto" "true") "true" }}yes{{ end -}}
{{- end -}}

{{- /* As the official chart's, where the claim is asked for; one that nobody asked for binds on any cluster. */}}
{{- define "airflow.logs.accessMode" -}}
{{- $asked := or (eq (toString .Values.logs.persistence.enabled) "true") (include "airflow.logs.several" . | fromJsonArray) -}}
{{- .Values.logs.persistence.accessMode | default (empty $asked | ternary "ReadWriteOnce" "ReadWriteMany") -}}
{{- end -}}

{{- define "airflow.logs.several" -}}
{{- $several := list -}}
{{- range $name := list "apiServer" "scheduler" "triggerer" }}
{{- $component := get $.Values $name }}
{{- $own := and (eq $name "triggerer") (or $component.persistence.enabled (not $component.enabled)) }}
{{- $scaled := or (dig "hpa" "enabled" false $component) (default dict $component.keda).enabled }}
{{- if and (not $own) (or $scaled (gt (int $component.replicas) 1)) }}{{ $several = append $several $name }}{{ end }}
{{- end }}
{{- toJson $several -}}
{{- end -}}

{{- define "airflow.logsVolume" -}}
- name: chart/logs
  {{- if include "airflow.logs.claimed" . }}
  persistentVolumeClaim:
    claimName: {{ include "airflow.claimName.logs" . }}
  {{- else }}
  emptyDir: {{ toJson .Values.logs.emptyDirConfig }}
  {{- end }}
{{- end -}}

{{- define "airflow.logsMount" -}}
name: chart/logs
mountPath: {{ .Values.airflowHome }}/logs
{{- with .Values.logs.persistence.subPath }}
subPath: {{ . }}
{{- end }}
{{- end -}}

{{- define "airflow.dagsMount" -}}
{{- if .Values.dags.persistence.enabled }}
name: chart/dags
mountPath: {{ default (printf "%s/dags" .Values.airflowHome) .Values.dags.mountPath }}
readOnly: true
{{- with .Values.dags.persistence.subPath }}
subPath: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.dagsVolume" -}}
{{- if .Values.dags.persistence.enabled }}
- name: chart/dags
  persistentVolumeClaim:
    claimName: {{ include "airflow.claimName.dags" . }}
{{- end }}
{{- end -}}

{{- define "airflow.claimMounts" -}}
{{- range $name, $mode := .values.mounts }}
{{- if and $mode (include "airflow.mountClaim" (dict "root" $.root "name" $name)) }}
- name: chart/{{ $name }}
  mountPath: {{ (get $.root.Values.mounts $name).mountPath }}
  {{- if eq $mode "ReadOnly" }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.claimVolumes" -}}
{{- range $name, $mode := .values.mounts }}
{{- with and $mode (include "airflow.mountClaim" (dict "root" $.root "name" $name)) }}
- name: chart/{{ $name }}
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
