{{/*
Volumes and their mounts.

  airflow.configMounts     airflow.cfg, webserver_config.py, airflow_local_settings.py, keys    Airflow containers
  airflow.knownHosts       where the known hosts of a Git repository are, or nothing            containers
  airflow.configVolumes    their volumes                                                        Airflow pods
  airflow.logs.remote      whether task logs are sent away                                      validate, notes
  airflow.logs.claimed     whether task logs are on a claim                                     pods, claim
  airflow.logs.several     keys of components with several pods that mount it, as JSON          validate, claim
  airflow.logsMount        task logs                                                            containers
  airflow.logsVolume       claim or emptyDir                                                    pods
  airflow.dagsMount        DAG files on a claim                                                 DAG processor, tasks
  airflow.dagsVolume       the claim                                                            DAG processor, tasks
*/}}

{{- define "airflow.configMounts" -}}
- name: config
  mountPath: {{ .Values.airflowHome }}/airflow.cfg
  subPath: airflow.cfg
  readOnly: true
- name: {{ empty .Values.apiServer.apiServerConfigConfigMapName | ternary "config" "webserver-config" }}
  mountPath: {{ .Values.airflowHome }}/webserver_config.py
  subPath: webserver_config.py
  readOnly: true
{{- if .Values.airflowLocalSettings }}
- name: config
  mountPath: {{ .Values.airflowHome }}/config/airflow_local_settings.py
  subPath: airflow_local_settings.py
  readOnly: true
{{- end }}
{{- if include "airflow.knownHosts" . }}
- name: config
  mountPath: {{ include "airflow.knownHosts" . }}
  subPath: known_hosts
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "airflow.knownHosts" -}}
{{- if and .Values.dags.gitSync.enabled .Values.dags.gitSync.knownHosts }}{{ .Values.airflowHome }}/known_hosts{{ end -}}
{{- end -}}

{{- define "airflow.configVolumes" -}}
- name: config
  configMap:
    name: {{ include "airflow.fullname" . }}-config
{{- with .Values.apiServer.apiServerConfigConfigMapName }}
- name: webserver-config
  configMap:
    name: {{ tpl . $ }}
{{- end }}
- name: scripts
  configMap:
    name: {{ include "airflow.fullname" . }}-scripts
- name: tmp
  emptyDir: {}
{{- with include "airflow.database.caVolume" . | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "airflow.logs.remote" -}}
{{- $config := get (default dict .Values.config.logging) "remote_logging" | default "" -}}
{{- $env := contains "AIRFLOW__LOGGING__REMOTE_LOGGING" (print (toJson .Values.env) .Values.extraEnv) -}}
{{- if or .Values.logs.remote.enabled .Values.elasticsearch.enabled .Values.opensearch.enabled $env (eq (tpl (toString $config) . | lower) "true") }}yes{{ end -}}
{{- end -}}

{{- define "airflow.logs.claimed" -}}
{{- if eq (toString .Values.logs.persistence.enabled) (include "airflow.logs.remote" . | empty | ternary "auto" "true") "true" }}yes{{ end -}}
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
- name: logs
  {{- if include "airflow.logs.claimed" . }}
  persistentVolumeClaim:
    claimName: {{ include "airflow.claimName.logs" . }}
  {{- else }}
  emptyDir: {{ toJson .Values.logs.emptyDirConfig }}
  {{- end }}
{{- end -}}

{{- define "airflow.logsMount" -}}
name: logs
mountPath: {{ .Values.airflowHome }}/logs
{{- with .Values.logs.persistence.subPath }}
subPath: {{ . }}
{{- end }}
{{- end -}}

{{- define "airflow.dagsMount" -}}
{{- if .Values.dags.persistence.enabled }}
name: dags
mountPath: {{ default (printf "%s/dags" .Values.airflowHome) .Values.dags.mountPath }}
readOnly: true
{{- with .Values.dags.persistence.subPath }}
subPath: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.dagsVolume" -}}
{{- if .Values.dags.persistence.enabled }}
- name: dags
  persistentVolumeClaim:
    claimName: {{ include "airflow.claimName.dags" . }}
{{- end }}
{{- end -}}
