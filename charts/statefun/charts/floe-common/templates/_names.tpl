{{/*
Labels of every object. Argument: a dict with `root`, `component`, and where it is not the chart's
appVersion `version`.
*/}}
{{- define "floe-common.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ default .root.Chart.AppVersion .version | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: floe
{{ include "floe-common.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors. Argument: a dict with `root` and `component`. */}}
{{- define "floe-common.selectorLabels" -}}
{{ include "floe-common.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels that every pod of the release carries, whatever its role. */}}
{{- define "floe-common.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
The reference of an image: prefix, then the whole upstream name.
Argument: a dict with `root` and `image` (its values: repository, and tag; empty means the appVersion).
*/}}
{{- define "floe-common.image" -}}
{{- printf "%s%s:%s" .root.Values.global.imageRegistryPrefix .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end }}

{{/* The reference of the image that most of the chart's pods run. Argument: the root. */}}
{{- define "floe-common.ownImage" -}}
{{- include "floe-common.image" (dict "root" . "image" .Values.image) -}}
{{- end }}
