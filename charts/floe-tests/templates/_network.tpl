{{/* A rule of egress to the bucket of the backups. */}}
{{- define "floe-tests.s3Egress" -}}
{{- $address := urlParse .Values.backup.s3.endpoint }}
{{- $port := ternary "443" "80" (eq $address.scheme "https") }}
{{- if regexMatch ":[0-9]+$" $address.host }}{{- $port = regexFind "[0-9]+$" $address.host }}{{- end }}
- ports:
    - {protocol: TCP, port: {{ $port }}}
  {{- with .Values.networkPolicy.s3To }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
Who may ask a role: roles of the release. Argument: a dict with `root`, `from` (a list of components),
`port`, and `peers` (others, from the values).
*/}}
{{- define "floe-tests.roleIngress" -}}
- from:
    - podSelector:
        matchLabels:
          {{- include "floe-common.releaseLabels" .root | nindent 10 }}
        matchExpressions:
          - key: app.kubernetes.io/component
            operator: In
            values: {{ toJson .from }}
    {{- with .peers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{/*
A policy that opens something to or from some roles. Argument: a dict with `root`, `name`,
`components`, and rules as text: `ingress` or `egress`.
*/}}
{{- define "floe-tests.policy" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  labels:
    {{- include "floe-common.labels" (dict "root" .root "component" "network") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "floe-common.releaseLabels" .root | nindent 6 }}
    {{- if .components }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{ toJson .components }}
    {{- end }}
  {{- if .egress }}
  policyTypes: [Egress]
  egress:
    {{- .egress | trim | nindent 4 }}
  {{- else }}
  policyTypes: [Ingress]
  ingress:
    {{- .ingress | trim | nindent 4 }}
  {{- end }}
{{- end }}
