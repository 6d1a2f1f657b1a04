"""The daily totals in Postgres, where Cube reads them.

Loads take turns by an advisory lock, and each reads gold when it has the lock: so a later load
never brings older totals. Readers wait for nobody, and see the totals from before or after a load.
The tables stay the same ones, because others hold grants on them.
"""

import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from floe_platform.lakehouse.errors import ServingError
from floe_platform.lakehouse.pipeline import DailyTotal, GoldTotals

if TYPE_CHECKING:
    import psycopg2.extensions

    from floe_platform.lakehouse.settings import ServingSettings

DEADLINE_SECONDS = 45.0
_LOCK_SECONDS = 60
_PAUSE_SECONDS = 1.0
# Any number, as long as every load takes the same.
_LOCK = 4_602_678_819
_PREPARE = """
CREATE SCHEMA IF NOT EXISTS gold;
CREATE TABLE IF NOT EXISTS gold.daily_totals (
    day date PRIMARY KEY,
    orders bigint NOT NULL,
    revenue_cents bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS gold.loads (
    table_name text PRIMARY KEY,
    snapshot_id bigint,
    loaded_at timestamptz NOT NULL
);
"""
_REMEMBER = """
INSERT INTO gold.loads (table_name, snapshot_id, loaded_at) VALUES ('daily_totals', %s, %s)
ON CONFLICT (table_name) DO UPDATE
SET snapshot_id = excluded.snapshot_id, loaded_at = excluded.loaded_at
"""
_RESTARTS = ("starting up", "shutting down", "terminating connection")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Served:
    """What the serving database holds.

    Attributes:
        snapshot_id: The snapshot of gold it was loaded from; None when nothing was loaded yet, or
            when gold had none.
        loaded_at: When; None when nothing was loaded yet.
        days: The totals, by day.
    """

    snapshot_id: int | None
    loaded_at: dt.datetime | None
    days: tuple[DailyTotal, ...]


def load(
    settings: "ServingSettings",
    read_gold: Callable[[], GoldTotals],
    *,
    log: logging.Logger,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Served:
    """Replace the daily totals, in one transaction.

    Args:
        settings: Where.
        read_gold: Reads the newest totals; called when no other load can come between.
        log: Where repeated attempts are reported.
        deadline_seconds: How long Postgres may fail to answer.

    Returns:
        What it holds now.

    Raises:
        ServingError: Postgres did not answer within the deadline, or refused.
    """

    def once() -> Served:
        with _connection(settings) as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = %s", (f"{_LOCK_SECONDS}s",))
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor.execute("SELECT to_regclass('gold.daily_totals'), to_regclass('gold.loads')")
            if None in _one(cursor):
                cursor.execute(_PREPARE)
            gold = read_gold()
            # Not now(): the transaction began before it waited for the lock.
            cursor.execute("SELECT clock_timestamp()")
            (loaded_at,) = _one(cursor)
            cursor.execute("DELETE FROM gold.daily_totals")
            cursor.executemany(
                "INSERT INTO gold.daily_totals (day, orders, revenue_cents, loaded_at) "
                "VALUES (%s, %s, %s, %s)",
                [(day.day, day.orders, day.revenue_cents, loaded_at) for day in gold.days],
            )
            cursor.execute(_REMEMBER, (gold.snapshot_id, loaded_at))
        return Served(gold.snapshot_id, loaded_at, gold.days)

    return _ask(settings, once, log=log, deadline_seconds=deadline_seconds)


def read(
    settings: "ServingSettings",
    *,
    log: logging.Logger,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Served:
    """Read what the serving database holds, as of one moment.

    Args:
        settings: Where.
        log: Where repeated attempts are reported.
        deadline_seconds: How long Postgres may fail to answer.

    Returns:
        What it holds.

    Raises:
        ServingError: Postgres did not answer within the deadline, or refused.
    """

    def once() -> Served:
        with _connection(settings) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SELECT to_regclass('gold.daily_totals'), to_regclass('gold.loads')")
            if None in _one(cursor):
                return Served(None, None, ())
            cursor.execute("SELECT day, orders, revenue_cents FROM gold.daily_totals ORDER BY day")
            days = tuple(DailyTotal(*row) for row in cursor.fetchall())
            cursor.execute(
                "SELECT snapshot_id, loaded_at FROM gold.loads WHERE table_name = 'daily_totals'"
            )
            snapshot_id, loaded_at = next(iter(cursor.fetchall()), (None, None))
        return Served(snapshot_id, loaded_at, days)

    return _ask(settings, once, log=log, deadline_seconds=deadline_seconds)


@contextlib.contextmanager
def _connection(settings: "ServingSettings") -> "Iterator[psycopg2.extensions.connection]":
    # Imported here: the code server loads the definitions without ever opening a connection.
    import psycopg2

    with (
        contextlib.closing(
            psycopg2.connect(
                host=settings.host,
                port=settings.port,
                dbname=settings.database,
                user=settings.user,
                password=settings.password,
                connect_timeout=5,
                options="-c statement_timeout=90s",
                application_name="floe-lakehouse",
            )
        ) as connection,
        connection,  # commits, or rolls back when the body raises
    ):
        yield connection


def _ask(
    settings: "ServingSettings",
    request: "Callable[[], _Result]",
    *,
    log: logging.Logger,
    deadline_seconds: float,
) -> "_Result":
    import psycopg2

    where = f"{settings.database} on {settings.host}:{settings.port}"
    deadline = time.monotonic() + deadline_seconds
    while True:
        try:
            return request()
        except psycopg2.Error as error:
            reason = str(error).strip()
            if not _passes(error) or time.monotonic() + _PAUSE_SECONDS >= deadline:
                message = (
                    f"the serving database {where}, as {settings.user}: {reason}. "
                    "Look at the pod `postgres` and at the Secret floe-postgres-serving."
                )
                raise ServingError(message) from error
            log.warning("%s: %s; asking again in %.1f s", where, reason, _PAUSE_SECONDS)
        time.sleep(_PAUSE_SECONDS)


def _passes(error: Exception) -> bool:
    """Say whether the same request may succeed later: nobody answers, or Postgres restarts."""
    import psycopg2
    from psycopg2 import errorcodes

    if not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return False
    code = getattr(error, "pgcode", None)
    if code is not None:
        return code in {
            errorcodes.ADMIN_SHUTDOWN,
            errorcodes.CRASH_SHUTDOWN,
            errorcodes.CANNOT_CONNECT_NOW,
        }
    # An error while connecting has no code. FATAL is Postgres' own answer: a wrong password, say.
    text = str(error)
    return "FATAL" not in text or any(words in text for words in _RESTARTS)


def _one(cursor: "psycopg2.extensions.cursor") -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        message = "Postgres answered a question for one row with none"
        raise ServingError(message)
    return row
