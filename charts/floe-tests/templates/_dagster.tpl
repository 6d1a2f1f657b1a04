{{/* Where Dagster keeps what it knows. */}}
{{- define "floe-tests.dagsterStorage" -}}
storage:
  postgres:
    postgres_db:
      hostname: {env: DAGSTER_PG_HOST}
      port: {{ include "floe-common.postgresPort" . }}
      db_name: {env: DAGSTER_PG_DB}
      username: {env: DAGSTER_PG_USER}
      password: {env: DAGSTER_PG_PASSWORD}
      # While Postgres' pod is replaced, a connection may be routed to the address of the old one,
      # where nobody answers. The system's own timeouts would hold up the run queue for minutes.
      params: {connect_timeout: 5, tcp_user_timeout: 15000, keepalives_idle: 15, keepalives_interval: 5}
{{- end }}

{{/*
The instance. Argument: a dict with `root` and `launches`: whether its process has an account of the
cluster. K8sRunLauncher looks for one when it is loaded, and the webserver, which launches and ends
nothing itself, has none.
*/}}
{{- define "floe-tests.dagsterYaml" -}}
{{- $launches := .launches }}
{{- with .root }}
{{- include "floe-tests.dagsterStorage" . }}
# A run is cancelled by what the database says of it: the webserver needs no account of the cluster.
instance_class:
  module: floe_tests.orchestration.cluster_instance
  class: ClusterInstance
{{- if $launches }}
run_launcher:
  module: dagster_k8s.launcher
  class: K8sRunLauncher
  config:
    {{- include "floe-tests.runPods" . | nindent 4 }}
{{- end }}
run_coordinator:
  module: floe_tests.orchestration.cluster_instance
  class: ClusterRunCoordinator
  config:
    dequeue_interval_seconds: {{ .Values.runs.dequeueIntervalSeconds }}
    # A code location whose pod was replaced a moment ago: its runs go back to the queue.
    max_user_code_failure_retries: 10
    user_code_failure_retry_delay: 3
concurrency:
  runs:
    max_concurrent_runs: {{ .Values.runs.maxConcurrent }}
    tag_concurrency_limits:
      # One run of each tier, so that a tier's history is a sequence; one on each cluster, so that
      # none measures what another one does.
      - {key: floe-tests/tier, value: {applyLimitPerUniqueValue: true}, limit: 1}
      - {key: floe-tests/cluster, value: {applyLimitPerUniqueValue: true}, limit: 1}
run_monitoring:
  enabled: true
  poll_interval_seconds: {{ .Values.runs.monitorIntervalSeconds }}
  start_timeout_seconds: {{ .Values.runs.startTimeoutSeconds }}
  cancel_timeout_seconds: {{ .Values.runs.cancelTimeoutSeconds }}
  cancellation_thread_poll_interval_seconds: {{ .Values.runs.cancelPollSeconds }}
  max_runtime_seconds: {{ int .Values.runs.maxRuntimeSeconds }}
  {{- if $launches }}
  max_resume_run_attempts: {{ .Values.runs.maxResumeAttempts }}
  {{- end }}
retention:
  schedule: {purge_after_days: 90}
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: 90}
# What runs print goes to the pod's log, where the cluster's log collection finds it.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: /tmp/dagster
telemetry: {enabled: false}
nux: {enabled: false}
{{- end }}
{{- end }}

{{/* The pods of runs, as K8sRunLauncher makes them. */}}
{{- define "floe-tests.runPods" -}}
{{- $role := dict "root" . "component" "run" "settings" .Values.runs "account" "floe-tests-run" "hasToken" true "usesState" true }}
job_namespace: {{ .Release.Namespace }}
job_image: {{ include "floe-common.ownImage" . }}
image_pull_policy: {{ .Values.image.pullPolicy }}
service_account_name: floe-tests-run
instance_config_map: floe-tests
dagster_home: /var/lib/floe-tests/home
env_config_maps: [floe-tests-environment]
labels:
  {{- include "floe-common.selectorLabels" $role | nindent 2 }}
  {{- include "floe-tests.stateLabel" . | nindent 2 }}
resources:
  {{- toYaml .Values.runs.resources | nindent 2 }}
security_context:
  {{- include "floe-common.containerSecurityContext" . | nindent 2 }}
volume_mounts:
  {{- include "floe-tests.volumeMounts" (dict "instance" "dagster.yaml") | nindent 2 }}
  {{- include "floe-tests.projectMounts" . | nindent 2 }}
volumes:
  {{- include "floe-tests.volumes" . | nindent 2 }}
  {{- include "floe-tests.projectVolumes" . | nindent 2 }}
# Whoever reaches the UI may give a run tags, and the tag dagster-k8s/config would choose the pod's
# image, account and Secrets. It may choose resources, and nothing else.
only_allow_user_defined_k8s_config_fields:
  container_config: {resources: true}
only_allow_user_defined_env_vars: []
run_k8s_config:
  container_config:
    env:
      {{- include "floe-tests.dagsterPassword" . | nindent 6 }}
      {{- include "floe-tests.historyPassword" . | nindent 6 }}
  pod_template_spec_metadata:
    annotations:
      cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
  pod_spec_config:
    {{- include "floe-tests.podSettings" $role | nindent 4 }}
    # Giving an environment back takes time.
    terminationGracePeriodSeconds: {{ .Values.runs.terminationGraceSeconds }}
  job_spec_config:
    ttl_seconds_after_finished: {{ int .Values.runs.keepSeconds }}
{{- end }}

{{/* Environment of webserver, daemon, code location and runs. */}}
{{- define "floe-tests.environment" -}}
DAGSTER_HOME: /var/lib/floe-tests/home
DAGSTER_PG_HOST: {{ include "floe-common.postgresHost" . | quote }}
DAGSTER_PG_PORT: {{ include "floe-common.postgresPort" . | quote }}
DAGSTER_PG_DB: {{ .Values.postgres.dagster.database | quote }}
DAGSTER_PG_USER: {{ .Values.postgres.dagster.username | quote }}
# Read by the driver, for every connection of the process.
PGSSLMODE: {{ .Values.postgres.sslMode }}
FLOE_TESTS_HISTORY: {{ include "floe-tests.historyAddress" . | quote }}
FLOE_TESTS_OUTPUT: /var/lib/floe-tests/output
FLOE_TESTS_OUTPUT_URL: {{ include "floe-tests.reportsUrl" . | quote }}
# The cluster around the pods, by their own account.
FLOE_TESTS_CLUSTER: context
FLOE_TESTS_DEFAULT_BRANCH: {{ .Values.project.defaultBranch | quote }}
IMAGE_REGISTRY_PREFIX: {{ .Values.global.imageRegistryPrefix | quote }}
{{- with .Values.project.ref }}
FLOE_TESTS_REF: {{ . | quote }}
{{- end }}
{{- with .Values.project.commit }}
FLOE_TESTS_COMMIT: {{ . | quote }}
{{- end }}
{{- if .Values.namespacePerRun.enabled }}
FLOE_TESTS_NAMESPACE_ROLE: {{ include "floe-tests.namespaceRole" . }}
{{- end }}
{{- end }}

{{/* Where a browser finds the website of the results. */}}
{{- define "floe-tests.reportsUrl" -}}
{{- if .Values.reports.url -}}
{{- .Values.reports.url -}}
{{- else if .Values.ingress.enabled -}}
{{- printf "https://%s/reports/" .Values.ingress.host -}}
{{- else -}}
http://localhost:3001/reports/
{{- end -}}
{{- end }}
