{{/* The ClusterRole that a run binds itself to in a namespace that it has made. */}}
{{- define "floe-tests.namespaceRole" -}}
{{- printf "floe-tests:%s:namespace" .Release.Namespace -}}
{{- end }}
