#!/usr/bin/env bash
# Makes the database at the first start, then becomes the command. Does what users of upstream's image rely on:
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS (each also as a file, with _FILE), PGDATA, and
# the *.sql, *.sql.gz and *.sh of /docker-entrypoint-initdb.d.
# A start that was killed half-way begins again: the database is made beside its place and moved there when finished.
set -Eeo pipefail # scripts are sourced: none of the stricter settings upstream's image does without

UNFINISHED=$PGDATA/.unfinished
FINISHED=$PGDATA/.finished

fail() {
  echo "docker-entrypoint.sh: $*" >&2
  exit 1
}

# setting NAME DEFAULT: exports NAME, from the file that NAME_FILE names where that is set.
setting() {
  local file=$1_FILE value=${!1:-$2}
  if [[ -n ${!file:-} ]]; then
    [[ -z ${!1:-} ]] || fail "both $1 and $file are set"
    value=$(<"${!file}")
  fi
  export "$1=$value"
  unset "$file"
}

# Root owns nothing of a database: it hands the data's folder over and starts again as postgres.
step_down() {
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres: "$PGDATA" /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
}

# What a *.sh that is sourced may use, as with upstream's image.
docker_process_sql() {
  psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" ${POSTGRES_DB:+--dbname "$POSTGRES_DB"} "$@"
}

run_scripts() {
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *'/*') ;; # there are none
      *.sh)
        echo "docker-entrypoint.sh: running $script"
        # shellcheck disable=SC1090  # whatever the user put there
        if [[ -x $script ]]; then "$script"; else . "$script"; fi
        ;;
      *.sql)
        echo "docker-entrypoint.sh: running $script"
        docker_process_sql --file "$script"
        ;;
      *.sql.gz)
        echo "docker-entrypoint.sh: running $script"
        gunzip --stdout "$script" | docker_process_sql
        ;;
      *) echo "docker-entrypoint.sh: ignoring $script" ;;
    esac
  done
}

# PGDATA is local to this function: scripts find the database where it is being made.
create() {
  local arguments
  local -x PGDATA=$UNFINISHED
  setting POSTGRES_PASSWORD ''
  [[ -n $POSTGRES_PASSWORD ]] || fail "the first start needs POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS ''
  read -ra arguments <<<"$POSTGRES_INITDB_ARGS"

  # The password comes through a pipe: it is never in a file, nor among the arguments of a process.
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=scram-sha-256 "${arguments[@]}"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"

  # On the socket alone: nobody meets a database that is not finished.
  pg_ctl --wait -o "-c listen_addresses=''" start
  if [[ $POSTGRES_DB != postgres ]]; then createdb --username "$POSTGRES_USER" "$POSTGRES_DB"; fi
  run_scripts
  pg_ctl --wait --mode fast stop
  rm -f "$PGDATA/postmaster.opts"
}

# PG_VERSION last: with it in its place everything else is.
move_into_place() {
  find "$FINISHED" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
  mv "$FINISHED/PG_VERSION" "$PGDATA/"
  rmdir "$FINISHED"
}

ensure_database() {
  local found
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA" 2>/dev/null || true # a volume's own folder may belong to somebody else
  if [[ -s $PGDATA/PG_VERSION ]]; then return; fi
  if [[ ! -d $FINISHED ]]; then
    rm -rf "$UNFINISHED"
    found=$(find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit)
    [[ -z $found ]] || fail "$PGDATA has no database in it, but $found: give it an empty folder"
    create
    mv "$UNFINISHED" "$FINISHED"
  fi
  move_into_place
}

if (($# == 0)) || [[ $1 == -* ]]; then set -- postgres "$@"; fi
if [[ $1 == postgres ]]; then
  if (($(id -u) == 0)); then step_down "$@"; fi
  ensure_database
fi
exec "$@"
