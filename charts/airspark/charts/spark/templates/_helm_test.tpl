{{/*
The pod of `helm test`: a driver as Spark's user, and beside it a reader as Airflow's.

  spark.helmTest.component    what the helpers of pods take, as JSON                pod
  spark.helmTest.workers      number of workers that must have registered           env
  spark.helmTest.env          what helm_test.py is told, as a list                  pod
*/}}

{{- define "spark.helmTest.component" -}}
{{- $annotations := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- toJson (dict "component" "spark-helm-test" "claims" (list "output" "events") "values" (merge (dict "podAnnotations" $annotations) .Values.helmTest)) -}}
{{- end -}}

{{- define "spark.helmTest.workers" -}}
{{- $number := 0 -}}
{{- range include "spark.groups" . | fromJson }}
{{- $number = add $number (.autoscaling.enabled | ternary .autoscaling.minReplicas .replicaCount) }}
{{- end }}
{{- $number -}}
{{- end -}}

{{- define "spark.helmTest.env" -}}
{{- $name := include "spark.fullname" . -}}
- {name: CHECK_NAMESPACE, value: {{ .Release.Namespace }}}
- {name: CHECK_RELEASE, value: {{ .Release.Name }}}
- {name: CHECK_SECONDS, value: {{ include "common.text" .Values.helmTest.deadlineSeconds | quote }}}
- {name: CHECK_WORKERS, value: {{ include "spark.helmTest.workers" . | quote }}}
- {name: CHECK_MASTER, value: {{ include "spark.masterUrl" . | quote }}}
- {name: CHECK_MASTER_UI, value: "http://{{ $name }}-spark-master:{{ .Values.master.containerPorts.http }}"}
- {name: CHECK_PROXY, value: {{ .Values.ui.reverseProxy.enabled | ternary "yes" "no" | quote }}}
{{- if include "spark.history" . }}
- {name: CHECK_HISTORY, value: "http://{{ $name }}-spark-history:{{ .Values.historyServer.containerPorts.http }}"}
{{- end }}
{{- range $variable, $mount := dict "CHECK_EVENTS" "events" "CHECK_OUTPUT" "output" }}
{{- if include "spark.mountClaim" (dict "root" $ "name" $mount) }}
- {name: {{ $variable }}, value: {{ (get $.Values.mounts $mount).mountPath }}}
{{- end }}
{{- end }}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: SPARK_LOCAL_IP, value: $(POD_IP)}
- {name: SPARK_CONF_DIR, value: /opt/spark-conf}
{{- if .Values.security.rpc.authenticationEnabled }}
- {name: _SPARK_AUTH_SECRET, valueFrom: {secretKeyRef: {name: {{ include "spark.authSecret" . }}, key: rpc-authentication-secret}}}
{{- end }}
{{- end -}}
