{{/*
An init container that looks at the realm in the database. Argument: a dict with `root`, `name`,
`need` (whole; whole-or-absent), `seconds` (how long to wait for it) and `result` (a file, or empty).
*/}}
{{- define "floe-platform.polarisRealmLook" -}}
{{- $root := .root }}
- name: {{ .name }}
  image: {{ include "floe-common.ownImage" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command:
    - python
    - -m
    - floe_platform.polaris_realm
    - {{ .need }}
    - {{ printf "--realm=%s" $root.Values.catalog.polaris.realm | quote }}
    - {{ printf "--namespace=%s" $root.Release.Namespace | quote }}
    - --deadline-seconds={{ .seconds }}
    {{- with .result }}
    - --result={{ . }}
    {{- end }}
  env:
    {{- include "floe-platform.postgresClient" (dict "root" $root "role" "catalog") | nindent 4 }}
  securityContext:
    {{- include "floe-common.containerSecurityContext" $root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: 500m, memory: 128Mi}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- if .result }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
  {{- end }}
{{- end }}

{{/* Polaris itself. */}}
{{- define "floe-platform.polarisContainer" -}}
{{- $polaris := .Values.catalog.polaris }}
image: {{ include "floe-common.image" (dict "root" . "image" $polaris.image) }}
env:
  {{- include "floe-common.postgresPassword" (dict "root" . "role" "catalog" "variable" "QUARKUS_DATASOURCE_PASSWORD") | nindent 2 }}
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
