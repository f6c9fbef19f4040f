{{/*
ConfigMaps and Secrets of `extraConfigMaps` and `extraSecrets` in pods.

  airflow.extras.checksums    annotations, as JSON, that change with those that a pod uses: a mount by subPath and a
                              variable never change in a running pod                   podMetadata  (dict root, values)
*/}}

{{- define "airflow.extras.checksums" -}}
{{- $all := .root.Values -}}
{{- $used := toJson (list .values $all.env $all.secret $all.extraEnv $all.extraEnvFrom $all.volumes $all.volumeMounts
      $all.imagePullSecrets $all.apiServer.apiServerConfigConfigMapName) -}}
{{- $checksums := dict -}}
{{- range $kind, $extras := dict "configmaps" $all.extraConfigMaps "secrets" $all.extraSecrets }}
{{- $texts := list }}
{{- range $name, $extra := $extras }}
{{- /* Where the name is a template, no text tells who uses it. */}}
{{- if and $extra (or (contains "{{" $name) (contains $name $used)) }}
{{- $text := toYaml (list $name $extra.data $extra.stringData) }}
{{- $texts = append $texts (contains "{{" $text | ternary (tpl $text $.root) $text) }}
{{- end }}
{{- end }}
{{- with $texts }}{{ $_ := set $checksums (printf "checksum/extra-%s" $kind) (join "\n" . | sha256sum) }}{{ end }}
{{- end }}
{{- toJson $checksums -}}
{{- end -}}
