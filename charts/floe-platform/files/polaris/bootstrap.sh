#!/bin/sh
# Makes Polaris' realm with root's credentials, once. One Job of the chart runs it; two at once would
# leave a realm that is half made. The admin tool has one exit code for all failures: its own words are
# all there is to tell them apart.
set -eu
: "${REALM:?}" "${ROOT_CLIENT_ID:?}" "${ROOT_CLIENT_SECRET:?}"
: "${TMPDIR:=/tmp}" "${TOOL_SECONDS:=180}"

# What floe_platform.polaris_realm has found in the database. It spares the start of a Java.
if [ "$(cat "$TMPDIR/realm" 2>/dev/null || true)" = made ]; then
  echo "realm $REALM was there"
  exit 0
fi

# Credentials go in a file that nobody else can read, never into arguments.
umask 077
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
cat >"$TMPDIR/credentials.yaml" <<END
$(quoted "$REALM"):
  client-id: $(quoted "$ROOT_CLIENT_ID")
  client-secret: $(quoted "$ROOT_CLIENT_SECRET")
END
trap 'rm -f "$TMPDIR/credentials.yaml"' EXIT

# Where root's client id is in the database without root, the tool does not end by itself.
limit=''
if command -v timeout >/dev/null; then limit="timeout -k 10 $TOOL_SECONDS"; fi
status=0
# shellcheck disable=SC2086 # words of a command, or none
$limit java -XX:MaxRAMPercentage=50 -jar /deployments/polaris-admin-tool.jar bootstrap \
  --credentials-file "$TMPDIR/credentials.yaml" >"$TMPDIR/bootstrap.log" 2>&1 || status=$?

if [ "$status" -eq 0 ]; then
  echo "realm $REALM is made"
elif grep -q 'already been bootstrapped' "$TMPDIR/bootstrap.log"; then
  echo "realm $REALM was there"
elif [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
  cat "$TMPDIR/bootstrap.log" >&2
  echo "realm $REALM could not be made: Polaris' admin tool was ended after $TOOL_SECONDS s." \
    "Either the database is that slow, or the realm is half made: root's client id is in the database" \
    "without root, which the tool waits for without end. Purge the realm then: the next try says how." >&2
  exit "$status"
else
  cat "$TMPDIR/bootstrap.log" >&2
  echo "realm $REALM could not be made: Polaris' admin tool ended with exit code $status" >&2
  exit "$status"
fi
