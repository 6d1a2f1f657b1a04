#!/usr/bin/env bash
# Runs the command that the operator gives a pod of its native mode, never as root.
if (($(id -u) == 0)); then exec setpriv --reuid=flink --regid=flink --init-groups "$@"; fi
exec "$@"
