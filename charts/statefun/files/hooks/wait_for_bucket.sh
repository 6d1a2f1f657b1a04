#!/usr/bin/env bash
# wait_for_bucket.sh HOST PORT BUCKET SECONDS: ends when the bucket is there. Bash alone: Flink's image has no other
# client of HTTP.
set -uo pipefail

host=$1 port=$2 bucket=$3 deadline=$((SECONDS + $4))

# The first line of the answer; nothing without one.
answer() (
  exec 3<>"/dev/tcp/$host/$port" || exit
  printf 'HEAD /%s HTTP/1.0\r\nHost: %s\r\n\r\n' "$bucket" "$host" >&3
  IFS= read -r -t 10 line <&3
  echo "${line%$'\r'}"
) 2>/dev/null

last=
while true; do
  seen=$(answer)
  if [[ $seen == *' 200 '* ]]; then
    echo "bucket $bucket is there"
    exit
  fi
  if [[ ${seen:=no answer} != "$last" ]]; then echo "bucket $bucket: $seen"; fi
  last=$seen
  if ((SECONDS >= deadline)); then
    echo "wait_for_bucket.sh: bucket $bucket is not at $host:$port after $4 s; last answer: $last." \
      "The Job statefun-setup makes it; when LocalStack's pod was replaced, install the release again." >&2
    exit 1
  fi
  sleep 1
done
