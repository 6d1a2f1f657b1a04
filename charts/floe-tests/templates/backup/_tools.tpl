{{/* A container with one of the chart's scripts around Postgres' programs. Argument: a dict with `root` and `name`. */}}
{{- define "floe-tests.postgresTool" -}}
- name: {{ .name }}
  image: {{ include "floe-common.image" (dict "root" .root "image" .root.Values.postgres.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, /etc/floe/{{ .name }}.sh]
  env:
    - name: WORK
      value: /work
    - name: NAMESPACE
      value: {{ .root.Release.Namespace }}
    {{- include "floe-tests.serverVariables" .root | nindent 4 }}
    {{- include "floe-tests.databaseVariables" .root | nindent 4 }}
  securityContext:
    {{- include "floe-common.containerSecurityContext" .root | nindent 4 }}
  resources:
    {{- toYaml .root.Values.backup.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: scripts
      mountPath: /etc/floe
      readOnly: true
    - name: work
      mountPath: /work
    - name: tmp
      mountPath: /tmp
{{- end }}

{{/* The container that puts dumps away, or fetches them. Argument: a dict with `root` and `command`. */}}
{{- define "floe-tests.backupTool" -}}
{{- $backup := .root.Values.backup }}
- name: {{ first .command }}
  image: {{ include "floe-common.ownImage" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: {{ toJson (concat (list "python" "-m" "floe_backup") .command) }}
  env:
    - name: WORK
      value: /work
    {{- if eq (first .command) "fetch" }}
    # The newest without it: kubectl create configmap floe-tests-restore --from-literal=backup=NAME
    - name: BACKUP_NAME
      valueFrom:
        configMapKeyRef:
          name: floe-tests-restore
          key: backup
          optional: true
    {{- end }}
    {{- if eq $backup.target "s3" }}
    - name: BACKUP_S3_ENDPOINT
      value: {{ $backup.s3.endpoint | quote }}
    - name: BACKUP_S3_REGION
      value: {{ $backup.s3.region | quote }}
    - name: BACKUP_S3_BUCKET
      value: {{ $backup.s3.bucket | quote }}
    - name: BACKUP_S3_PREFIX
      value: {{ $backup.s3.prefix | quote }}
    {{- include "floe-common.secretVariable" (dict "variable" "AWS_ACCESS_KEY_ID" "secret" $backup.s3.existingSecret.name "key" $backup.s3.existingSecret.accessKeyKey) | nindent 4 }}
    {{- include "floe-common.secretVariable" (dict "variable" "AWS_SECRET_ACCESS_KEY" "secret" $backup.s3.existingSecret.name "key" $backup.s3.existingSecret.secretKeyKey) | nindent 4 }}
    {{- else }}
    - name: BACKUP_DIRECTORY
      value: /backups
    {{- end }}
  securityContext:
    {{- include "floe-common.containerSecurityContext" .root | nindent 4 }}
  resources:
    {{- toYaml $backup.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: work
      mountPath: /work
    - name: tmp
      mountPath: /tmp
    {{- if eq $backup.target "volume" }}
    - name: state
      mountPath: /backups
      subPath: backups
    {{- end }}
{{- end }}

{{- define "floe-tests.backupVolumes" -}}
- name: scripts
  configMap:
    name: floe-tests-backup
    defaultMode: 0555
- name: work
  emptyDir: {}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if eq .Values.backup.target "volume" }}
- name: state
  persistentVolumeClaim:
    claimName: floe-tests-state
{{- end }}
{{- end }}
