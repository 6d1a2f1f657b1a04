{{/* Labels of every object. */}}
{{- define "flink-operator.labels" -}}
{{- include "floe-common.labels" (dict "root" . "component" "operator" "version" (include "flink-operator.version" .)) }}
{{- end }}

{{/* The version that runs, which results report. */}}
{{- define "flink-operator.version" -}}
{{- default .Chart.AppVersion .Values.operator.image.tag -}}
{{- end }}
