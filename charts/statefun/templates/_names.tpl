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
