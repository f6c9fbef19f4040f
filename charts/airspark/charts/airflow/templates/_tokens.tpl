{{/*
Keys that sign tokens, where a key pair takes the place of the shared secret; and a pod's own token.

  airflow.jwtKeysMount     mounts of a container, as a list                      API server, scheduler
  airflow.jwtKeysVolume    its volume                                            API server, scheduler
  airflow.tokenMount       mount of a token with an audience or time of its own  components (dict values)
  airflow.tokenVolume      its volume                                            components (dict values)
*/}}

{{- define "airflow.tokenMount" -}}
{{- with (default dict .values.serviceAccount).serviceAccountTokenVolume }}
{{- if .enabled }}
- name: {{ default "kube-api-access" .volumeName }}
  mountPath: {{ default "/var/run/secrets/kubernetes.io/serviceaccount" .mountPath }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.tokenVolume" -}}
{{- with (default dict .values.serviceAccount).serviceAccountTokenVolume }}
{{- if .enabled }}
- name: {{ default "kube-api-access" .volumeName }}
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: {{ default 3600 .expirationSeconds }}
          {{- with .audience }}
          audience: {{ . }}
          {{- end }}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.jwtKeysMount" -}}
{{- $mounts := list -}}
{{- if .Values.jwtKeyPair.enabled }}
{{- $mounts = list (dict "name" "chart/jwt-keys" "mountPath" "/etc/airspark/jwt" "readOnly" true) }}
{{- end }}
{{- toYaml $mounts }}
{{- end -}}

{{- define "airflow.jwtKeysVolume" -}}
{{- if .Values.jwtKeyPair.enabled }}
- name: chart/jwt-keys
  secret:
    secretName: {{ include "airflow.secretName.jwtKeys" . }}
    defaultMode: 0440
{{- end }}
{{- end -}}
