{{/* A peer: the pods of a role of the release. Argument: a dict with `root` and `component`. */}}
{{- define "statefun.peer" -}}
- podSelector:
    matchLabels:
      {{- include "floe-common.selectorLabels" . | nindent 6 }}
{{- end }}

{{/*
Peers: several roles of the release. Argument: a dict with `root`, `roles` (a list of components), and
`tests` (whether test pods are one of them).
*/}}
{{- define "statefun.peers" -}}
{{- range .roles }}
{{ include "statefun.peer" (dict "root" $.root "component" .) }}
{{- end }}
{{- if and .tests .root.Values.tests.enabled }}
- podSelector:
    matchLabels:
      floe-tests/role: test-runner
{{- end }}
{{- end }}

{{/* A rule that opens a port from roles. Argument: as for statefun.peers, and `port`. */}}
{{- define "statefun.from" -}}
- from:
    {{- include "statefun.peers" . | trim | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{/* What the job asks: the records' systems, the checkpoints' storage, the functions. */}}
{{- define "statefun.toBackends" -}}
{{- if .Values.kafka.enabled }}
{{ include "floe-common.roleEgress" (dict "root" . "component" "kafka" "port" 9092) }}
{{- end }}
{{ include "floe-common.roleEgress" (dict "root" . "component" "localstack" "port" 4566) }}
{{- end }}

{{/* Metadata and subject of a policy for one role. Argument: a dict with `root` and `component`. */}}
{{- define "statefun.policyOf" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .component }}
  labels:
    {{- include "floe-common.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "floe-common.selectorLabels" . | nindent 6 }}
{{- end }}
