{{/* A rule of egress to the chart's object storage, or to the one outside. */}}
{{- define "floe-platform.objectStorageEgress" -}}
{{- if .Values.objectStorage.deploy }}
{{- include "floe-common.roleEgress" (dict "root" . "component" "object-storage" "port" 7070) }}
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
          {{- include "floe-common.selectorLabels" (dict "root" $.root "component" $component) | nindent 10 }}
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

