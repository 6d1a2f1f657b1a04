#!/bin/sh
# Puts the dumps in $WORK in the place of what both databases hold: each of them whole, or not at all.
# It refuses while anybody is connected: a run that goes on writing would mix two histories.
set -eu
: "${WORK:?}" "${NAMESPACE:?}" "${DAGSTER_DATABASE:?}" "${DAGSTER_USER:?}" "${HISTORY_DATABASE:?}" "${HISTORY_USER:?}"

restore() {
  name=$1 user=$2 database=$3
  export PGPASSWORD=$4
  others=$(
    psql --no-psqlrc --no-align --tuples-only --no-password --username "$user" --dbname "$database" --command "
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
  )
  if [ "$others" != 0 ]; then
    echo "$others sessions are in database $database. Stop them first: kubectl --namespace $NAMESPACE scale" \
      "deployment dagster-daemon dagster-webserver dagster-code --replicas 0, and wait for runs to end" >&2
    exit 1
  fi
  # What the dump does not know goes too: tables of a newer version would not fit to what it has.
  psql --no-psqlrc --quiet --no-password --username "$user" --dbname "$database" --set ON_ERROR_STOP=1 <<'SQL'
DO $$
DECLARE found record;
BEGIN
  FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user LOOP
    EXECUTE format('DROP TABLE public.%I CASCADE', found.tablename);
  END LOOP;
  FOR found IN SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'public' AND t.typtype = 'e' AND pg_get_userbyid(t.typowner) = current_user LOOP
    EXECUTE format('DROP TYPE public.%I CASCADE', found.typname);
  END LOOP;
END $$;
SQL
  pg_restore --no-password --username "$user" --dbname "$database" --no-owner --no-acl \
    --single-transaction --exit-on-error "$WORK/$name.dump"
  echo "restored: database $database"
}

(cd "$WORK" && sha256sum --check --quiet SHA256SUMS)
restore history "$HISTORY_USER" "$HISTORY_DATABASE" "$HISTORY_PASSWORD"
restore dagster "$DAGSTER_USER" "$DAGSTER_DATABASE" "$DAGSTER_PASSWORD"
