{{/* Labels of every object. Argument: a dict with `root` and `component`. */}}
{{- define "floe-platform.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: floe
{{ include "floe-platform.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors. Argument: a dict with `root` and `component`. */}}
{{- define "floe-platform.selectorLabels" -}}
{{ include "floe-platform.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels that every pod of the release carries, whatever its role. */}}
{{- define "floe-platform.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
The reference of an image: prefix, then the whole upstream name.
Argument: a dict with `root`, `repository` and `tag`.
*/}}
{{- define "floe-platform.image" -}}
{{- printf "%s%s:%s" .root.Values.global.imageRegistryPrefix .repository .tag -}}
{{- end }}

{{/* The reference of the platform's image. */}}
{{- define "floe-platform.platformImage" -}}
{{- include "floe-platform.image" (dict "root" . "repository" .Values.image.repository "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end }}
