{{/*
What accounts of jobs may send to the Kubernetes API by themselves: the table of operator/airspark_operator/policy.py as a
ValidatingAdmissionPolicy. Each chart holds the same copy of this file, and a test compares the copies.

  common.admission          the policy       (dict name, labels, accounts, table, key, release, pods, drivers)  launcher, applications
  common.admission.binding  its binding                                                (dict name, labels)  launcher, applications
*/}}

{{- define "common.admission" -}}
{{- $release := .release | toJson -}}
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
    - name: contexts
      expression: >-
        (variables.makes && has(variables.spec.securityContext) ? [variables.spec.securityContext] : []) +
        variables.containers.filter(c, has(c.securityContext)).map(c, c.securityContext)
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
        !variables.makes || !has(object.metadata.name) || !object.metadata.name.matches({{ include "common.admission.names" .pods }})
      message: "metadata.name: pods of the platform have such names; use another one"
    - expression: >-
        request.operation != 'UPDATE' || request.resource.resource != 'pods' || object.spec == oldObject.spec
      message: "spec: a job changes the labels of a pod, never what it runs; create another pod"
    - expression: >-
        !variables.makes || request.resource.resource != 'jobs' || !has(object.spec.manualSelector) || !object.spec.manualSelector
      message: "spec.manualSelector: a Job of a job finds its pods by itself; remove it"
    {{- if .drivers }}
    - expression: >-
        request.resource.resource != 'pods' || request.operation == 'DELETE' || request.operation == 'CONNECT' ||
        ('sparkoperator.k8s.io/launched-by-spark-operator' in variables.labels &&
        variables.labels['sparkoperator.k8s.io/launched-by-spark-operator'] == 'true')
      message: "metadata.labels: a pod of an application has sparkoperator.k8s.io/launched-by-spark-operator, by which network policies know it"
    - expression: >-
        request.operation != 'UPDATE' || ['sparkoperator.k8s.io/app-name'].all(name,
        (name in variables.changed) == (name in variables.labels) && (!(name in variables.labels) || variables.labels[name] == variables.changed[name]))
      message: "metadata.labels: sparkoperator.k8s.io/app-name is by what network policies know an application; leave it as it is"
    - expression: >-
        request.operation != 'DELETE' || 'spark-app-selector' in variables.changed || 'sparkoperator.k8s.io/app-name' in variables.changed
      message: a driver removes what Spark or the controller made for an application
    {{- end }}
    - expression: >-
        !('airflow-worker' in variables.labels) && !('kubernetes_executor' in variables.labels)
      message: "metadata.labels: airflow-worker and kubernetes_executor are how Airflow knows the pods of its tasks; give the label another name"
    - expression: >-
        !('release' in variables.labels) || variables.labels['release'] != {{ $release }}
      message: "metadata.labels.release: it is how the platform's Services know its own pods; give the label another name"
    {{- include "common.admission.pods" . | nindent 4 }}
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
