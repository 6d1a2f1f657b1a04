{{/*
The credentials that the chart knows, one Secret each: `name` is the Secret's, `generated` says
whether the chart makes it, `keys` what stands in it and how it is made, and `kept` whether it goes
with a volume or a server that outlives the release. YAML, for fromYamlArray.
*/}}
{{- define "floe-platform.credentials" -}}
{{- $postgres := .Values.postgres }}
{{- $databaseOutlives := or (not $postgres.deploy) $postgres.volume.keep }}
{{- if $postgres.deploy }}
- name: {{ include "floe-platform.superuserSecret" . }}
  generated: {{ empty $postgres.existingSecret.name }}
  kept: {{ $databaseOutlives }}
  component: postgres
  keys:
    {{ $postgres.existingSecret.passwordKey }}: password
{{- end }}
{{- range $role := list "dagster" "catalog" "serving" "cube" }}
{{- $secret := (index $postgres $role).existingSecret }}
- name: {{ include "floe-platform.postgresSecret" (dict "root" $ "role" $role) }}
  generated: {{ and $postgres.deploy (empty $secret.name) }}
  kept: {{ $databaseOutlives }}
  component: postgres
  keys:
    {{ $secret.passwordKey }}: password
{{- end }}
- name: {{ include "floe-platform.objectStorageSecret" . }}
  generated: {{ and .Values.objectStorage.deploy (empty .Values.objectStorage.existingSecret.name) }}
  kept: false
  component: object-storage
  keys:
    {{ .Values.objectStorage.existingSecret.accessKeyKey }}: access-key
    {{ .Values.objectStorage.existingSecret.secretKeyKey }}: password
- name: {{ include "floe-platform.cubeSecret" . }}
  generated: {{ empty .Values.cube.existingSecret.name }}
  kept: false
  component: cube
  keys:
    {{ .Values.cube.existingSecret.secretKey }}: password
{{- if eq .Values.catalog.kind "polaris" }}
{{- $polaris := .Values.catalog.polaris }}
- name: {{ include "floe-platform.polarisRootSecret" . }}
  generated: {{ empty $polaris.rootSecret.name }}
  kept: {{ $databaseOutlives }}
  component: catalog
  keys:
    {{ $polaris.rootSecret.clientIdKey }}: polaris-id
    {{ $polaris.rootSecret.clientSecretKey }}: polaris-secret
- name: {{ include "floe-platform.polarisClientSecret" . }}
  generated: {{ empty $polaris.clientSecret.name }}
  kept: {{ $databaseOutlives }}
  component: catalog
  keys:
    {{ $polaris.clientSecret.clientIdKey }}: polaris-id
    {{ $polaris.clientSecret.clientSecretKey }}: polaris-secret
- name: {{ include "floe-platform.polarisTokenSecret" . }}
  generated: {{ empty $polaris.tokenSecret.name }}
  kept: false
  component: catalog
  keys:
    {{ $polaris.tokenSecret.keyKey }}: signing-key
{{- end }}
{{- end }}

{{/* A new value of a kind of credential. Argument: the kind. */}}
{{- define "floe-platform.newCredential" -}}
{{- if eq . "password" -}}
{{- randAlphaNum 32 -}}
{{- else if eq . "access-key" -}}
{{- randAlphaNum 20 | upper -}}
{{- else if eq . "signing-key" -}}
{{- randAlphaNum 64 -}}
{{- else if eq . "polaris-id" -}}
{{- randAlphaNum 64 | sha256sum | trunc 16 -}}
{{- else if eq . "polaris-secret" -}}
{{- randAlphaNum 64 | sha256sum | trunc 32 -}}
{{- end -}}
{{- end }}

{{/* Names of the Secrets: the one that exists, or the chart's own. */}}
{{- define "floe-platform.superuserSecret" -}}
{{- default "floe-postgres" .Values.postgres.existingSecret.name -}}
{{- end }}

{{/* Argument: a dict with `root` and `role` (dagster, catalog, serving, cube). */}}
{{- define "floe-platform.postgresSecret" -}}
{{- default (printf "floe-postgres-%s" .role) (index .root.Values.postgres .role).existingSecret.name -}}
{{- end }}

{{- define "floe-platform.objectStorageSecret" -}}
{{- default "floe-object-storage" .Values.objectStorage.existingSecret.name -}}
{{- end }}

{{- define "floe-platform.cubeSecret" -}}
{{- default "floe-cube-api" .Values.cube.existingSecret.name -}}
{{- end }}

{{- define "floe-platform.polarisRootSecret" -}}
{{- default "floe-polaris-root" .Values.catalog.polaris.rootSecret.name -}}
{{- end }}

{{- define "floe-platform.polarisClientSecret" -}}
{{- default "floe-polaris-client" .Values.catalog.polaris.clientSecret.name -}}
{{- end }}

{{- define "floe-platform.polarisTokenSecret" -}}
{{- default "floe-polaris-token" .Values.catalog.polaris.tokenSecret.name -}}
{{- end }}

{{/* The access key of the object storage, under the names that every S3 client reads. */}}
{{- define "floe-platform.objectStorageKey" -}}
{{- $secret := include "floe-platform.objectStorageSecret" . }}
{{- include "floe-common.secretVariable" (dict "variable" "AWS_ACCESS_KEY_ID" "secret" $secret "key" .Values.objectStorage.existingSecret.accessKeyKey) }}
{{ include "floe-common.secretVariable" (dict "variable" "AWS_SECRET_ACCESS_KEY" "secret" $secret "key" .Values.objectStorage.existingSecret.secretKeyKey) }}
{{- end }}

{{/*
Credentials of a principal of Polaris. Argument: a dict with `prefix` of the variables, `secret` (its
name) and `keys` (the values that name the keys).
*/}}
{{- define "floe-platform.polarisPrincipal" -}}
{{- include "floe-common.secretVariable" (dict "variable" (print .prefix "_CLIENT_ID") "secret" .secret "key" .keys.clientIdKey) }}
{{ include "floe-common.secretVariable" (dict "variable" (print .prefix "_CLIENT_SECRET") "secret" .secret "key" .keys.clientSecretKey) }}
{{- end }}

{{/* What the library's templates of Postgres are told, beside the root. YAML, for fromYaml. */}}
{{- define "floe-platform.postgresArguments" -}}
roles: [dagster, catalog, serving, cube]
claim: floe-platform-postgres
scripts: floe-postgres-scripts
{{- end }}
