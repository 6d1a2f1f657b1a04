"""The entrypoint of airgap's Postgres image, with stand-ins for Postgres' own programs."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).resolve().parents[3] / "airgap/bases/postgres/docker-entrypoint.sh"

# Each notes its call and, after the chosen one, kills the container: the whole process group.
_STAND_IN = """\
#!/usr/bin/env bash
set -e
echo "{name} $*" >>"$CALLS"
{body}
[[ $(grep -c '^{name} ' "$CALLS") != "${{KILL_AFTER_{name}:-never}}" ]] || kill -KILL 0
"""
_BODIES = {
    "id": "echo 999",
    "initdb": 'mkdir -p "$PGDATA/base"; cat "${2#*=}" >"$GIVEN"; echo 15 >"$PGDATA/PG_VERSION"',
    "pg_ctl": 'echo "${*: -1}" >"$PGDATA/base/state"',
    "createdb": 'echo "${*: -1}" >"$PGDATA/base/name"',
    "mv": '/bin/mv "$@"',
    "postgres": 'cd "$PGDATA"; cat PG_VERSION base/name base/state',
}
_WHOLE = "15\nfloe\nstop\n"


@dataclass(frozen=True)
class Container:
    """A volume, and what happened to the containers on it."""

    folder: Path

    def start(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        for name, body in _BODIES.items():
            (programs / name).write_text(_STAND_IN.format(name=name, body=body))
            (programs / name).chmod(0o755)
        self.calls.write_text("")
        return subprocess.run(
            [ENTRYPOINT, *arguments],
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PGDATA": str(self.data),
                "CALLS": str(self.calls),
                "GIVEN": str(self.folder / "given"),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            timeout=30,
        )

    @property
    def data(self) -> Path:
        return self.folder / "data" / "pgdata"

    @property
    def calls(self) -> Path:
        return self.folder / "calls"


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


FIRST = {"POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "floe"}


def test_the_first_start_makes_the_database_and_the_second_leaves_it_alone(container: Container):
    first = container.start("postgres", **FIRST)
    assert first.stdout.endswith(_WHOLE), first.stderr

    second = container.start(**FIRST)
    assert second.stdout == _WHOLE
    assert "initdb" not in container.calls.read_text()


@pytest.mark.parametrize(
    ("program", "call"),
    [("initdb", 1), ("pg_ctl", 1), ("createdb", 1), ("pg_ctl", 2), ("mv", 1), ("mv", 2)],
)
def test_a_first_start_that_is_killed_leaves_no_half_database(
    container: Container, program: str, call: int
):
    killed = container.start("postgres", **FIRST, **{f"KILL_AFTER_{program}": str(call)})
    assert killed.returncode == -signal.SIGKILL
    assert not (container.data / "PG_VERSION").exists()

    again = container.start("postgres", **FIRST)
    assert again.stdout.endswith(_WHOLE), again.stderr
    assert {path.name for path in container.data.iterdir()} == {"PG_VERSION", "base", "pg_hba.conf"}


def test_the_password_comes_from_a_file_and_appears_nowhere_else(container: Container):
    secret = container.folder / "password"
    secret.write_text("from a file\n")
    started = container.start("postgres", POSTGRES_PASSWORD_FILE=str(secret))

    assert (container.folder / "given").read_text() == "from a file\n"
    assert "from a file" not in started.stdout + started.stderr + container.calls.read_text()
    assert all(
        b"from a file" not in path.read_bytes()
        for path in container.data.rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "the first start needs POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"),
        (
            {"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/b"},
            "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set",
        ),
    ],
    ids=["no password", "two passwords"],
)
def test_a_first_start_without_one_password_says_so(
    container: Container, variables: dict[str, str], message: str
):
    started = container.start("postgres", **variables)
    assert (started.returncode, started.stderr) == (1, f"docker-entrypoint.sh: {message}\n")


def test_a_folder_with_something_else_in_it_is_left_as_it_is(container: Container):
    container.data.mkdir(parents=True)
    (container.data / "letters").write_text("")
    started = container.start("postgres", **FIRST)

    assert started.returncode == 1
    assert f"but {container.data}/letters: give it an empty folder" in started.stderr
    assert [path.name for path in container.data.iterdir()] == ["letters"]


def test_options_alone_go_to_postgres_and_another_command_makes_no_database(container: Container):
    container.start("-c", "fsync=off", **FIRST)
    assert "postgres -c fsync=off\n" in container.calls.read_text()

    assert container.start("echo", "hello").stdout == "hello\n"
