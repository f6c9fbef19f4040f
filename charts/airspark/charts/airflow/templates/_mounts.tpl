{{/*
Mounts and the volumes that they need.

  airflow.pod          a pod's spec, once every mount in it has a volume    every pod, task pods too
                       (dict root, spec, path, values, claims, pod)
  airflow.mountedBy    the key of the values that a mount comes from        below  (dict root, path, values, container, mount)
*/}}

{{- /* Kubernetes would refuse a pod without the volume, long after Helm said that all is well. */}}
{{- define "airflow.pod" -}}
{{- $text := include "common.pod" .spec -}}
{{- $pod := fromYaml $text -}}
{{- $volumes := default list .claims -}}
{{- range $pod.volumes }}{{ $volumes = append $volumes (toString .name) }}{{ end -}}
{{- range $container := concat (default list $pod.initContainers) (default list $pod.containers) }}
{{- range $mount := $container.volumeMounts }}
{{- if not (has (toString $mount.name) $volumes) }}
{{- $key := include "airflow.mountedBy" (merge (dict "container" $container "mount" $mount) (pick $ "root" "path" "values")) }}
{{- $all := eq $key "volumeMounts" }}
{{- $pod := $all | ternary "every pod" (default "its pod" $.pod) }}
{{- $own := printf "`%s.extraVolumes`" $.path }}
{{- $volumes := $all | ternary "`volumes`" (has $.path (list "backup" "statsd") | ternary $own (print $own " or `volumes`")) }}
{{- fail (printf "\n\n%s: %s would mount the volume %s at %s, and has no volume of that name, so Kubernetes would refuse it; add it to %s, or remove the mount\n" $key $pod (toString $mount.name) (default "no path" $mount.mountPath) $volumes) }}
{{- end }}
{{- end }}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- define "airflow.mountedBy" -}}
{{- $key := "" -}}
{{- range $list := list "extraInitContainers" "extraContainers" }}
{{- range include "common.json" (list (get $.values $list | default list) $.root) | fromJsonArray }}
{{- if eq (toString .name) (toString $.container.name) }}{{ $key = printf "%s.%s" $.path $list }}{{ end }}
{{- end }}
{{- end }}
{{- range include "common.json" (list .root.Values.volumeMounts .root) | fromJsonArray }}
{{- if and (eq (toString .name) (toString $.mount.name)) (not $key) }}{{ $key = "volumeMounts" }}{{ end }}
{{- end }}
{{- default (printf "%s.extraVolumeMounts" .path) $key -}}
{{- end -}}
