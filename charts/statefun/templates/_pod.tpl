{{/*
What a pod of any role says about itself. Argument: a dict with `root`, `user` (and group), and where
they are not the default, `settings` (its values: nodeSelector, tolerations), `account` and `token`.
*/}}
{{- define "statefun.podSettings" -}}
serviceAccountName: {{ default "statefun" .account }}
automountServiceAccountToken: {{ default false .token }}
# Otherwise a Service named kafka puts KAFKA_PORT into every pod, which Kafka takes for an option.
enableServiceLinks: false
{{- include "floe-common.pullSecrets" .root }}
securityContext:
  {{- include "floe-common.podSecurityContext" (dict "user" .user) | nindent 2 }}
{{- include "floe-common.scheduling" (default dict .settings) }}
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
