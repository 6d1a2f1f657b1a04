{{/*
What a pod of any role says about itself. Argument: a dict with `root`, `user` (and group), and where
they are not the default, `settings` (its values: nodeSelector, tolerations), `account` and `token`.
*/}}
{{- define "statefun.podSettings" -}}
serviceAccountName: {{ default "statefun" .account }}
automountServiceAccountToken: {{ default false .token }}
# Otherwise a Service named kafka puts KAFKA_PORT into every pod, which Kafka takes for an option.
enableServiceLinks: false
{{- with include "statefun.pullSecrets" .root }}
{{ . }}
{{- end }}
securityContext:
  {{- include "statefun.podSecurityContext" .user | nindent 2 }}
{{- with (default dict .settings).nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (default dict .settings).tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "statefun.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Pod Security `restricted`, and a group that may write to the volumes. Argument: the user. */}}
{{- define "statefun.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Pod Security `restricted` for a container, with a root that nobody writes to. */}}
{{- define "statefun.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* AWS' client, in its own variables: the key out of the Secret, and the region. */}}
{{- define "statefun.awsEnvironment" -}}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: statefun-aws
      key: access-key
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: statefun-aws
      key: secret-key
- name: AWS_REGION
  value: {{ .Values.localstack.region | quote }}
{{- end }}

{{/* The scripts of the hooks, as a volume. Argument: the root. */}}
{{- define "statefun.hookVolumes" -}}
- name: hooks
  configMap:
    name: statefun-hooks
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end }}

{{- define "statefun.hookVolumeMounts" -}}
- name: hooks
  mountPath: /opt/floe/hooks
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}
