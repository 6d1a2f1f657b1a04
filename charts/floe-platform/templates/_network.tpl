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

{{/* A rule of egress to a role of the release. Argument: a dict with `root`, `component`, `port`. */}}
{{- define "floe-platform.roleEgress" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "floe-platform.selectorLabels" . | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
