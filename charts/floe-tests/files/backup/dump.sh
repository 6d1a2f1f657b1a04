#!/bin/sh
# Dumps both databases into $WORK, and reads each dump again: one that cannot be read is no backup.
# Addresses and logins come from the environment; a password never stands in an argument.
set -eu
: "${WORK:?}" "${DAGSTER_DATABASE:?}" "${DAGSTER_USER:?}" "${HISTORY_DATABASE:?}" "${HISTORY_USER:?}"

dump() {
  name=$1 user=$2 database=$3
  PGPASSWORD=$4 pg_dump --username "$user" --dbname "$database" --no-password --format custom \
    --file "$WORK/$name.dump"
  pg_restore --list "$WORK/$name.dump" >/dev/null
}

dump dagster "$DAGSTER_USER" "$DAGSTER_DATABASE" "$DAGSTER_PASSWORD"
dump history "$HISTORY_USER" "$HISTORY_DATABASE" "$HISTORY_PASSWORD"
(cd "$WORK" && sha256sum dagster.dump history.dump >SHA256SUMS)
echo "dumped: $(cd "$WORK" && du -k dagster.dump history.dump | tr '\n' ' ')(KiB)"
