{{/* Names are fixed: one installation per cluster, as the CRDs and the policies are the cluster's. */}}
{{- define "escadre.operator" -}}escadre-operator{{- end }}
{{- define "escadre.agent" -}}escadre-agent{{- end }}

{{- define "escadre.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "escadre.operator" . }}
{{- end }}

{{- define "escadre.agentUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "escadre.agent" . }}
{{- end }}

{{- define "escadre.chartLabels" -}}
app.kubernetes.io/name: escadre
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: escadre
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of an object of one component: (list $ "operator") */}}
{{- define "escadre.labels" -}}
{{ include "escadre.chartLabels" (index . 0) }}
{{ include "escadre.componentLabels" . }}
{{- end }}

{{/* The operator finds its agents, and the engines' network policies find the operator, by escadre.dev/component. */}}
{{- define "escadre.componentLabels" -}}
app.kubernetes.io/component: {{ index . 1 }}
escadre.dev/component: {{ index . 1 }}
{{- end }}

{{- define "escadre.selector" -}}
app.kubernetes.io/name: escadre
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "escadre.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* Pod Security "restricted", for a container. */}}
{{- define "escadre.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Labels of a pod: nothing that changes with the chart alone, which would restart the agents. */}}
{{- define "escadre.podLabels" -}}
{{ include "escadre.selector" . }}
app.kubernetes.io/part-of: escadre
escadre.dev/component: {{ index . 1 }}
{{- end }}

{{/* Sections of the settings file; operator/escadre/settings.py is their schema. */}}
{{- define "escadre.settings.operator" -}}
{{ pick .Values.operator "workers" "queriesPerSecond" "burst" "healthPort" "metricsPort" "statusIntervalSeconds" "resyncSeconds" | toYaml }}
{{- end }}

{{- define "escadre.settings.agent" -}}
{{- $cap := int64 .Values.agent.maxBytesPerSecond }}
{{- if and (gt $cap 0) (lt $cap 1000000) }}
{{- fail (printf "agent.maxBytesPerSecond: %d bytes per second; 1000000 is the least that a pull gets on with before its mirror closes the connection, and 0 means no cap" $cap) }}
{{- end }}
{{ pick .Values.agent "mirrorSecrets" "mirrorAllowedCIDRs" "mirrorRefusedCIDRs" "inventory" "simulatedGpus" "port" "progressSeconds" "concurrentFiles" "concurrentChunks" "slowBytesPerSecond" "maxBytesPerSecond" | toYaml }}
mirrorFolders: {{ include "escadre.mirrorFolderNames" . }}
{{- end }}

{{/* JSON list of the names of agent.mirrorFolders: what is behind them is no business of a process. */}}
{{- define "escadre.mirrorFolderNames" -}}
{{- $names := list }}
{{- range .Values.agent.mirrorFolders }}
{{- if has .name $names }}
{{- fail (printf "agent.mirrorFolders: the name %s stands there twice" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{/* Volumes of the agent, read-only where a kind of volume can say so: a list of agent.mirrorFolders. */}}
{{- define "escadre.mirrorVolumes" }}
{{- range . }}
{{- $source := omit . "name" }}
{{- range $kind, $what := $source }}
{{- if ne $kind "hostPath" }}
{{- $source = dict $kind (merge (dict "readOnly" true) $what) }}
{{- end }}
{{- end }}
- name: mirror-{{ .name }}
  {{- toYaml $source | nindent 2 }}
{{- end }}
{{- end }}

{{- define "escadre.settings" -}}
namespace: {{ .Release.Namespace }}
engine:
  {{- toYaml .Values.engine | nindent 2 }}
approvals:
  {{- toYaml .Values.approvals | nindent 2 }}
scaling:
  {{- toYaml .Values.scaling | nindent 2 }}
network:
  {{- toYaml .Values.network | nindent 2 }}
operator:
  {{- include "escadre.settings.operator" . | nindent 2 }}
agent:
  {{- include "escadre.settings.agent" . | nindent 2 }}
# The admission policies that four eyes rest on. The operator compares them with the live ones.
policies:
  {{- range $name := list "approvals" "signatures" "revocations" }}
  - kind: ValidatingAdmissionPolicy
    name: escadre-{{ $name }}
    spec:
      {{- include (printf "escadre.policy.%s" $name) $ | nindent 6 }}
  - kind: ValidatingAdmissionPolicyBinding
    name: escadre-{{ $name }}
    spec:
      {{- include "escadre.policyBinding" $name | nindent 6 }}
  {{- end }}
{{- end }}
