{{/* Where the servers of the full form are, whether the chart runs them or not. */}}
{{/* Address of the object storage; empty on AWS, whose clients know it. */}}
{{- define "floe-platform.objectStorageEndpoint" -}}
{{- ternary "http://object-storage:7070" .Values.objectStorage.endpoint .Values.objectStorage.deploy -}}
{{- end }}

{{/* Port of an object storage outside. */}}
{{- define "floe-platform.objectStoragePort" -}}
{{- $address := urlParse (default "https://s3.amazonaws.com" .Values.objectStorage.endpoint) }}
{{- if regexMatch ":[0-9]+$" $address.host -}}
{{- regexFind "[0-9]+$" $address.host -}}
{{- else -}}
{{- ternary 443 80 (eq $address.scheme "https") -}}
{{- end -}}
{{- end }}

{{- define "floe-platform.warehouse" -}}
{{- printf "s3://%s/" .Values.objectStorage.bucket -}}
{{- end }}

{{/*
Address of a database for Java, in seconds: a connection to a server that is gone is given up.
Argument: a dict with `root` and `role`.
*/}}
{{- define "floe-platform.jdbcAddress" -}}
{{- printf "jdbc:postgresql://%s:%s/%s?sslmode=%s&connectTimeout=5&socketTimeout=60&tcpKeepAlive=true" (include "floe-common.postgresHost" .root) (include "floe-common.postgresPort" .root) (index .root.Values.postgres .role).database .root.Values.postgres.sslMode -}}
{{- end }}

{{/* libpq's variables of a role. Argument: a dict with `root` and `role` (of Postgres). */}}
{{- define "floe-platform.postgresClient" -}}
{{- $role := index .root.Values.postgres .role }}
{{- /* Cube has no database of its own. */ -}}
{{- $database := default .root.Values.postgres.serving.database $role.database -}}
- name: PGHOST
  value: {{ include "floe-common.postgresHost" .root | quote }}
- name: PGPORT
  value: {{ include "floe-common.postgresPort" .root | quote }}
- name: PGDATABASE
  value: {{ $database | quote }}
- name: PGUSER
  value: {{ $role.username | quote }}
- name: PGSSLMODE
  value: {{ .root.Values.postgres.sslMode }}
{{ include "floe-common.postgresPassword" (dict "root" .root "role" .role "variable" "PGPASSWORD") }}
{{- end }}

{{/*
The init container that waits until a role can log in to its database. It ends the wait at once, with
what to do, when Postgres refuses the role. Argument: a dict with `root`, `role` (of Postgres) and
`settings` (the values of the pod's role: resources).
*/}}
{{- define "floe-platform.postgresLogin" -}}
{{- $secret := include "floe-platform.postgresSecret" . }}
- name: postgres-login
  image: {{ include "floe-common.ownImage" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python, -m, floe_platform.postgres_login, --secret, {{ $secret | quote }}, --namespace, {{ .root.Release.Namespace | quote }}, --deadline-seconds, "180"]
  env:
    {{- include "floe-platform.postgresClient" (dict "root" .root "role" .role) | nindent 4 }}
  securityContext:
    {{- include "floe-common.containerSecurityContext" .root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: 500m, memory: 128Mi}
  # What it said last is what `kubectl describe pod` shows.
  terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
