{{/* Flink's options. YAML, for fromYaml. */}}
{{- define "statefun.flinkConfiguration" -}}
{{- $flink := .Values.flink }}
{{- $storage := include "statefun.storage" . }}
statefun.flink-job-name: statefun
statefun.remote.module-name: file:///opt/floe/module/module.yaml
# StateFun's jar is in lib/. What it hands to user code must be the same classes there.
classloader.parent-first-patterns.additional: org.apache.flink.statefun;org.apache.kafka;com.google.protobuf
taskmanager.numberOfTaskSlots: "{{ $flink.taskManager.slots }}"
kubernetes.jobmanager.cpu.limit-factor: "{{ $flink.cpuLimitFactor }}"
kubernetes.taskmanager.cpu.limit-factor: "{{ $flink.cpuLimitFactor }}"
state.backend: rocksdb
state.backend.incremental: "true"
state.checkpoints.dir: {{ $storage }}/checkpoints
state.savepoints.dir: {{ $storage }}/savepoints
execution.checkpointing.interval: {{ $flink.checkpointSeconds }}s
execution.checkpointing.mode: EXACTLY_ONCE
# A checkpoint that hangs, while Kafka or a function is away, must not hold up the next for minutes.
execution.checkpointing.timeout: 60s
execution.checkpointing.tolerable-failed-checkpoints: "10"
restart-strategy: fixed-delay
restart-strategy.fixed-delay.attempts: "2147483647"
restart-strategy.fixed-delay.delay: 2s
high-availability: kubernetes
high-availability.storageDir: {{ $storage }}/ha
high-availability.kubernetes.leader-election.lease-duration: {{ $flink.leaderElection.leaseSeconds }}s
high-availability.kubernetes.leader-election.renew-deadline: {{ $flink.leaderElection.renewSeconds }}s
high-availability.kubernetes.leader-election.retry-period: {{ $flink.leaderElection.retrySeconds }}s
# A pod that is gone answers no heartbeat; the default of 50 s is most of a recovery. Milliseconds.
heartbeat.interval: "3000"
heartbeat.timeout: "15000"
# The key comes out of the environment.
s3.endpoint: http://localstack:4566
s3.path.style.access: "true"
web.submit.enable: "false"
{{- if .Values.kinesis.enabled }}
# Kinesis' clients know LocalStack's certificate and its protocol only with these, under the names of
# the ingress' client and of the one that Flink's connector shades.
env.java.opts: >-
  {{- range $client := list "com.amazonaws" "org.apache.flink.kinesis.shaded.com.amazonaws" }}
  -D{{ $client }}.sdk.disableCertChecking=true -D{{ $client }}.sdk.disableCbor=true
  {{- end }}
{{- end }}
{{- end }}
