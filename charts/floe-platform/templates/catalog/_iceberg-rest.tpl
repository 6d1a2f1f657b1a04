{{/* Iceberg's REST server. It exits when Postgres refuses it at its start, hence the wait before. */}}
{{- define "floe-platform.icebergRestContainer" -}}
{{- $image := .Values.catalog.icebergRest.image }}
image: {{ include "floe-common.image" (dict "root" . "image" $image) }}
env:
  - name: CATALOG_REST_PORT
    value: "8181"
  - name: CATALOG_WAREHOUSE
    value: {{ include "floe-platform.warehouse" . | quote }}
  - name: CATALOG_CATALOG__IMPL
    value: org.apache.iceberg.jdbc.JdbcCatalog
  - name: CATALOG_URI
    value: {{ include "floe-platform.jdbcAddress" (dict "root" . "role" "catalog") | quote }}
  - name: CATALOG_JDBC_USER
    value: {{ .Values.postgres.catalog.username | quote }}
  {{- include "floe-common.postgresPassword" (dict "root" . "role" "catalog" "variable" "CATALOG_JDBC_PASSWORD") | nindent 2 }}
  - name: CATALOG_IO__IMPL
    value: org.apache.iceberg.aws.s3.S3FileIO
  {{- with include "floe-platform.objectStorageEndpoint" . }}
  - name: CATALOG_S3_ENDPOINT
    value: {{ . | quote }}
  {{- end }}
  - name: CATALOG_S3_PATH__STYLE__ACCESS
    value: {{ .Values.objectStorage.pathStyleAccess | quote }}
  {{- include "floe-platform.objectStorageKey" . | nindent 2 }}
  - name: AWS_REGION
    value: {{ .Values.objectStorage.region | quote }}
ports:
  - name: http
    containerPort: 8181
# /v1/config is the first thing every client asks. Alive means that the port answers: a restart mends
# no database.
startupProbe:
  httpGet: {path: /v1/config, port: http}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 180
readinessProbe:
  httpGet: {path: /v1/config, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /v1/config, port: http}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end }}
