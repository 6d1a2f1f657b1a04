{{/*
What a pod of any role says about itself. Argument: a dict with `root`, `component` (its name),
`settings` (its values: nodeSelector, tolerations), and where they are not 10001 `user` and `group`.
*/}}
{{- define "floe-platform.podSettings" -}}
serviceAccountName: floe-platform
automountServiceAccountToken: false
# The namespace's Services as environment variables would make a pod's start depend on the others'.
enableServiceLinks: false
{{- include "floe-common.pullSecrets" .root }}
securityContext:
  {{- include "floe-common.podSecurityContext" . | nindent 2 }}
{{- include "floe-common.scheduling" .settings }}
{{- if .root.Values.minimal }}
# SQLite needs one kernel under all who write: the pods that share the history run on one node.
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "floe-common.releaseLabels" .root | nindent 12 }}
            floe-platform/history: sqlite
{{- end }}
{{- end }}

{{/*
Labels and annotations of a role's pods. Argument: a dict with `root`, `component`, and where it is
not Dagster's `configuration` (the template of what the role reads; empty when it reads nothing).
*/}}
{{- define "floe-platform.podMetadata" -}}
labels:
  {{- include "floe-common.labels" . | nindent 2 }}
  {{- if .root.Values.minimal }}
  floe-platform/history: sqlite
  {{- end }}
{{- $configuration := ternary .configuration "/configuration.yaml" (hasKey . "configuration") }}
{{- with $configuration }}
annotations:
  # A changed configuration restarts the pods that read it.
  checksum/configuration: {{ include (print $.root.Template.BasePath .) $.root | sha256sum }}
{{- end }}
{{- end }}

{{/*
What Dagster's roles wait for. In the full form that is Postgres. In the minimal form it is the init
container that puts Dagster's SQLite files in place before a process opens them: Dagster itself makes
them on first use, and two processes that do so at once spoil them.
Argument: a dict with `root` and `settings` (its values: resources).
*/}}
{{- define "floe-platform.initContainers" -}}
{{- if .root.Values.minimal }}
initContainers:
  - name: history
    image: {{ include "floe-common.ownImage" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: [python, -m, floe_platform.history, prepare, /var/lib/floe/history, --template, /opt/floe/history-template]
    securityContext:
      {{- include "floe-common.containerSecurityContext" .root | nindent 6 }}
    resources:
      {{- toYaml .settings.resources | nindent 6 }}
    volumeMounts:
      {{- include "floe-platform.volumeMounts" .root | nindent 6 }}
{{- else }}
initContainers:
  {{- include "floe-platform.postgresLogin" (dict "root" .root "role" "dagster" "settings" .settings) | nindent 2 }}
{{- end }}
{{- end }}

{{/* Environment of a role: where Postgres is, when it is used. */}}
{{- define "floe-platform.environment" -}}
- name: DAGSTER_HOME
  value: /opt/floe/home
- name: FLOE_HISTORY_DIR
  value: /var/lib/floe/history
{{- if not .Values.minimal }}
- name: DAGSTER_PG_HOST
  value: {{ include "floe-common.postgresHost" . | quote }}
- name: DAGSTER_PG_PORT
  value: {{ include "floe-common.postgresPort" . | quote }}
- name: DAGSTER_PG_DB
  value: {{ .Values.postgres.dagster.database | quote }}
- name: DAGSTER_PG_USER
  value: {{ .Values.postgres.dagster.username | quote }}
{{ include "floe-common.postgresPassword" (dict "root" . "role" "dagster" "variable" "DAGSTER_PG_PASSWORD") }}
# Read by the driver, for every connection of the process.
- name: PGSSLMODE
  value: {{ .Values.postgres.sslMode }}
{{- end }}
{{- end }}

{{/* What every role mounts. */}}
{{- define "floe-platform.volumeMounts" -}}
- name: configuration
  mountPath: /opt/floe/home
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if .Values.minimal }}
- name: history
  mountPath: /var/lib/floe/history
{{- end }}
{{- end }}

{{/* The volumes behind them. */}}
{{- define "floe-platform.volumes" -}}
- name: configuration
  configMap:
    name: floe-platform
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- if .Values.minimal }}
- name: history
  persistentVolumeClaim:
    claimName: floe-platform-history
{{- end }}
{{- end }}
