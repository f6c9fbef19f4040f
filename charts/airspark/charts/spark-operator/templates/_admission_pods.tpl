{{/*
What the pods, claims and Services may be that accounts of jobs send by themselves: the rules of `common.admission`. Each chart holds
the same copy of this file, and a test compares the copies.

  common.admission.pods     validations                              (dict table, key)  common.admission
  common.admission.names    names in which * stands for any letters, as a pattern             (list)            below
  common.admission.allowed  whether a name is allowed, as CEL                                 (dict table, kind, name)  below
  common.admission.copied   whether a volume is made of no claim but an allowed one, as CEL      (dict table, spec)        below
*/}}

{{- define "common.admission.names" -}}
{{- $patterns := list -}}
{{- range . }}{{ $patterns = append $patterns (replace "." `\.` . | replace "*" ".*") }}{{ end -}}
{{- printf "^(%s)$" (join "|" $patterns) | toJson -}}
{{- end -}}

{{- define "common.admission.allowed" -}}
{{- $own := get (default dict .table.platform) .kind | default list -}}
{{- $allowed := get .table.allowed .kind -}}
({{ if $own }}!{{ .name }}.matches({{ include "common.admission.names" $own }}) && {{ end }}{{ .name }}.matches({{ include "common.admission.names" $allowed }}))
{{- end -}}

{{- define "common.admission.copied" -}}
{{- $checks := list -}}
{{- range $field := list "dataSource" "dataSourceRef" }}
{{- $source := printf "%s.%s" $.spec $field }}
{{- $allowed := include "common.admission.allowed" (dict "table" $.table "kind" "claims" "name" (printf "%s.name" $source)) }}
{{- $checks = append $checks (printf "(!has(%s) || (%s.kind == 'PersistentVolumeClaim' && %s))" $source $source $allowed) }}
{{- end -}}
{{- join " && " $checks -}}
{{- end -}}

{{- define "common.admission.pods" -}}
{{- $secret := dict "table" .table "kind" "secrets" -}}
{{- $types := .table.allowed.serviceTypes | default (list "ClusterIP") -}}
{{- $context := "(!has(c.%[1]s) || !has(c.%[1]s.type) || c.%[1]s.type != 'Unconfined')" -}}
{{- $known := list "awsElasticBlockStore" "azureDisk" "azureFile" "cephfs" "cinder" "fc" "flexVolume" "flocker" "gcePersistentDisk" "gitRepo" "glusterfs" "iscsi" "nfs" "photonPersistentDisk" "portworxVolume" "quobyte" "rbd" "scaleIO" "storageos" "vsphereVolume" -}}
{{- range .table.allowed.volumes }}{{ $known = without $known . }}{{ end -}}
{{- $allow := printf "ask the platform's administrator to add it to `%s." .key -}}
{{- range $field, $what := dict "hostNetwork" "network" "hostPID" "processes" "hostIPC" "shared memory" }}
- expression: >-
    !variables.makes || !has(variables.spec.{{ $field }}) || !variables.spec.{{ $field }}
  message: "spec.{{ $field }}: a job does not share the {{ $what }} of its node; remove it"
{{- end }}
- expression: >-
    variables.volumes.all(v, !has(v.hostPath))
  message: "spec.volumes: a job mounts nothing of its node; use a claim"
- expression: >-
    variables.containers.all(c, !has(c.securityContext) || (
    (!has(c.securityContext.privileged) || !c.securityContext.privileged) &&
    (!has(c.securityContext.procMount) || c.securityContext.procMount == 'Default') &&
    (!has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add) ||
    c.securityContext.capabilities.add.all(x, x in {{ list "AUDIT_WRITE" "CHOWN" "DAC_OVERRIDE" "FOWNER" "FSETID" "KILL" "MKNOD" "NET_BIND_SERVICE" "SETFCAP" "SETGID" "SETPCAP" "SETUID" "SYS_CHROOT" | toJson }}))))
  message: "securityContext: a container of a job never runs privileged, and has no capability beyond Pod Security's baseline"
- expression: >-
    variables.contexts.all(c, {{ printf $context "seccompProfile" }} && {{ printf $context "appArmorProfile" }} &&
    (!has(c.windowsOptions) || !has(c.windowsOptions.hostProcess) || !c.windowsOptions.hostProcess) &&
    (!has(c.seLinuxOptions) || (!has(c.seLinuxOptions.user) && !has(c.seLinuxOptions.role) && (!has(c.seLinuxOptions.type) ||
    c.seLinuxOptions.type in ["container_t", "container_init_t", "container_kvm_t", "container_engine_t"]))))
  message: "securityContext: a job is confined by seccomp, AppArmor and SELinux as Pod Security's baseline wants it"
- expression: >-
    !variables.makes || !has(variables.spec.securityContext) || !has(variables.spec.securityContext.sysctls) ||
    variables.spec.securityContext.sysctls.all(s, s.name in {{ list "kernel.shm_rmid_forced" "net.ipv4.ip_local_port_range" "net.ipv4.ip_local_reserved_ports" "net.ipv4.ip_unprivileged_port_start" "net.ipv4.ping_group_range" "net.ipv4.tcp_fin_timeout" "net.ipv4.tcp_keepalive_intvl" "net.ipv4.tcp_keepalive_probes" "net.ipv4.tcp_keepalive_time" "net.ipv4.tcp_rmem" "net.ipv4.tcp_syncookies" "net.ipv4.tcp_wmem" | toJson }})
  message: "securityContext.sysctls: a job does not change the kernel of its node beyond Pod Security's baseline"
- expression: >-
    variables.containers.all(c, {{ range $index, $hook := list "livenessProbe" "readinessProbe" "startupProbe" "lifecycle.postStart" "lifecycle.preStop" }}{{ if $index }} && {{ end }}
    ({{ if hasPrefix "lifecycle." $hook }}!has(c.lifecycle) || {{ end }}!has(c.{{ $hook }}) || ((!has(c.{{ $hook }}.httpGet) || !has(c.{{ $hook }}.httpGet.host)) &&
    (!has(c.{{ $hook }}.tcpSocket) || !has(c.{{ $hook }}.tcpSocket.host)))){{ end }})
  message: "host of a probe or a hook: the kubelet asks the container alone, and no other host for it; remove it"
- expression: >-
    variables.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))
  message: "hostPort: a container of a job listens on its pod alone; remove it"
- expression: >-
    !variables.makes || !has(variables.spec.serviceAccountName) ||
    {{ include "common.admission.allowed" (dict "table" .table "kind" "serviceAccounts" "name" "variables.spec.serviceAccountName") }}
  message: "spec.serviceAccountName: the account is the platform's own or not allowed; use another, or {{ $allow }}serviceAccounts`"
- expression: >-
    !variables.makes || !has(variables.spec.priorityClassName) || (!variables.spec.priorityClassName.startsWith('system-') &&
    {{ include "common.admission.allowed" (dict "table" (omit .table "platform") "kind" "priorityClasses" "name" "variables.spec.priorityClassName") }})
  message: "spec.priorityClassName: it is the cluster's own or not allowed; use another, or {{ $allow }}priorityClasses`"
- expression: >-
    variables.volumes.all(v, !has(v.persistentVolumeClaim) ||
    {{ include "common.admission.allowed" (dict "table" .table "kind" "claims" "name" "v.persistentVolumeClaim.claimName") }})
  message: "spec.volumes: a claim is the platform's own or not allowed; use another, or {{ $allow }}claims`"
- expression: >-
    variables.volumes.all(v, {{ range $index, $kind := $known }}{{ if $index }} && {{ end }}!has(v.{{ $kind }}){{ end }})
  message: "spec.volumes: volumes of that kind are not allowed; use a claim, or {{ $allow }}volumes`"
- expression: >-
    {{ include "common.admission.copied" (dict "table" .table "spec" "variables.claim") }} && variables.volumes.all(v, !has(v.ephemeral) ||
    ({{ include "common.admission.copied" (dict "table" .table "spec" "v.ephemeral.volumeClaimTemplate.spec") }}))
  message: "dataSource: a job copies no snapshot, and no claim that is the platform's own or not allowed; remove it"
- expression: >-
    !has(variables.service.externalIPs) || variables.service.externalIPs.size() == 0
  message: "spec.externalIPs: a Service of a job takes no address of others; remove it"
- expression: >-
    !has(variables.service.type) || variables.service.type.matches({{ include "common.admission.names" $types }})
  message: "spec.type: a Service of a job is of the types {{ join ", " $types }}; use one of them"
- expression: >-
    variables.volumes.all(v, (!has(v.secret) || !has(v.secret.secretName) || {{ include "common.admission.allowed" (set $secret "name" "v.secret.secretName") }}) &&
    (!has(v.projected) || !has(v.projected.sources) || v.projected.sources.all(s, !has(s.secret) || !has(s.secret.name) || {{ include "common.admission.allowed" (set $secret "name" "s.secret.name") }})) &&
    (!has(v.csi) || !has(v.csi.nodePublishSecretRef) || !has(v.csi.nodePublishSecretRef.name) || {{ include "common.admission.allowed" (set $secret "name" "v.csi.nodePublishSecretRef.name") }}) &&
    (!has(v.azureFile) || {{ include "common.admission.allowed" (set $secret "name" "v.azureFile.secretName") }}))
  message: "spec.volumes: a Secret is the platform's own or not allowed; use another, or {{ $allow }}secrets`"
- expression: >-
    variables.containers.all(c, (!has(c.env) || c.env.all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) || !has(e.valueFrom.secretKeyRef.name) ||
    {{ include "common.admission.allowed" (set $secret "name" "e.valueFrom.secretKeyRef.name") }})) &&
    (!has(c.envFrom) || c.envFrom.all(e, !has(e.secretRef) || !has(e.secretRef.name) ||
    {{ include "common.admission.allowed" (set $secret "name" "e.secretRef.name") }})))
  message: "env: a Secret is the platform's own or not allowed; use another, or {{ $allow }}secrets`"
{{- end -}}
