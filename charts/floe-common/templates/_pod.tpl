{{/*
Pod Security `restricted`, and a group that may write to the volumes. Argument: a dict with `user` and
`group`; without them they are those of the project's images.
*/}}
{{- define "floe-common.podSecurityContext" -}}
{{- $user := default 10001 .user -}}
{{- $group := default $user .group -}}
runAsNonRoot: true
runAsUser: {{ $user }}
runAsGroup: {{ $group }}
fsGroup: {{ $group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Pod Security `restricted` for a container, with a root that nobody writes to. */}}
{{- define "floe-common.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The pods of a role on different nodes, where there are any. Argument: a dict with `root` and `component`. */}}
{{- define "floe-common.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "floe-common.selectorLabels" . | nindent 8 }}
{{- end }}

{{/* The Secrets that pull the images of a pod. Argument: the root. */}}
{{- define "floe-common.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where a pod runs. Argument: the values of its role (nodeSelector, tolerations). */}}
{{- define "floe-common.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An environment variable out of a Secret. Argument: a dict with `variable`, `secret` and `key`. */}}
{{- define "floe-common.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
