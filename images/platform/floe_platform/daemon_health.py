"""Is the daemon in this container started, and is it alive: what its probes ask.

`dagster-daemon liveness-check` answers too, but importing Dagster costs one to three seconds of CPU
each time, too much for a probe that runs every second while the daemon starts. The daemon writes
its heartbeats into the table `daemon_heartbeats`; this reads them with the database's driver alone,
in some 50 ms.
"""

import argparse
import contextlib
import datetime as dt
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# Without these nothing is scheduled and no run leaves the queue.
REQUIRED_DAEMONS = ("QUEUED_RUN_COORDINATOR", "SCHEDULER", "SENSOR")
_QUERY = "SELECT daemon_type, timestamp FROM daemon_heartbeats"


class UnreadableHistoryError(Exception):
    """The heartbeats could not be read, which says nothing about the daemon itself."""


def problems_at_start(heartbeats: Mapping[str, float], *, started_at: float) -> tuple[str, ...]:
    """Say what keeps a daemon from being started.

    Args:
        heartbeats: Last heartbeat by daemon type, in seconds since 1970.
        started_at: Start of the daemon's process; older heartbeats are its predecessor's.

    Returns:
        One sentence a missing heartbeat; empty when the daemon works.
    """
    return tuple(
        f"{name} has sent no heartbeat since this process started"
        for name in REQUIRED_DAEMONS
        if heartbeats.get(name, 0.0) < started_at
    )


def problems_in_life(
    heartbeats: Mapping[str, float], *, started_at: float, now: float, tolerance_seconds: float
) -> tuple[str, ...]:
    """Say what is wrong with a daemon that has been started.

    Args:
        heartbeats: Last heartbeat by daemon type, in seconds since 1970.
        started_at: Start of the daemon's process.
        now: The time, in seconds since 1970.
        tolerance_seconds: How old a heartbeat may be; a younger process is left alone.

    Returns:
        One sentence a daemon whose heartbeat is too old; empty when all is well.
    """
    if now - started_at < tolerance_seconds:
        return ()
    return tuple(
        f"{name} sent its last heartbeat {now - heartbeats[name]:.0f} s ago"
        if name in heartbeats
        else f"{name} has never sent a heartbeat"
        for name in REQUIRED_DAEMONS
        if now - heartbeats.get(name, 0.0) > tolerance_seconds
    )


def read_heartbeats(environment: Mapping[str, str]) -> dict[str, float]:
    """Read the heartbeats from Postgres (DAGSTER_PG_*) or SQLite (FLOE_HISTORY_DIR).

    Args:
        environment: Environment variables.

    Returns:
        Last heartbeat by daemon type, in seconds since 1970.

    Raises:
        UnreadableHistoryError: The database does not answer.
    """
    if environment.get("DAGSTER_PG_HOST"):
        return _read_postgres(environment)
    return _read_sqlite(Path(environment["FLOE_HISTORY_DIR"]) / "history" / "runs.db")


def process_start(
    process: Path = Path("/proc/1"), *, statistics: Path = Path("/proc/stat")
) -> float:
    """Find out when a process started; process 1 of the container is the daemon.

    Args:
        process: Its folder in /proc.
        statistics: The machine's counters, for the time it booted.

    Returns:
        Seconds since 1970, right to about a second.
    """
    boot = next(
        int(line.split()[1])
        for line in statistics.read_text().splitlines()
        if line.startswith("btime ")
    )
    # Field 22, counted after the name, which stands in parentheses and may hold spaces.
    ticks = int((process / "stat").read_text().rpartition(")")[2].split()[19])
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def _read_sqlite(database: Path) -> dict[str, float]:
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=2)
        ) as connection:
            rows = connection.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        message = f"{database}: {error}"
        raise UnreadableHistoryError(message) from error
    return {str(name): _seconds(dt.datetime.fromisoformat(when)) for name, when in rows}


def _read_postgres(environment: Mapping[str, str]) -> dict[str, float]:
    import psycopg2

    host = environment["DAGSTER_PG_HOST"]
    try:
        with (
            contextlib.closing(
                psycopg2.connect(
                    host=host,
                    port=environment.get("DAGSTER_PG_PORT", "5432"),
                    dbname=environment["DAGSTER_PG_DB"],
                    user=environment["DAGSTER_PG_USER"],
                    password=environment["DAGSTER_PG_PASSWORD"],
                    connect_timeout=2,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(_QUERY)
            rows = cursor.fetchall()
    except psycopg2.Error as error:
        message = f"Postgres on {host}: {error}"
        raise UnreadableHistoryError(message) from error
    return {str(name): _seconds(when) for name, when in rows}


def _seconds(when: dt.datetime) -> float:
    # Dagster stores UTC without saying so.
    return when.replace(tzinfo=dt.UTC).timestamp()


def main() -> int:
    """Run the command line; exit code 0 means yes."""
    parser = argparse.ArgumentParser(
        prog="python -m floe_platform.daemon_health", description=__doc__
    )
    parser.add_argument("question", choices=("started", "alive"))
    parser.add_argument("--tolerance-seconds", type=float, default=300)
    arguments = parser.parse_args()
    try:
        heartbeats = read_heartbeats(os.environ)
    except UnreadableHistoryError as error:
        print(f"heartbeats unreadable: {error}")  # noqa: T201 - a program
        # A restart does not bring a database back; a daemon that has not started is not ready.
        return 0 if arguments.question == "alive" else 1
    started_at = process_start()
    if arguments.question == "started":
        problems = problems_at_start(heartbeats, started_at=started_at)
    else:
        problems = problems_in_life(
            heartbeats,
            started_at=started_at,
            now=time.time(),
            tolerance_seconds=arguments.tolerance_seconds,
        )
    for problem in problems:
        print(problem)  # noqa: T201 - a program
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
