#!/bin/sh
# Makes Polaris' realm with root's credentials, once. The admin tool has no way to ask whether the realm
# is there, and one exit code for all failures: its own words are all there is to tell them apart.
set -eu
: "${REALM:?}" "${ROOT_CLIENT_ID:?}" "${ROOT_CLIENT_SECRET:?}"
: "${TMPDIR:=/tmp}"

# Credentials go in a file that nobody else can read, never into arguments.
umask 077
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
cat >"$TMPDIR/credentials.yaml" <<END
$(quoted "$REALM"):
  client-id: $(quoted "$ROOT_CLIENT_ID")
  client-secret: $(quoted "$ROOT_CLIENT_SECRET")
END

status=0
java -XX:MaxRAMPercentage=50 -jar /deployments/polaris-admin-tool.jar bootstrap \
  --credentials-file "$TMPDIR/credentials.yaml" >"$TMPDIR/bootstrap.log" 2>&1 || status=$?
rm "$TMPDIR/credentials.yaml"

if [ "$status" -eq 0 ]; then
  echo "realm $REALM is made"
elif grep -q 'already been bootstrapped' "$TMPDIR/bootstrap.log"; then
  echo "realm $REALM was there"
else
  cat "$TMPDIR/bootstrap.log" >&2
  echo "realm $REALM could not be made: Polaris' admin tool ended with exit code $status" >&2
  exit "$status"
fi
