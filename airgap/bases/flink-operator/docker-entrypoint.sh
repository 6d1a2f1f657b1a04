#!/usr/bin/env bash
# operator, or any other command. LOG_CONFIG and JVM_ARGS are options of Java, as words.
set -euo pipefail

case ${1:-help} in
  help) echo 'usage: docker-entrypoint.sh operator | COMMAND [ARGUMENT...]' ;;
  operator)
    read -ra options <<<"${LOG_CONFIG:-} ${JVM_ARGS:-}"
    exec java "${options[@]}" -cp "/flink-kubernetes-operator/libs/*:$OPERATOR_LIB/*" \
      org.apache.flink.kubernetes.operator.FlinkOperator
    ;;
  webhook)
    echo 'docker-entrypoint.sh: this image has no webhook; install the operator with webhook.create=false' >&2
    exit 2
    ;;
  *) exec "$@" ;;
esac
