#!/bin/sh
# Postgres is started when it listens and has its databases. It accepts connections all the same when
# the script that makes them has failed, and everybody else would only see "password authentication failed".
set -eu
pg_isready --quiet --host 127.0.0.1 --dbname "$DAGSTER_DATABASE" --username "$DAGSTER_USER"
missing=$(
  psql --no-psqlrc --no-align --tuples-only --username "$POSTGRES_USER" --dbname postgres --command "
    SELECT string_agg(wanted, ', ')
    FROM unnest(string_to_array('$DAGSTER_DATABASE,$HISTORY_DATABASE', ',')) AS wanted
    WHERE wanted NOT IN (SELECT datname FROM pg_database)"
)
if [ -n "$missing" ]; then
  echo "no database $missing: run /docker-entrypoint-initdb.d/10-databases.sh in this container" >&2
  exit 1
fi
