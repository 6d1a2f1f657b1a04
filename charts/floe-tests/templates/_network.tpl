{{/* A rule of egress that opens DNS, to the pods and addresses of the values. */}}
{{- define "floe-tests.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace }}
      podSelector:
        matchLabels:
          {{- toYaml .Values.networkPolicy.dns.podLabels | nindent 10 }}
    {{- range .Values.networkPolicy.dns.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{/* A rule of egress to the chart's Postgres, or to the one outside. */}}
{{- define "floe-tests.postgresEgress" -}}
{{- if .Values.postgres.deploy }}
{{- include "floe-tests.roleEgress" (dict "root" . "component" "postgres" "port" 5432) }}
{{- else }}
- ports:
    - {protocol: TCP, port: {{ .Values.postgres.port }}}
  {{- with .Values.networkPolicy.postgresTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A rule of egress to the Kubernetes API. */}}
{{- define "floe-tests.apiEgress" -}}
- ports:
    {{- range .Values.networkPolicy.kubernetesApi.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.kubernetesApi.cidrs }}
  to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  {{- end }}
{{- end }}

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
          {{- include "floe-tests.releaseLabels" .root | nindent 10 }}
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

{{/* A rule of egress to a role of the release. Argument: a dict with `root`, `component`, `port`. */}}
{{- define "floe-tests.roleEgress" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "floe-tests.selectorLabels" . | nindent 10 }}
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
    {{- include "floe-tests.labels" (dict "root" .root "component" "network") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "floe-tests.releaseLabels" .root | nindent 6 }}
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
