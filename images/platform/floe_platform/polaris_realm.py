"""Says whether Polaris' realm is in its database: whole, not at all, or half made.

Polaris' admin tool makes a realm in several steps, each of them committed by itself, and cannot be
asked how far it came. Two of them at once, or one that is ended in the middle, leave a realm with
root's credentials and without root: from then on the tool looks for free credentials for ever, and
its `purge` refuses a realm without root. So one Job of the chart makes the realm, and looks here
first; the catalog's pods wait here until it is made. Address and login are libpq's own variables.

Source: bootstrapPolarisService and createPrincipal in AtomicOperationMetaStoreManager, purgeRealms
in JdbcMetaStoreManagerFactory, and postgres/schema-v3.sql of Apache Polaris 1.2.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Whether each step of a bootstrap is there, in its order. The last one is what root's role may do.
_QUERY = """
WITH
  root AS (
    SELECT id FROM polaris_schema.entities
    WHERE realm_id = %(realm)s AND catalog_id = 0 AND parent_id = 0
      AND type_code = 2 AND name = 'root'
  ),
  admin AS (
    SELECT id FROM polaris_schema.entities
    WHERE realm_id = %(realm)s AND catalog_id = 0 AND parent_id = 0
      AND type_code = 3 AND name = 'service_admin'
  ),
  credentials AS (
    SELECT principal_id FROM polaris_schema.principal_authentication_data
    WHERE realm_id = %(realm)s
  )
SELECT
  EXISTS (SELECT FROM credentials),
  EXISTS (SELECT FROM root),
  EXISTS (SELECT FROM credentials, root WHERE principal_id = root.id),
  EXISTS (SELECT FROM admin),
  EXISTS (
    SELECT FROM polaris_schema.grant_records, admin
    WHERE realm_id = %(realm)s AND grantee_id = admin.id
  ),
  (
    SELECT count(*) FROM polaris_schema.entities WHERE realm_id = %(realm)s AND type_code = 4
  )
"""
# What `purge` deletes.
_TABLES = ("entities", "grant_records", "principal_authentication_data", "policy_mapping_record")
_SELECTOR = "app.kubernetes.io/component=catalog-realm"
_CONNECT_TIMEOUT_SECONDS = 5
_STATEMENT_MILLISECONDS = 15_000
_PAUSE_SECONDS = 1.0
# A bootstrap takes less than a second from its first step to its last one.
_HALF_MADE_SECONDS = 30.0


@dataclass(frozen=True)
class Realm:
    """A realm, as its database has it.

    Attributes:
        missing: What of root is not there where something of the realm is.
        is_absent: Whether nothing of it is there.
        catalogs: How many catalogs it has.
    """

    missing: tuple[str, ...] = ()
    is_absent: bool = False
    catalogs: int = 0

    @property
    def is_made(self) -> bool:
        """Whether Polaris can serve it."""
        return not self.missing and not self.is_absent

    def __str__(self) -> str:
        """Say it in words."""
        if self.is_absent:
            return "is not made"
        if self.missing:
            return f"is half made: without {', '.join(self.missing)}"
        return "is made"


class UnusableError(Exception):
    """The realm is not there to be used; the message says what to do."""


def look(realm: str) -> Realm:
    """Look for a realm in the database that libpq's variables name.

    Args:
        realm: Its name.

    Raises:
        psycopg2.Error: The database cannot be asked.
    """
    import psycopg2

    with contextlib.closing(
        psycopg2.connect(
            "",
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            options=f"-c statement_timeout={_STATEMENT_MILLISECONDS}",
        )
    ) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_QUERY, {"realm": realm})
                (row,) = cursor.fetchall()
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return Realm(is_absent=True)
    any_credentials, root, credentials, role, rights, catalogs = row
    if not any_credentials and not root:
        return Realm(is_absent=True)
    steps = {
        "root": root,
        "root's credentials": credentials or not root,
        "root's role": role,
        "its rights": rights,
    }
    return Realm(
        missing=tuple(name for name, is_there in steps.items() if not is_there), catalogs=catalogs
    )


def wait_until(
    is_enough: Callable[[Realm], bool],
    see: Callable[[], Realm],
    *,
    deadline_seconds: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Realm:
    """Look at a realm until it is as somebody needs it.

    Args:
        is_enough: Whether it is.
        see: Looks once.
        deadline_seconds: How long to look.
        report: Is told each new state once.
        clock: Monotonic time, in seconds.
        sleep: The pause between two looks.

    Returns:
        The realm as it was seen last: as it is needed, half made for longer than a bootstrap takes,
        or what it was at the deadline.

    Raises:
        UnusableError: The database could not be asked until the deadline.
    """
    import psycopg2

    started = half_since = clock()
    said = ""
    while True:
        try:
            realm, words = see(), ""
        except psycopg2.Error as error:
            realm, words = None, " ".join(str(error).split())
        now = clock()
        if realm is None or not realm.missing:
            half_since = now
        if realm is not None and (is_enough(realm) or now - half_since >= _HALF_MADE_SECONDS):
            return realm
        words = words or f"the realm {realm}"
        if now - started >= deadline_seconds:
            if realm is not None:
                return realm
            message = f"the database cannot be asked, for {deadline_seconds:g} s: {words}"
            raise UnusableError(message)
        if words != said:
            report(f"waiting: {words}")
        said = words
        sleep(_PAUSE_SECONDS)


def remedy(name: str, realm: Realm, *, namespace: str) -> str:
    """Say what to do about a realm that is not made.

    Args:
        name: Of the realm.
        realm: What there is of it.
        namespace: That of the release.
    """
    if realm.is_absent:
        return (
            f"realm {name} {realm}. The Job floe-catalog-realm of the release's revision makes it: "
            f"`kubectl --namespace {namespace} logs --selector {_SELECTOR} --all-containers` says "
            f"how far it came, and `helm upgrade` runs it again."
        )
    lost = f"It has {realm.catalogs} catalogs, which are lost then. " if realm.catalogs else ""
    quoted = name.replace("'", "''")
    statements = " ".join(
        f"DELETE FROM polaris_schema.{table} WHERE realm_id = '{quoted}';"  # noqa: S608 - shown
        for table in _TABLES
    )
    return (
        f"realm {name} {realm}. Its bootstrap was ended in the middle, and Polaris' admin tool "
        f"cannot go on with it. Purge the realm, then run `helm upgrade`, which makes it again. "
        f"{lost}The tool's own `purge` refuses a realm without root, so do in the catalog's "
        f"database what it does, as the database's owner (psql --single-transaction): {statements}"
    )


def main() -> int:
    """Run the command line; exit code 0 means that the realm is as it is needed."""
    parser = argparse.ArgumentParser(prog="python -m floe_platform.polaris_realm")
    parser.add_argument("need", choices=["whole-or-absent", "whole"])
    parser.add_argument("--realm", required=True)
    parser.add_argument("--namespace", required=True, help="that of the release, for messages")
    parser.add_argument("--deadline-seconds", type=float, required=True)
    parser.add_argument("--result", type=Path, help="a file for `made` or `absent`")
    arguments = parser.parse_args()
    absent_too = arguments.need == "whole-or-absent"
    try:
        realm = wait_until(
            lambda seen: seen.is_made or (absent_too and seen.is_absent),
            lambda: look(arguments.realm),
            deadline_seconds=arguments.deadline_seconds,
            report=_print_line,
        )
    except UnusableError as error:
        return _fail(f"realm {arguments.realm}: {error}")
    if not realm.is_made and not (absent_too and realm.is_absent):
        return _fail(remedy(arguments.realm, realm, namespace=arguments.namespace))
    if arguments.result:
        arguments.result.write_text("absent\n" if realm.is_absent else "made\n")
    _print_line(f"realm {arguments.realm} {realm}")
    return 0


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - a program
    return 1


if __name__ == "__main__":
    sys.exit(main())
