{{/* A rule of egress that opens DNS, to the pods and addresses of the values. */}}
{{- define "floe-common.dnsEgress" -}}
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

{{/* A rule of egress to the Kubernetes API. */}}
{{- define "floe-common.apiEgress" -}}
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

{{/* A rule of egress to the chart's Postgres, or to the one outside. */}}
{{- define "floe-common.postgresEgress" -}}
{{- if .Values.postgres.deploy }}
{{- include "floe-common.roleEgress" (dict "root" . "component" "postgres" "port" 5432) }}
{{- else }}
- ports:
    - {protocol: TCP, port: {{ .Values.postgres.port }}}
  {{- with .Values.networkPolicy.postgresTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A rule of egress to a role of the release. Argument: a dict with `root`, `component`, `port`. */}}
{{- define "floe-common.roleEgress" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "floe-common.selectorLabels" . | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
