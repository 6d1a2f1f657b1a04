{{/* Labels of every object. Argument: a dict with `root` and `component`. */}}
{{- define "floe-tests.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: floe
{{ include "floe-tests.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors. Argument: a dict with `root` and `component`. */}}
{{- define "floe-tests.selectorLabels" -}}
{{ include "floe-tests.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels that every pod of the release carries, whatever its role. */}}
{{- define "floe-tests.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
The reference of an image: prefix, then the whole upstream name.
Argument: a dict with `root`, `repository` and `tag`.
*/}}
{{- define "floe-tests.image" -}}
{{- printf "%s%s:%s" .root.Values.global.imageRegistryPrefix .repository .tag -}}
{{- end }}

{{/* The reference of the orchestrator's image. */}}
{{- define "floe-tests.ownImage" -}}
{{- include "floe-tests.image" (dict "root" . "repository" .Values.image.repository "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end }}

{{/* The ClusterRole that a run binds itself to in a namespace that it has made. */}}
{{- define "floe-tests.namespaceRole" -}}
{{- printf "floe-tests:%s:namespace" .Release.Namespace -}}
{{- end }}
