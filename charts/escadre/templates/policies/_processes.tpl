{{/* What the product's own processes may write, where RBAC cannot say it. */}}

{{/* An agent writes the status of its own node's GPUNode, and no other node can speak for it. */}}
{{- define "escadre.policy.agents" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "escadre.dev" "version" "v1alpha1" "operations" (list "CREATE" "UPDATE" "DELETE") "resources" (list "gpunodes" "gpunodes/status")) | nindent 2 }}
matchConditions:
  - name: agent
    expression: request.userInfo.username == '{{ include "escadre.agentUser" . }}'
variables:
  - name: extra
    expression: "has(request.userInfo.extra) ? request.userInfo.extra : {}"
  - name: node
    expression: >-
      'authentication.kubernetes.io/node-name' in variables.extra
      ? variables.extra['authentication.kubernetes.io/node-name'][0] : ''
  - name: nodeUID
    expression: >-
      'authentication.kubernetes.io/node-uid' in variables.extra
      ? variables.extra['authentication.kubernetes.io/node-uid'][0] : ''
validations:
  - expression: >-
      request.operation == 'UPDATE' && has(request.subResource) && request.subResource == 'status'
    message: an agent writes nothing but the status of its own GPUNode
    reason: Forbidden
  - expression: variables.node != ''
    message: >-
      this token names no node: an agent writes with the token of its own pod, which carries
      authentication.kubernetes.io/node-name
    reason: Forbidden
  - expression: request.name == variables.node
    message: an agent writes only the GPUNode of its own node
    messageExpression: >-
      'the agent on node "' + variables.node + '" may not write GPUNode "' + request.name + '"'
    reason: Forbidden
  - expression: >-
      request.operation != 'UPDATE' || !has(object.status) || !has(object.status.nodeUID) ||
      object.status.nodeUID in ['', variables.nodeUID] ||
      (has(oldObject.status) && has(oldObject.status.nodeUID) &&
      object.status.nodeUID == oldObject.status.nodeUID)
    message: status.nodeUID must be the node uid in the agent's own token
    reason: Forbidden
{{- end }}

{{/* The operator may label nodes for the weights they hold and the GPUs they have; nothing else of a Node is its business. */}}
{{- define "escadre.policy.operator-nodes" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "" "version" "v1" "operations" (list "UPDATE") "resources" (list "nodes")) | nindent 2 }}
matchConditions:
  - name: operator
    expression: request.userInfo.username == '{{ include "escadre.operatorUser" . }}'
variables:
  - name: prefix
    expression: "'escadre.node-restriction.kubernetes.io/'"
  - name: before
    expression: "has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"
  - name: after
    expression: "has(object.metadata.labels) ? object.metadata.labels : {}"
validations:
  - expression: >-
      variables.after.all(key, key.startsWith(variables.prefix) ||
      (key in variables.before && variables.before[key] == variables.after[key])) &&
      variables.before.all(key, key.startsWith(variables.prefix) || key in variables.after)
    message: >-
      the operator changes only node labels that begin with
      escadre.node-restriction.kubernetes.io/
    reason: Forbidden
  - expression: >-
      object.?spec == oldObject.?spec &&
      object.metadata.?annotations == oldObject.metadata.?annotations &&
      object.metadata.?finalizers == oldObject.metadata.?finalizers &&
      object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences
    message: the operator changes nothing of a Node but its weight labels
    reason: Forbidden
{{- end }}

{{/* The operator takes an engine pod out of its Service by one label (drain); pods are not its to change. */}}
{{- define "escadre.policy.operator-pods" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "" "version" "v1" "operations" (list "UPDATE" "DELETE") "resources" (list "pods")) | nindent 2 }}
matchConditions:
  - name: operator
    expression: request.userInfo.username == '{{ include "escadre.operatorUser" . }}'
variables:
  - name: before
    expression: "has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"
  - name: after
    expression: "object == null ? variables.before : has(object.metadata.labels) ? object.metadata.labels : {}"
validations:
  - expression: >-
      'escadre.dev/component' in variables.before &&
      variables.before['escadre.dev/component'] == 'engine'
    message: the operator changes only pods that carry escadre.dev/component=engine
    reason: Forbidden
  - expression: >-
      variables.after.all(key, key == 'escadre.dev/serving' ||
      (key in variables.before && variables.before[key] == variables.after[key])) &&
      variables.before.all(key, key == 'escadre.dev/serving' || key in variables.after)
    message: the operator changes only the label escadre.dev/serving of a pod
    reason: Forbidden
  - expression: object != null || has(oldObject.metadata.deletionTimestamp)
    message: the operator only hastens the end of a pod that is being deleted already
    reason: Forbidden
  - expression: >-
      object == null || (
      object.?spec == oldObject.?spec &&
      object.metadata.?annotations == oldObject.metadata.?annotations &&
      object.metadata.?finalizers == oldObject.metadata.?finalizers &&
      object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences)
    message: the operator changes nothing of a pod but the label escadre.dev/serving
    reason: Forbidden
{{- end }}

{{/* A volume is a way into a node's file system: only the store's models, only read-only. */}}
{{- define "escadre.policy.operator-volumes" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "" "version" "v1" "operations" (list "CREATE" "UPDATE" "DELETE") "resources" (list "persistentvolumes")) | nindent 2 }}
matchConditions:
  - name: operator
    expression: request.userInfo.username == '{{ include "escadre.operatorUser" . }}'
variables:
  - name: volume
    expression: "object == null ? oldObject : object"
validations:
  - expression: variables.volume.metadata.name.startsWith('escadre-')
    message: the operator writes only PersistentVolumes whose name begins with escadre-
    reason: Forbidden
  - expression: >-
      has(variables.volume.spec.local) &&
      variables.volume.spec.local.path.matches('^/var/lib/escadre/models/[0-9a-f]{64}$')
    message: >-
      the operator writes only local PersistentVolumes under /var/lib/escadre/models/
    reason: Forbidden
  - expression: >-
      object == null || (has(object.spec.mountOptions) && object.spec.mountOptions == ['ro'] &&
      object.spec.accessModes == ['ReadOnlyMany'])
    message: the operator writes only read-only PersistentVolumes (mountOptions ro, ReadOnlyMany)
    reason: Forbidden
  - expression: >-
      object == null || (has(object.metadata.labels) &&
      'app.kubernetes.io/managed-by' in object.metadata.labels &&
      object.metadata.labels['app.kubernetes.io/managed-by'] == 'escadre')
    message: >-
      the operator's PersistentVolumes carry the label app.kubernetes.io/managed-by=escadre
    reason: Forbidden
{{- end }}
