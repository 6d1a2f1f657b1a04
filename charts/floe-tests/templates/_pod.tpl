{{/*
What a pod of any role says about itself. Argument: a dict with `root`, `component` (its name),
`settings` (its values: nodeSelector, tolerations), where they are not 10001 `user` and `group`, where
it is not `floe-tests-none` its `account`, and `hasToken`.
*/}}
{{- define "floe-tests.podSettings" -}}
serviceAccountName: {{ default "floe-tests-none" .account }}
automountServiceAccountToken: {{ default false .hasToken }}
# The namespace's Services as environment variables would make a pod's start depend on the others'.
enableServiceLinks: false
{{- include "floe-common.pullSecrets" .root }}
securityContext:
  {{- include "floe-common.podSecurityContext" . | nindent 2 }}
{{- include "floe-common.scheduling" .settings }}
{{- if .usesState }}
{{- include "floe-tests.stateAffinity" .root }}
{{- end }}
{{- end }}

{{/*
Labels and annotations of a role's pods. Argument: a dict with `root`, `component`, and where it is
not Dagster's `configuration` (the template of what the role reads; empty when it reads nothing).
*/}}
{{- define "floe-tests.podMetadata" -}}
labels:
  {{- include "floe-common.labels" . | nindent 2 }}
  {{- if .usesState }}
  {{- include "floe-tests.stateLabel" .root | nindent 2 }}
  {{- end }}
{{- $configuration := ternary .configuration "/configuration.yaml" (hasKey . "configuration") }}
{{- with $configuration }}
annotations:
  # A changed configuration restarts the pods that read it.
  checksum/configuration: {{ include (print $.root.Template.BasePath .) $.root | sha256sum }}
{{- end }}
{{- end }}

{{/* The label of pods that mount the state volume. */}}
{{- define "floe-tests.stateLabel" -}}
floe-tests/state: {{ .Release.Name }}
{{- end }}

{{/* Whether one node alone can mount the state volume; empty when any can. */}}
{{- define "floe-tests.stateIsOnOneNode" -}}
{{- if not (has "ReadWriteMany" .Values.state.volume.accessModes) -}}true{{- end -}}
{{- end }}

{{/* What keeps the pods that mount the state volume on its node, where one node alone can. */}}
{{- define "floe-tests.stateAffinity" -}}
{{- if include "floe-tests.stateIsOnOneNode" . }}
# The volume is ReadWriteOnce: who mounts it runs on one node.
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "floe-tests.stateLabel" . | nindent 12 }}
{{- end }}
{{- end }}

{{/* Environment of webserver, daemon, code location and runs. */}}
{{- define "floe-tests.envFrom" -}}
- configMapRef:
    name: floe-tests-environment
{{- end }}

{{/* The passwords of those: Dagster's database for all. */}}
{{- define "floe-tests.dagsterPassword" -}}
{{- include "floe-common.postgresPassword" (dict "root" . "role" "dagster" "variable" "DAGSTER_PG_PASSWORD") }}
{{- end }}

{{/* libpq takes the history's password from here; Dagster's own stands in its address. */}}
{{- define "floe-tests.historyPassword" -}}
{{- include "floe-common.postgresPassword" (dict "root" . "role" "history" "variable" "PGPASSWORD") }}
{{- end }}

{{/* What Dagster's roles mount. Argument: a dict with `instance`, the key of their dagster.yaml. */}}
{{- define "floe-tests.volumeMounts" -}}
- name: configuration
  mountPath: /var/lib/floe-tests/home/dagster.yaml
  subPath: {{ .instance }}
  readOnly: true
- name: configuration
  mountPath: /etc/floe-tests/workspace.yaml
  subPath: workspace.yaml
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "floe-tests.volumes" -}}
- name: configuration
  configMap:
    name: floe-tests
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- end }}

{{/* What those mount who work on runs: ledger, results, and tiers beside those in the image. */}}
{{- define "floe-tests.projectMounts" -}}
- name: state
  mountPath: /var/lib/floe-tests/home/floe-tests
  subPath: ledger
- name: state
  mountPath: /var/lib/floe-tests/output
  subPath: output
{{- range $name, $tier := .Values.tiers }}
- name: tiers
  mountPath: /opt/floe-tests/floe_tests/defs/{{ $name }}/defs.yaml
  subPath: {{ $name }}.defs.yaml
  readOnly: true
- name: tiers
  mountPath: /opt/floe-tests/tests/{{ $name }}/test-job.yaml
  subPath: {{ $name }}.test-job.yaml
  readOnly: true
{{- end }}
{{- end }}

{{- define "floe-tests.projectVolumes" -}}
- name: state
  persistentVolumeClaim:
    claimName: floe-tests-state
{{- if .Values.tiers }}
- name: tiers
  configMap:
    name: floe-tests-tiers
{{- end }}
{{- end }}
