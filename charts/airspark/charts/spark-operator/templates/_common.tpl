{{/*
What every chart needs. Each chart holds the same copy of this file, and a test compares the copies.

  common.text        a value as text: numbers without an exponent, maps and lists as JSON         (value)
  common.template    a value with each of its texts rendered as a template, {"value": …} as JSON  (list value, root)
  common.json        the same, as JSON of the value itself                                        (list value, root)
  common.yaml        the same, as YAML; a value that is a text is YAML already                    (list value, root)
  common.map         a map of texts, such as labels: keys and values rendered, as YAML            (list map, root)
  common.merge       a list in which each key stands once, as JSON                                (dict items, by)
  common.container   merges the lists of a container, which it changes; images without a registry are not pulled (container)
  common.volumes     names the chart's own volumes of a pod, which it changes                     (pod)
  common.pod         the spec of a pod, merged, as YAML                                           (text of the spec)
  common.defaults    refuses empty keys whose default is a map, fills in {} and [] where that is the default    (root)
*/}}

{{- /* An empty key removes a default: where that is a map with something in it, nothing could stand for it. Helm has dropped such
       keys before the schema is asked. */}}
{{- define "common.defaults" -}}
{{- $root := . -}}
{{- $defaults := .Files.Get "files/defaults.yaml" | fromYaml -}}
{{- $removed := list -}}
{{- range $path := concat $defaults.filled $defaults.maps $defaults.lists }}
{{- $above := $root.Values }}
{{- $names := splitList "." $path }}
{{- range initial $names }}{{ if kindIs "map" $above }}{{ $above = get $above . }}{{ end }}{{ end }}
{{- if and (kindIs "map" $above) (kindIs "invalid" (index (kindIs "map" $above | ternary $above dict) (last $names))) }}
{{- if has $path $defaults.filled }}
{{- $removed = append $removed (printf "%s: the key is empty, which removes its defaults; remove the key, or write {} after it" $path) }}
{{- else }}
{{- $_ := set $above (last $names) (has $path $defaults.maps | ternary dict list) }}
{{- end }}
{{- end }}
{{- end }}
{{- with $removed }}{{ fail (printf "\n\n%s\n" (join "\n" .)) }}{{ end -}}
{{- end -}}

{{- define "common.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else if not (kindIs "invalid" .) }}{{ toJson . }}{{ end -}}
{{- end -}}

{{- /* `tpl` of a whole list or map as text would break on the quotes of a template, and copies all templates each time. */}}
{{- define "common.template" -}}
{{- $value := index . 0 -}}
{{- $root := index . 1 -}}
{{- if contains "{{" (toJson $value) }}
{{- if kindIs "map" $value }}
{{- $made := dict }}
{{- range $key, $item := $value }}
{{- $_ := set $made (contains "{{" $key | ternary (tpl $key $root) $key) (include "common.template" (list $item $root) | fromJson).value }}
{{- end }}
{{- $value = $made }}
{{- else if kindIs "slice" $value }}
{{- $made := list }}
{{- range $value }}{{ $made = append $made (include "common.template" (list . $root) | fromJson).value }}{{ end }}
{{- $value = $made }}
{{- else }}
{{- $value = tpl $value $root }}
{{- end }}
{{- end }}
{{- dict "value" $value | toJson -}}
{{- end -}}

{{- define "common.json" -}}
{{- (include "common.template" . | fromJson).value | toJson -}}
{{- end -}}

{{- define "common.yaml" -}}
{{- if kindIs "string" (first .) }}{{ tpl (first .) (last .) }}{{ else }}{{ (include "common.template" . | fromJson).value | toYaml }}{{ end -}}
{{- end -}}

{{- define "common.map" -}}
{{- $map := first . -}}
{{- if kindIs "string" $map }}{{ $map = tpl $map (last .) | fromYaml }}{{ else }}{{ $map = (include "common.template" . | fromJson).value }}{{ end }}
{{- $texts := dict }}
{{- range $key, $value := $map }}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $texts $key (include "common.text" $value) }}{{ end }}
{{- end }}
{{- /* A text that is no YAML stays as it is, so that Helm says where it is not. */}}
{{- if and (kindIs "string" (first .)) (hasKey $texts "Error") }}{{ tpl (first .) (last .) }}{{ else }}{{ toYaml $texts }}{{ end -}}
{{- end -}}

{{- /* The last of a key takes the place of the first. One that refers to other variables stands where it was written, after
       those. */}}
{{- define "common.merge" -}}
{{- $by := .by -}}
{{- $order := list -}}
{{- $items := dict -}}
{{- range $number, $item := .items }}
{{- $id := printf "#%d" $number }}
{{- if kindIs "map" $item }}
{{- $parts := list }}
{{- range $by }}
{{- $part := get $item . | default (eq . "protocol" | ternary "TCP" "") | include "common.text" }}
{{- if $part }}{{ $parts = append $parts (eq $part "/" | ternary $part (trimSuffix "/" $part)) }}{{ end }}
{{- end }}
{{- if eq (len $parts) (len $by) }}{{ $id = join " " $parts }}{{ end }}
{{- end }}
{{- if and (hasKey $items $id) (contains "$(" (toJson $item)) }}{{ $order = without $order $id }}{{ end }}
{{- if not (has $id $order) }}{{ $order = append $order $id }}{{ end }}
{{- $_ := set $items $id $item }}
{{- end }}
{{- $merged := list }}
{{- range $order }}{{ $merged = append $merged (get $items .) }}{{ end }}
{{- toJson $merged -}}
{{- end -}}

{{- define "common.container" -}}
{{- $container := . -}}
{{- range $merge := list (list "env" "name") (list "volumeMounts" "mountPath") (list "volumeDevices" "devicePath")
      (list "ports" "containerPort" "protocol") (list "ports" "name") }}
{{- with get $container (first $merge) }}
{{- $_ := set $container (first $merge) (include "common.merge" (dict "items" . "by" (rest $merge)) | fromJsonArray) }}
{{- end }}
{{- end }}
{{- /* Nobody owns this name in a public registry; its next owner would be given every Secret. A registry's name before it is pulled. */}}
{{- if hasPrefix "airspark/" (toString $container.image) }}
{{- if eq (toString $container.imagePullPolicy) "Always" }}{{ fail (printf "\n\nThe image %s is loaded into the nodes and never pulled, because its name has no registry; write yours before it, or remove `pullPolicy: Always`\n" $container.image) }}{{ end }}
{{- $_ := set $container "imagePullPolicy" "Never" }}
{{- end }}
{{- range $variable := $container.env }}
{{- if hasKey $variable "value" }}{{ $_ := set $variable "value" (include "common.text" $variable.value) }}{{ end }}
{{- end }}
{{- range $field := list "command" "args" }}
{{- with get $container $field }}
{{- $texts := list }}
{{- range . }}{{ $texts = append $texts (include "common.text" .) }}{{ end }}
{{- $_ := set $container $field $texts }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Templates call the chart's own volumes chart/…; here they get that name without the prefix, or, where a volume of the
       values has it, another one. */}}
{{- define "common.volumes" -}}
{{- $pod := . -}}
{{- $taken := list -}}
{{- range $pod.volumes }}{{ $taken = append $taken (toString .name) }}{{ end }}
{{- $names := dict -}}
{{- range $pod.volumes }}
{{- if hasPrefix "chart/" (toString .name) }}
{{- $plain := trimPrefix "chart/" .name }}
{{- range list (printf "chart-%s" $plain) (printf "airspark-%s" $plain) $plain }}
{{- if not (has . $taken) }}{{ $_ := set $names (printf "chart/%s" $plain) . }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $volume := $pod.volumes }}{{ $_ := set $volume "name" (get $names (toString $volume.name) | default $volume.name) }}{{ end }}
{{- range concat ($pod.initContainers | default list) ($pod.containers | default list) }}
{{- range $mount := .volumeMounts }}{{ $_ := set $mount "name" (get $names (toString $mount.name) | default $mount.name) }}{{ end }}
{{- end }}
{{- end -}}

{{- define "common.pod" -}}
{{- $pod := fromYaml . -}}
{{- with $pod.Error }}{{ fail (printf "\n\na text among the values of a pod is not valid YAML, check its keys `extra…`: %s\n" .) }}{{ end -}}
{{- $hosts := dict -}}
{{- range $pod.hostAliases }}{{ $_ := set $hosts (toString .ip) (concat (get $hosts (toString .ip) | default list) (.hostnames | default list) | uniq) }}{{ end }}
{{- range $alias := $pod.hostAliases }}{{ $_ := set $alias "hostnames" (get $hosts (toString $alias.ip)) }}{{ end }}
{{- range $merge := list (list "volumes" "name") (list "initContainers" "name") (list "containers" "name") (list "hostAliases" "ip")
      (list "imagePullSecrets" "name") (list "resourceClaims" "name") (list "topologySpreadConstraints" "topologyKey" "whenUnsatisfiable") }}
{{- with get $pod (first $merge) }}
{{- $_ := set $pod (first $merge) (include "common.merge" (dict "items" . "by" (rest $merge)) | fromJsonArray) }}
{{- end }}
{{- end }}
{{- range $key, $value := $pod.nodeSelector }}{{ $_ := set $pod.nodeSelector $key (include "common.text" $value) }}{{ end -}}
{{- include "common.volumes" $pod }}
{{- range concat ($pod.initContainers | default list) ($pod.containers | default list) }}{{ include "common.container" . }}{{ end }}
{{- toYaml $pod -}}
{{- end -}}
