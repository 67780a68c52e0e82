{{/* Four eyes: who may ask for and who may sign an approval. */}}

{{- define "escadre.policyBinding" -}}
policyName: escadre-{{ . }}
validationActions: [Deny]
{{- end }}

{{/* What a policy looks at: (dict "group" … "version" … "operations" (list …) "resources" (list …)) */}}
{{- define "escadre.policyMatch" -}}
matchPolicy: Equivalent
namespaceSelector: {}
objectSelector: {}
resourceRules:
  - apiGroups: [{{ .group | quote }}]
    apiVersions: [{{ .version }}]
    operations: {{ toJson .operations }}
    resources: {{ toJson .resources }}
    scope: "*"
{{- end }}

{{/* The requester may be a pipeline, so a ServiceAccount may ask, but only under its own name. */}}
{{- define "escadre.policy.approvals" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "escadre.dev" "version" "v1alpha1" "operations" (list "CREATE") "resources" (list "modelapprovals")) | nindent 2 }}
validations:
  - expression: object.spec.requestedBy == request.userInfo.username
    message: spec.requestedBy must be your own user name
    messageExpression: >-
      'spec.requestedBy is "' + object.spec.requestedBy + '", but you are "' +
      request.userInfo.username + '": a request carries the name of the person who makes it'
    reason: Forbidden
  - expression: timestamp(object.spec.notAfter) > timestamp(object.metadata.creationTimestamp)
    message: spec.notAfter has passed already
    messageExpression: >-
      'spec.notAfter ' + string(timestamp(object.spec.notAfter)) +
      ' has passed already: give the time until which the approval shall hold'
    reason: Invalid
{{- end }}

{{/* The operator counts signatures; that each is its author's own word is decided here. */}}
{{- define "escadre.policy.signatures" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "escadre.dev" "version" "v1alpha1" "operations" (list "CREATE") "resources" (list "modelsignatures")) | nindent 2 }}
variables:
  - name: verb
    expression: "object.spec.decision == 'Approve' ? 'approve' : 'revoke'"
validations:
  - expression: object.spec.by == request.userInfo.username
    message: spec.by must be your own user name
    messageExpression: >-
      'spec.by is "' + object.spec.by + '", but you are "' + request.userInfo.username +
      '": nobody signs for somebody else'
    reason: Forbidden
  - expression: "!request.userInfo.username.startsWith('system:serviceaccount:')"
    message: a ServiceAccount cannot sign
    messageExpression: >-
      '"' + request.userInfo.username +
      '" is a ServiceAccount: a signature is the word of a person'
    reason: Forbidden
  - expression: >-
      authorizer.group('escadre.dev').resource('modelapprovals').name(object.spec.approval)
      .check(variables.verb).allowed()
    message: you may not sign this approval
    messageExpression: >-
      'you ("' + request.userInfo.username + '") have no right to ' + variables.verb +
      ' ModelApproval "' + object.spec.approval +
      '": it takes the verb ' + variables.verb + ' on modelapprovals (ClusterRole escadre-approver)'
    reason: Forbidden
{{- end }}

{{/* Signatures are never changed (CRD rule); an Approve may be deleted, a Revoke stands for ever. */}}
{{- define "escadre.policy.revocations" -}}
failurePolicy: Fail
matchConstraints:
  {{- include "escadre.policyMatch" (dict "group" "escadre.dev" "version" "v1alpha1" "operations" (list "DELETE") "resources" (list "modelsignatures")) | nindent 2 }}
validations:
  - expression: oldObject.spec.decision != 'Revoke'
    message: nobody deletes a revocation
    messageExpression: >-
      'nobody deletes a revocation: ModelApproval "' + oldObject.spec.approval +
      '" was revoked by "' + oldObject.spec.by + '"; have a new ModelApproval signed instead'
    reason: Forbidden
{{- end }}
