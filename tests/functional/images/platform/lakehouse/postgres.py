"""A real Postgres for a test session, where its programs are on the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
from floe_platform.lakehouse.settings import ServingSettings

PASSWORD = "not-to-be-seen-7f3a"  # noqa: S105 - of a server that lives as long as the tests
_DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def started() -> Iterator[ServingSettings]:
    """Start Postgres in a folder of its own, with a role and a database `serving`."""
    programs = _programs()
    # pytest's own folders are closed to the user that Postgres runs as.
    directory = Path(tempfile.mkdtemp(prefix="floe-postgres-"))
    # Postgres refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(directory, user)
    data, port = directory / "data", _free_port()

    def run(*command: str | Path) -> None:
        subprocess.run(
            command, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL, timeout=60
        )

    password_file = directory / "password"
    password_file.write_text(PASSWORD)
    password_file.chmod(0o644)
    try:
        run(
            *(programs / "initdb", "--pgdata", data, "--no-sync", "--username", "serving"),
            *("--auth", "scram-sha-256", "--pwfile", password_file),
        )
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {directory} -c fsync=off"
        control = (programs / "pg_ctl", "--pgdata", data, "--wait")
        run(*control, "--log", directory / "log", "--options", options, "start")
        try:
            yield ServingSettings(
                host="127.0.0.1",
                port=port,
                database="postgres",
                user="serving",
                password=PASSWORD,
            )
        finally:
            run(*control, "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def connection(settings: ServingSettings) -> Iterator[psycopg2.extensions.connection]:
    """Open a connection beside the code under test."""
    opened = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
    )
    with closing(opened):
        yield opened


def _programs() -> Path:
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else sorted(_DEBIAN.glob("*/bin"), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "pg_ctl").exists():
            return candidate
    pytest.skip("no Postgres on this machine; Debian has it as postgresql-15")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
