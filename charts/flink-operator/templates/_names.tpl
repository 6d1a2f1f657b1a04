{{/* Labels of every object. */}}
{{- define "flink-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ include "flink-operator.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: floe
{{ include "flink-operator.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors. */}}
{{- define "flink-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* The version that runs, which results report. */}}
{{- define "flink-operator.version" -}}
{{- default .Chart.AppVersion .Values.operator.image.tag -}}
{{- end }}

{{/* The reference of the image: prefix, then the whole upstream name. */}}
{{- define "flink-operator.image" -}}
{{- printf "%s%s:%s" .Values.global.imageRegistryPrefix .Values.operator.image.repository (include "flink-operator.version" .) -}}
{{- end }}
