"""Waits until a login to Postgres works: what roles of the platform do before they start.

A process that finds no Postgres dies, and Kubernetes waits longer before each new start. pg_isready
sees only that somebody listens; a wrong password or a missing database would still be found by a
crash, in the middle of a stack trace. Address and login are libpq's own variables (PGHOST, PGUSER).
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping

# Words of the server that waiting does not change. psycopg gives no code for a failed connection.
_REFUSALS = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
)
_CONNECT_TIMEOUT_SECONDS = 5
_PAUSE_SECONDS = 0.5


class LoginRefusedError(Exception):
    """Postgres answered, and will not let this role in."""


class LoginTimeoutError(Exception):
    """The login did not work before the deadline."""


def connect() -> None:
    """Log in once, as libpq's variables say.

    Raises:
        psycopg2.OperationalError: It did not work; the text is the server's or the network's.
    """
    import psycopg2

    with contextlib.closing(psycopg2.connect("", connect_timeout=_CONNECT_TIMEOUT_SECONDS)):
        pass


def wait_for_login(
    try_login: Callable[[], None],
    *,
    deadline_seconds: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Try to log in until it works.

    Args:
        try_login: One login; raises with the reason when it fails.
        deadline_seconds: How long to try.
        report: Is told each reason once, when it is new.
        clock: Monotonic time, in seconds.
        sleep: The pause between two tries.

    Returns:
        After how many seconds it worked.

    Raises:
        LoginRefusedError: The server refuses the role, which waiting does not change.
        LoginTimeoutError: The deadline is over, with the last reason.
    """
    import psycopg2

    started = clock()
    last = ""
    while True:
        try:
            try_login()
        except psycopg2.OperationalError as error:
            reason = " ".join(str(error).split())
            if any(words in reason for words in _REFUSALS):
                raise LoginRefusedError(reason) from error
            if reason != last:
                report(reason)
            last = reason
        else:
            return clock() - started
        if clock() - started >= deadline_seconds:
            raise LoginTimeoutError(last)
        sleep(_PAUSE_SECONDS)


def describe(environment: Mapping[str, str]) -> str:
    """Say who logs in where, for messages.

    Args:
        environment: libpq's variables.

    Returns:
        Such as `dagster@postgres:5432/dagster`; never a password.
    """
    user, host, port, database = (
        environment.get(name, "?") for name in ("PGUSER", "PGHOST", "PGPORT", "PGDATABASE")
    )
    return f"{user}@{host}:{port}/{database}"


def main() -> int:
    """Run the command line; exit code 0 means that the login works."""
    parser = argparse.ArgumentParser(prog="python -m floe_platform.postgres_login")
    parser.add_argument(
        "--secret", required=True, help="the Secret with the password, for messages"
    )
    parser.add_argument("--namespace", required=True, help="that of the release, for messages")
    parser.add_argument("--deadline-seconds", type=float, default=120)
    arguments = parser.parse_args()
    target = describe(os.environ)
    kubectl = f"kubectl --namespace {arguments.namespace}"
    try:
        seconds = wait_for_login(
            connect, deadline_seconds=arguments.deadline_seconds, report=_print_reason
        )
    except LoginRefusedError as error:
        return _fail(
            f"Postgres refuses {target}: {error}. The password is the one in Secret "
            f"{arguments.secret}: make both the same. In the chart's own Postgres this sets the "
            f"passwords of the Secrets: `{kubectl} rollout restart statefulset/postgres`, and then "
            f"`{kubectl} exec postgres-0 -- /docker-entrypoint-initdb.d/10-databases.sh`"
        )
    except LoginTimeoutError as error:
        return _fail(
            f"no login as {target} within {arguments.deadline_seconds:g} s: {error}. Look at "
            f"Postgres: `{kubectl} describe pods --selector app.kubernetes.io/component=postgres`"
        )
    print(f"logged in as {target} after {seconds:.1f} s")  # noqa: T201 - a program
    return 0


def _print_reason(reason: str) -> None:
    print(f"waiting: {reason}", flush=True)  # noqa: T201 - a program


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - a program
    return 1


if __name__ == "__main__":
    sys.exit(main())
