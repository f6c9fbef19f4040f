{{/*
What accounts of jobs may send to the Kubernetes API by themselves: the table of operator/airspark_operator/policy.py as a
ValidatingAdmissionPolicy. Each chart holds the same copy of this file, and a test compares the copies.

  common.admission          the policy       (dict name, labels, accounts, table, key, release, pods)  launcher, applications
  common.admission.binding  its binding                                                (dict name, labels)  launcher, applications
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

{{- define "common.admission" -}}
{{- $secret := dict "table" .table "kind" "secrets" -}}
{{- $release := .release | toJson -}}
{{- $types := .table.allowed.serviceTypes | default (list "ClusterIP") -}}
{{- $allow := printf "ask the platform's administrator to add it to `%s." .key -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [pods, configmaps, services, persistentvolumeclaims]}
      - {apiGroups: [""], apiVersions: [v1], operations: [CONNECT], resources: [pods/exec, pods/attach, pods/portforward, pods/proxy]}
      - {apiGroups: [batch], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [jobs]}
  matchConditions:
    - name: account
      expression: >-
        request.userInfo.username in {{ .accounts | toJson }}
  variables:
    - name: makes
      expression: >-
        request.operation in ['CREATE', 'UPDATE'] && request.resource.resource in ['pods', 'jobs']
    - name: pod
      expression: >-
        !variables.makes ? {} : request.resource.resource == 'jobs' ? object.spec.template : object
    - name: spec
      expression: >-
        !variables.makes ? {} : variables.pod.spec
    - name: volumes
      expression: >-
        variables.makes && has(variables.spec.volumes) ? variables.spec.volumes : []
    - name: containers
      expression: >-
        !variables.makes ? [] : variables.spec.containers + (has(variables.spec.initContainers) ? variables.spec.initContainers : [])
    - name: claim
      expression: >-
        request.operation == 'CREATE' && request.resource.resource == 'persistentvolumeclaims' ? object.spec : {}
    - name: service
      expression: >-
        request.operation in ['CREATE', 'UPDATE'] && request.resource.resource == 'services' ? object.spec : {}
    - name: labels
      expression: >-
        variables.makes && has(variables.pod.metadata) && has(variables.pod.metadata.labels) ? variables.pod.metadata.labels : {}
    - name: changed
      expression: >-
        request.operation in ['UPDATE', 'DELETE'] && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}
  validations:
    - expression: >-
        !('release' in variables.changed) || variables.changed['release'] != {{ $release }}
      message: what has the label release of the platform is the platform's own; a job changes and removes what it made
    - expression: >-
        request.operation != 'CONNECT' || !request.name.matches({{ include "common.admission.names" .pods }})
      message: the pod is the platform's own; a job reaches into pods that it made
    - expression: >-
        !('release' in variables.labels) || variables.labels['release'] != {{ $release }}
      message: "metadata.labels.release: it is how the platform's Services know its own pods; give the label another name"
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
        (!has(v.azureFile) || {{ include "common.admission.allowed" (set $secret "name" "v.azureFile.secretName") }}) &&
        !has(v.cephfs) && !has(v.rbd) && !has(v.flexVolume) && !has(v.scaleIO) && !has(v.storageos) && !has(v.iscsi) && !has(v.cinder))
      message: "spec.volumes: a Secret is the platform's own or not allowed; use another, or {{ $allow }}secrets`"
    - expression: >-
        variables.containers.all(c, (!has(c.env) || c.env.all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) || !has(e.valueFrom.secretKeyRef.name) ||
        {{ include "common.admission.allowed" (set $secret "name" "e.valueFrom.secretKeyRef.name") }})) &&
        (!has(c.envFrom) || c.envFrom.all(e, !has(e.secretRef) || !has(e.secretRef.name) ||
        {{ include "common.admission.allowed" (set $secret "name" "e.secretRef.name") }})))
      message: "env: a Secret is the platform's own or not allowed; use another, or {{ $allow }}secrets`"
{{- end -}}

{{- define "common.admission.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- .labels | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end -}}
