{{/* The password of a role of Postgres. Argument: a dict with `root`, `role` and `variable`. */}}
{{- define "floe-common.postgresPassword" -}}
{{- include "floe-common.secretVariable" (dict
  "variable" .variable
  "secret" (include (print .root.Chart.Name ".postgresSecret") .)
  "key" (index .root.Values.postgres .role).existingSecret.passwordKey) }}
{{- end }}

{{/* Where Postgres is, whether the chart runs it or not. */}}
{{- define "floe-common.postgresHost" -}}
{{- ternary "postgres" .Values.postgres.host .Values.postgres.deploy -}}
{{- end }}

{{- define "floe-common.postgresPort" -}}
{{- ternary 5432 .Values.postgres.port .Values.postgres.deploy -}}
{{- end }}

{{/*
The objects of the chart's own Postgres. Argument of all four: a dict with `root`, `roles` (of Postgres:
their databases, users and passwords are in the values), `claim` and `scripts` (names of the volume's claim
and of the ConfigMap). The chart itself has templates NAME.podMetadata, NAME.podSettings,
NAME.superuserSecret and NAME.postgresSecret.
*/}}
{{- define "floe-common.postgresStatefulSet" -}}
{{- $root := .root }}
{{- $settings := .root.Values.postgres }}
{{- $role := dict "root" .root "component" "postgres" "settings" $settings "user" 999 "configuration" "/postgres/configmap.yaml" }}
# A StatefulSet, because two servers on one volume destroy it: it starts a pod only when the one
# before is gone for certain, which a Deployment does not do when a pod is deleted.
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: postgres
  labels:
    {{- include "floe-common.labels" $role | nindent 4 }}
spec:
  serviceName: postgres
  replicas: 1
  selector:
    matchLabels:
      {{- include "floe-common.selectorLabels" $role | nindent 6 }}
  template:
    metadata:
      {{- include (print .root.Chart.Name ".podMetadata") $role | nindent 6 }}
    spec:
      {{- include (print .root.Chart.Name ".podSettings") $role | nindent 6 }}
      # The image stops with SIGINT: sessions are ended, and everything is on disk.
      terminationGracePeriodSeconds: 60
      containers:
        - name: postgres
          image: {{ include "floe-common.image" (dict "root" .root "image" $settings.image) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env:
            - name: PGDATA
              value: /var/lib/postgresql/data/pgdata
            - name: POSTGRES_USER
              value: postgres
            - name: POSTGRES_DB
              value: postgres
            {{- include "floe-common.secretVariable" (dict "variable" "POSTGRES_PASSWORD" "secret" (include (print .root.Chart.Name ".superuserSecret") .root) "key" $settings.existingSecret.passwordKey) | nindent 12 }}
            {{- range $name := .roles }}
            {{- with (index $settings $name).database }}
            - name: {{ upper $name }}_DATABASE
              value: {{ . | quote }}
            {{- end }}
            - name: {{ upper $name }}_USER
              value: {{ (index $settings $name).username | quote }}
            {{- include "floe-common.postgresPassword" (dict "root" $root "role" $name "variable" (printf "%s_PASSWORD" (upper $name))) | nindent 12 }}
            {{- end }}
          ports:
            - name: postgres
              containerPort: 5432
          securityContext:
            {{- include "floe-common.containerSecurityContext" .root | nindent 12 }}
          resources:
            {{- toYaml $settings.resources | nindent 12 }}
          # Ten minutes: after a crash it reads its log again before it accepts anybody.
          startupProbe:
            exec:
              command: [sh, /etc/floe/started.sh]
            periodSeconds: 2
            timeoutSeconds: 10
            failureThreshold: 300
          readinessProbe:
            exec:
              command: [pg_isready, --quiet, --host, 127.0.0.1, --dbname, {{ $settings.dagster.database | quote }}, --username, {{ $settings.dagster.username | quote }}]
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 3
          # pg_isready says 1 while the server refuses sessions and 2 when it does not answer. Only
          # the second is a reason to begin again.
          livenessProbe:
            exec:
              command: [sh, -c, "pg_isready --quiet --host 127.0.0.1 --timeout 5 || [ $? -eq 1 ]"]
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 6
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            - name: data
              mountPath: /var/lib/postgresql/data
            - name: run
              mountPath: /run/postgresql
            - name: tmp
              mountPath: /tmp
            - name: scripts
              mountPath: /docker-entrypoint-initdb.d/10-databases.sh
              subPath: 10-databases.sh
              readOnly: true
            - name: scripts
              mountPath: /etc/floe
              readOnly: true
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: {{ .claim }}
        - name: run
          emptyDir:
            sizeLimit: 16Mi
        - name: tmp
          emptyDir:
            sizeLimit: 256Mi
        - name: scripts
          configMap:
            name: {{ .scripts }}
            defaultMode: 0555
{{- end }}

{{- define "floe-common.postgresService" -}}
{{- $role := dict "root" .root "component" "postgres" }}
apiVersion: v1
kind: Service
metadata:
  name: postgres
  labels:
    {{- include "floe-common.labels" $role | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "floe-common.selectorLabels" $role | nindent 4 }}
  ports:
    - name: postgres
      port: 5432
      targetPort: postgres
{{- end }}

{{- define "floe-common.postgresVolume" -}}
# A claim of the release and not of the StatefulSet: it can be enlarged, and it goes or stays together
# with the Secrets that open what is on it.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .claim }}
  labels:
    {{- include "floe-common.labels" (dict "root" .root "component" "postgres") | nindent 4 }}
  {{- if .root.Values.postgres.volume.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .root.Values.postgres.volume.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .root.Values.postgres.volume.size }}
{{- end }}

{{- define "floe-common.postgresScripts" -}}
# Roles and databases, made when the volume is new. Passwords come from Secrets, by environment.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .scripts }}
  labels:
    {{- include "floe-common.labels" (dict "root" .root "component" "postgres") | nindent 4 }}
data:
  10-databases.sh: |
    {{- .root.Files.Get "files/postgres/databases.sh" | nindent 4 }}
  started.sh: |
    {{- .root.Files.Get "files/postgres/started.sh" | nindent 4 }}
{{- end }}
