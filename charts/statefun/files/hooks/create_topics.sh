#!/usr/bin/env bash
# create_topics.sh BROKER SECONDS PARTITIONS TOPIC...: makes the topics that are not there yet, once the broker answers.
set -euo pipefail

broker=$1 deadline=$((SECONDS + $2)) partitions=$3
shift 3
# Each call is a Java of its own, which is not worth optimising.
export KAFKA_HEAP_OPTS=-Xmx128m KAFKA_JVM_PERFORMANCE_OPTS='-XX:+UseSerialGC -XX:TieredStopAtLevel=1'

topics() { /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$broker" "$@"; }

# Asking the port is quicker than a Java that waits in vain.
until (exec 3<>"/dev/tcp/${broker%:*}/${broker#*:}") 2>/dev/null; do
  if ((SECONDS >= deadline)); then
    echo "create_topics.sh: nothing listens on $broker" >&2
    exit 1
  fi
  sleep 0.5
done
until found=$(topics --list); do
  if ((SECONDS >= deadline)); then
    echo "create_topics.sh: $broker does not list its topics; see above" >&2
    exit 1
  fi
  sleep 1
done
for topic; do
  if grep --quiet --line-regexp --fixed-strings -- "$topic" <<<"$found"; then
    echo "topic $topic is there"
  else
    topics --create --if-not-exists --topic "$topic" --partitions "$partitions" --replication-factor 1
  fi
done
