{{/*
The container of a hook that asks the Kubernetes API. Argument: a dict with `root` and `script` (its
file and arguments).
*/}}
{{- define "statefun.hookContainer" -}}
- name: {{ first .script | trimSuffix ".py" | replace "_" "-" }}
  image: {{ include "floe-common.image" (dict "root" .root "image" .root.Values.localstack.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command:
    - python3
    - /opt/floe/hooks/{{ first .script }}
    {{- range rest .script }}
    - {{ . }}
    {{- end }}
  env:
    - name: PYTHONDONTWRITEBYTECODE
      value: "1"
  securityContext:
    {{- include "floe-common.containerSecurityContext" .root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: 500m, memory: 128Mi}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    {{- include "statefun.hookVolumeMounts" .root | nindent 4 }}
{{- end }}
