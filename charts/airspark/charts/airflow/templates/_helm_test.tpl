{{/*
The pod of `helm test`.

  airflow.helmTest.component    component and values of the pod, as JSON    pod, account
  airflow.helmTest.bakedDags    whether DAGs come from the image            env
  airflow.helmTest.env          what helm_test.py is told, as a list        pod
*/}}

{{- define "airflow.helmTest.component" -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- $values := mergeOverwrite dict .Values.helmTest (dict "podAnnotations" $hook) -}}
{{- toJson (dict "component" "helm-test" "values" $values) -}}
{{- end -}}

{{- define "airflow.helmTest.bakedDags" -}}
{{- if not (or .Values.dags.gitSync.enabled .Values.dags.persistence.enabled) }}
{{- range include "airflow.bundles.effective" . | fromJsonArray }}
{{- if and (hasSuffix ".LocalDagBundle" .classpath) (not .kwargs) }}yes{{ end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.helmTest.env" -}}
{{- $scheme := lower (default (include "airflow.api.scheme" .) .Values.apiServer.readinessProbe.scheme) -}}
{{- $url := printf "%s://%s-api-server.%s.svc:%s%s" $scheme (include "airflow.fullname" .) .Release.Namespace (include "airflow.apiServer.port" .) (include "airflow.api.basePath" .) -}}
- {name: CHECK_URL, value: {{ quote $url }}}
- {name: CHECK_NAMESPACE, value: {{ .Release.Namespace }}}
- {name: CHECK_RELEASE, value: {{ .Release.Name }}}
- {name: CHECK_AUTH, value: {{ include "airflow.auth" . }}}
- {name: CHECK_PARTS, value: metadatabase scheduler dag_processor{{ if .Values.triggerer.enabled }} triggerer{{ end }}}
- {name: CHECK_SECONDS, value: {{ default 240 .Values.helmTest.deadlineSeconds | include "common.text" | quote }}}
- {name: CHECK_DAG, value: {{ include "airflow.helmTest.bakedDags" . | default "no" | quote }}}
{{- if include "airflow.logs.claimed" . }}
- {name: CHECK_LOGS, value: {{ .Values.airflowHome }}/logs}
{{- end }}
{{- if and .Values.createUserJob.enabled (include "airflow.auth.users" .) }}
{{- range $name := list "username" "password" }}
- {name: CHECK_{{ upper $name }}, valueFrom: {secretKeyRef: {name: {{ include "airflow.secretName.admin" $ }}, key: {{ $name }}}}}
{{- end }}
{{- end }}
{{- end -}}
