{{/*
The credentials that the chart knows, one Secret each: `name` is the Secret's, `generated` says
whether the chart makes it, `key` where the password stands. All of them open the database, so all of
them are kept with its volume. YAML, for fromYamlArray.
*/}}
{{- define "floe-tests.credentials" -}}
{{- $postgres := .Values.postgres }}
{{- if $postgres.deploy }}
- name: {{ include "floe-tests.superuserSecret" . }}
  generated: {{ empty $postgres.existingSecret.name }}
  key: {{ $postgres.existingSecret.passwordKey }}
{{- end }}
{{- range $role := list "dagster" "history" }}
{{- $secret := (index $postgres $role).existingSecret }}
- name: {{ include "floe-tests.postgresSecret" (dict "root" $ "role" $role) }}
  generated: {{ and $postgres.deploy (empty $secret.name) }}
  key: {{ $secret.passwordKey }}
{{- end }}
{{- end }}

{{/* Names of the Secrets: the one that exists, or the chart's own. */}}
{{- define "floe-tests.superuserSecret" -}}
{{- default "floe-tests-postgres" .Values.postgres.existingSecret.name -}}
{{- end }}

{{/* Argument: a dict with `root` and `role` (dagster, history). */}}
{{- define "floe-tests.postgresSecret" -}}
{{- default (printf "floe-tests-postgres-%s" .role) (index .root.Values.postgres .role).existingSecret.name -}}
{{- end }}

{{/*
Address of the history. The password comes by PGPASSWORD, so that no address holds one. While
Postgres' pod is replaced, a connection may be routed to the address of the old one, where nobody
answers: the system's own timeouts would hold a run up for minutes.
*/}}
{{- define "floe-tests.historyAddress" -}}
{{- printf "postgresql://%s@%s:%s/%s?connect_timeout=5&tcp_user_timeout=15000&keepalives_idle=15&keepalives_interval=5&application_name=floe-tests" .Values.postgres.history.username (include "floe-common.postgresHost" .) (include "floe-common.postgresPort" .) .Values.postgres.history.database -}}
{{- end }}

{{/* The logins of both databases, as the scripts of the chart read them. */}}
{{- define "floe-tests.databaseVariables" -}}
{{- range $role := list "dagster" "history" }}
- name: {{ upper $role }}_DATABASE
  value: {{ (index $.Values.postgres $role).database | quote }}
- name: {{ upper $role }}_USER
  value: {{ (index $.Values.postgres $role).username | quote }}
{{ include "floe-common.postgresPassword" (dict "root" $ "role" $role "variable" (printf "%s_PASSWORD" (upper $role))) }}
{{- end }}
{{- end }}

{{/* libpq's own variables for the server, without a login. */}}
{{- define "floe-tests.serverVariables" -}}
- name: PGHOST
  value: {{ include "floe-common.postgresHost" . | quote }}
- name: PGPORT
  value: {{ include "floe-common.postgresPort" . | quote }}
- name: PGSSLMODE
  value: {{ .Values.postgres.sslMode }}
- name: PGCONNECT_TIMEOUT
  value: "10"
{{- end }}

{{/*
The init container that waits until a role can log in to its database. It ends the wait at once, with
what to do, when Postgres refuses the role. Argument: a dict with `root` and `role` (of Postgres).
*/}}
{{- define "floe-tests.postgresLogin" -}}
{{- $role := index .root.Values.postgres .role }}
- name: postgres-login
  image: {{ include "floe-common.ownImage" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python, -m, floe_platform.postgres_login, --secret, {{ include "floe-tests.postgresSecret" . | quote }}, --namespace, {{ .root.Release.Namespace | quote }}, --deadline-seconds, "180"]
  env:
    {{- include "floe-tests.serverVariables" .root | nindent 4 }}
    - name: PGDATABASE
      value: {{ $role.database | quote }}
    - name: PGUSER
      value: {{ $role.username | quote }}
    {{- include "floe-common.postgresPassword" (dict "root" .root "role" .role "variable" "PGPASSWORD") | nindent 4 }}
  securityContext:
    {{- include "floe-common.containerSecurityContext" .root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: 500m, memory: 128Mi}
  # What it said last is what `kubectl describe pod` shows.
  terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* What the library's templates of Postgres are told, beside the root. YAML, for fromYaml. */}}
{{- define "floe-tests.postgresArguments" -}}
roles: [dagster, history]
claim: floe-tests-postgres
scripts: floe-tests-postgres
{{- end }}
