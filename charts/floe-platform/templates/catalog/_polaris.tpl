{{/* Polaris' init container: the realm in the database. */}}
{{- define "floe-platform.polarisBootstrap" -}}
{{- $polaris := .Values.catalog.polaris }}
- name: realm
  image: {{ include "floe-platform.image" (dict "root" . "repository" $polaris.adminImage.repository "tag" $polaris.adminImage.tag) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [sh, /etc/polaris/bootstrap.sh]
  env:
    - name: REALM
      value: {{ $polaris.realm | quote }}
    {{- include "floe-platform.polarisPrincipal" (dict "prefix" "ROOT" "secret" (include "floe-platform.polarisRootSecret" .) "keys" $polaris.rootSecret) | nindent 4 }}
    - name: POLARIS_PERSISTENCE_TYPE
      value: relational-jdbc
    - name: QUARKUS_DATASOURCE_JDBC_URL
      value: {{ include "floe-platform.jdbcAddress" (dict "root" . "role" "catalog") | quote }}
    - name: QUARKUS_DATASOURCE_USERNAME
      value: {{ .Values.postgres.catalog.username | quote }}
    {{- include "floe-platform.postgresPassword" (dict "root" . "role" "catalog" "variable" "QUARKUS_DATASOURCE_PASSWORD") | nindent 4 }}
  securityContext:
    {{- include "floe-platform.containerSecurityContext" . | nindent 4 }}
  resources:
    {{- toYaml .Values.catalog.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: configuration
      mountPath: /etc/polaris
      readOnly: true
    - name: tmp
      mountPath: /tmp
{{- end }}

{{/* Polaris itself. */}}
{{- define "floe-platform.polarisContainer" -}}
{{- $polaris := .Values.catalog.polaris }}
image: {{ include "floe-platform.image" (dict "root" . "repository" $polaris.image.repository "tag" $polaris.image.tag) }}
env:
  {{- include "floe-platform.postgresPassword" (dict "root" . "role" "catalog" "variable" "QUARKUS_DATASOURCE_PASSWORD") | nindent 2 }}
  {{- include "floe-platform.objectStorageKey" . | nindent 2 }}
  - name: AWS_REGION
    value: {{ .Values.objectStorage.region | quote }}
  # Read by the image's start script.
  - name: JAVA_MAX_MEM_RATIO
    value: "50"
ports:
  - name: http
    containerPort: 8181
  - name: management
    containerPort: 8182
# Ready means that its database answers. Alive asks only itself: a restart mends no database.
startupProbe:
  httpGet: {path: /q/health/ready, port: management}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 90
readinessProbe:
  httpGet: {path: /q/health/ready, port: management}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /q/health/live, port: management}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
volumeMounts:
  - name: configuration
    mountPath: /deployments/config
    readOnly: true
  - name: token
    mountPath: /etc/polaris/token
    readOnly: true
  - name: tmp
    mountPath: /tmp
{{- end }}

{{- define "floe-platform.polarisVolumes" -}}
- name: configuration
  configMap:
    name: floe-polaris
- name: token
  secret:
    secretName: {{ include "floe-platform.polarisTokenSecret" . }}
    items:
      - key: {{ .Values.catalog.polaris.tokenSecret.keyKey }}
        path: key
{{- end }}
