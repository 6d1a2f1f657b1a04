{{/* A rule of egress that opens DNS, to the pods and addresses of the values. */}}
{{- define "floe-platform.dnsEgress" -}}
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

{{/*
A rule of egress to the chart's Postgres, or to the one outside.
*/}}
{{- define "floe-platform.postgresEgress" -}}
{{- if .Values.postgres.deploy }}
{{- include "floe-platform.roleEgress" (dict "root" . "component" "postgres" "port" 5432) }}
{{- else }}
- ports:
    - {protocol: TCP, port: {{ .Values.postgres.port }}}
  {{- with .Values.networkPolicy.postgresTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A rule of egress to the chart's object storage, or to the one outside. */}}
{{- define "floe-platform.objectStorageEgress" -}}
{{- if .Values.objectStorage.deploy }}
{{- include "floe-platform.roleEgress" (dict "root" . "component" "object-storage" "port" 7070) }}
{{- else }}
- ports:
    - {protocol: TCP, port: {{ include "floe-platform.objectStoragePort" . }}}
  {{- with .Values.networkPolicy.objectStorageTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Who may ask a role: roles of the release, and test pods. Argument: a dict with `root`, `from` (a list
of components), `tests` (whether test pods may), `port`, and `peers` (others, from the values).
*/}}
{{- define "floe-platform.roleIngress" -}}
- from:
    {{- range $component := .from }}
    - podSelector:
        matchLabels:
          {{- include "floe-platform.selectorLabels" (dict "root" $.root "component" $component) | nindent 10 }}
    {{- end }}
    {{- if and .tests .root.Values.tests.enabled }}
    - podSelector:
        matchLabels:
          floe-tests/role: test-runner
    {{- end }}
    {{- with .peers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{/* A rule of egress to a role of the release. Argument: a dict with `root`, `component`, `port`. */}}
{{- define "floe-platform.roleEgress" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "floe-platform.selectorLabels" . | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
