{{/*
Where DAGs come from.

  airflow.gitRef             branch, tag or commit that a Git bundle follows           bundles
  airflow.seconds            seconds of a text such as 60s                     bundles
  airflow.bundles            DAG bundles that the chart's own keys ask for, as JSON    config, bundles
  airflow.bundles.effective  DAG bundles in effect, as JSON                    network policies, notes, bootstrap
  airflow.bundles.connections  connections of `connections` that bundles use   DAG processor
*/}}

{{- /* As git-sync 4 takes them: a `rev` of HEAD, the official default, says nothing, and `branch` goes before `ref`. */}}
{{- define "airflow.gitRef" -}}
{{- $git := .Values.dags.gitSync -}}
{{- coalesce (eq (toString $git.rev) "HEAD" | ternary "" $git.rev) $git.branch $git.ref "main" -}}
{{- end -}}

{{- /* A number with s, m or h, or seconds without. */}}
{{- define "airflow.seconds" -}}
{{- mul (regexFind "^[0-9]+" .) (get (dict "m" 60 "h" 3600) (regexFind "[smh]?$" .) | default 1) -}}
{{- end -}}

{{- define "airflow.bundles" -}}
{{- $git := .Values.dags.gitSync -}}
{{- if $git.enabled -}}
{{- $kwargs := dict "git_conn_id" "git_dags" "tracking_ref" (include "airflow.gitRef" .)
      "refresh_interval" (include "airflow.seconds" $git.period | int) -}}
{{- with $git.subPath }}{{ $_ := set $kwargs "subdir" . }}{{ end -}}
{{- toJson (list (dict "name" "git" "classpath" "airflow.providers.git.bundles.git.GitDagBundle" "kwargs" $kwargs)) -}}
{{- else -}}
{{- include "common.json" (list .Values.dagProcessor.dagBundleConfigList .) -}}
{{- end -}}
{{- end -}}

{{- /* A list that cannot be read, because a Secret or a command holds it, is none. */}}
{{- define "airflow.bundles.effective" -}}
{{- $derived := include "airflow.bundles" . -}}
{{- $setting := include "airflow.setting" (dict "root" . "section" "dag_processor" "key" "dag_bundle_config_list" "default" $derived) | fromJson -}}
{{- $bundles := list -}}
{{- range empty $setting.value | ternary list (printf "{\"bundles\": %s}" $setting.value | fromJson).bundles }}
{{- if kindIs "map" . }}{{ $bundles = append $bundles (merge (dict "kwargs" (default dict .kwargs)) .) }}{{ end }}
{{- end }}
{{- toJson $bundles -}}
{{- end -}}

{{- define "airflow.bundles.connections" -}}
{{- $known := keys .Values.connections | concat (.Values.dags.gitSync.enabled | ternary (list "git_dags") list) -}}
{{- $used := list -}}
{{- range include "airflow.bundles.effective" . | fromJsonArray }}
{{- range $key, $value := .kwargs }}
{{- if and (hasSuffix "conn_id" $key) (has $value $known) }}{{ $used = append $used $value }}{{ end }}
{{- end }}
{{- end }}
{{- $used | uniq | sortAlpha | join " " -}}
{{- end -}}
