"""How roles wait for Postgres, and when they stop to wait."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
from floe_platform import postgres_login

IMAGE = Path(__file__).parents[4] / "images" / "platform"
REFUSED = (
    'connection to server at "postgres", port 5432 failed: FATAL:  password authentication '
    'failed for user "dagster"\n'
)
ABSENT = 'connection to server at "postgres", port 5432 failed: Connection refused\n'
STARTING = "FATAL:  the database system is starting up\n"


def failing(*reasons: str) -> Callable[[], None]:
    left = list(reasons)

    def try_login() -> None:
        if left:
            raise psycopg2.OperationalError(left.pop(0))

    return try_login


def wait(try_login: Callable[[], None], deadline_seconds: float = 60) -> list[str]:
    said: list[str] = []
    now = iter(range(1000))
    postgres_login.wait_for_login(
        try_login,
        deadline_seconds=deadline_seconds,
        report=said.append,
        clock=lambda: next(now),
        sleep=lambda _: None,
    )
    return said


def test_each_reason_to_wait_is_said_once() -> None:
    said = wait(failing(ABSENT, ABSENT, STARTING, STARTING))

    assert said == [ABSENT.strip(), "FATAL: the database system is starting up"]


def test_a_wrong_password_ends_the_wait_at_once() -> None:
    """Waiting to the deadline would look like a server that is slow to start."""
    with pytest.raises(postgres_login.LoginRefusedError, match="password authentication failed"):
        wait(failing(ABSENT, REFUSED, ABSENT))


def test_a_database_that_is_not_there_yet_is_waited_for() -> None:
    assert len(wait(failing('FATAL:  database "dagster" does not exist'))) == 1


def test_the_deadline_ends_with_the_last_reason() -> None:
    with pytest.raises(postgres_login.LoginTimeoutError, match="Connection refused"):
        wait(failing(*[ABSENT] * 10), deadline_seconds=3)


@pytest.mark.functional
def test_the_program_names_target_secret_and_next_command_but_no_password() -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "floe_platform.postgres_login"),
            *("--secret", "floe-postgres-dagster", "--namespace", "lake"),
            *("--deadline-seconds", "0"),
        ],
        # Port 1 is never served without root, and never by anything of today.
        env={
            **os.environ,
            "PYTHONPATH": str(IMAGE),
            "PGHOST": "127.0.0.1",
            "PGPORT": "1",
            "PGUSER": "dagster",
            "PGDATABASE": "dagster",
            "PGPASSWORD": "correct horse",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert result.returncode == 1
    assert "no login as dagster@127.0.0.1:1/dagster within 0 s" in result.stderr
    assert "kubectl --namespace lake describe pods" in result.stderr
    assert "correct horse" not in result.stdout + result.stderr
