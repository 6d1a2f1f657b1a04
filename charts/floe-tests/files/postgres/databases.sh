#!/bin/sh
# Makes the roles and databases of floe-tests, and sets the roles' passwords. It may be run again:
# what is there stays, passwords become those of the environment.
#
# The chart's own Postgres runs it once, when its volume is new. After a password has changed:
#   kubectl exec postgres-0 -- /docker-entrypoint-initdb.d/10-databases.sh
# On a server outside, a superuser runs it from the chart's folder, with PGHOST, PGPASSWORD and
# POSTGRES_USER (the superuser) set, and the names and passwords below.
set -eu

: "${POSTGRES_USER:?}"
: "${DAGSTER_DATABASE:=dagster}" "${DAGSTER_USER:=dagster}" "${DAGSTER_PASSWORD:?}"
: "${HISTORY_DATABASE:=history}" "${HISTORY_USER:=history}" "${HISTORY_PASSWORD:?}"
export DAGSTER_DATABASE DAGSTER_USER HISTORY_DATABASE HISTORY_USER

# Passwords go from the environment into the session, never into arguments. Neither psql (terse) nor
# the server's log (the settings below) repeats a statement that fails.
run() {
  psql --no-psqlrc --quiet --no-align --tuples-only --username "$POSTGRES_USER" --dbname "$1" \
    --set ON_ERROR_STOP=1 --set VERBOSITY=terse --file -
}

# A role that may log in and nothing else.
role() {
  export NAME="$1" PASSWORD="$2"
  run postgres <<'SQL'
SELECT rolsuper AS is_superuser, current_setting('log_statement') <> 'none' AS is_logged
  FROM pg_roles WHERE rolname = current_user \gset
\if :is_superuser
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\elif :is_logged
\warn the server logs statements (log_statement), and who is no superuser cannot spare it the passwords
\endif
\getenv name NAME
\getenv password PASSWORD
SELECT format('CREATE ROLE %I', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SQL
  unset PASSWORD
}

# A database that its owner alone may connect to.
database() {
  export NAME="$1" OWNER="$2"
  run postgres <<'SQL'
\getenv name NAME
\getenv owner OWNER
-- Who is no superuser, as on managed servers, can only give to a role what it is a member of.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
  WHERE NOT pg_has_role(:'owner', 'MEMBER') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

if [ -n "${POSTGRES_PASSWORD:-}" ]; then role "$POSTGRES_USER" "$POSTGRES_PASSWORD"; fi
role "$DAGSTER_USER" "$DAGSTER_PASSWORD"
role "$HISTORY_USER" "$HISTORY_PASSWORD"
database "$DAGSTER_DATABASE" "$DAGSTER_USER"
database "$HISTORY_DATABASE" "$HISTORY_USER"

echo "roles and databases are there: $DAGSTER_DATABASE, $HISTORY_DATABASE"
