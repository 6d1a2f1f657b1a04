{{/* Labels of every object. Argument: a dict with `root` and `component`. */}}
{{- define "statefun.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: floe
{{ include "statefun.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors. Argument: a dict with `root` and `component`. */}}
{{- define "statefun.selectorLabels" -}}
{{ include "statefun.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels that every pod of the release carries, whatever its role. */}}
{{- define "statefun.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
The reference of an image: prefix, then the whole upstream name.
Argument: a dict with `root` and `image` (its values: repository, tag).
*/}}
{{- define "statefun.image" -}}
{{- printf "%s%s:%s" .root.Values.global.imageRegistryPrefix .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end }}

{{/* Topics that the job reads. */}}
{{- define "statefun.inTopics" -}}
counter.commands ttl.commands greeter.commands
{{- end }}

{{/* Topics that the job writes. */}}
{{- define "statefun.outTopics" -}}
counter.results ttl.results greeter.results dead-letters
{{- end }}

{{/* Streams of Kinesis: the one that the job reads, and those that it writes. */}}
{{- define "statefun.streams" -}}
counter.commands counter.results dead-letters
{{- end }}

{{/* Checkpoints, savepoints and metadata of the job. */}}
{{- define "statefun.storage" -}}
s3://{{ .Values.localstack.bucket }}
{{- end }}
