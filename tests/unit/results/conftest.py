"""Real pytest runs and real databases for the tests of `floe_tests.results`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

PYTEST_SECONDS = 60
POSTGRES_SECONDS = 60

MIXED_SUITE = {
    "pkg/test_mixed.py": """
import warnings

import pytest

def test_passes():
    warnings.warn("careful")

def test_fails():
    print("printed before the failure")
    assert 1 == 2, "one is not two"

@pytest.mark.skip(reason="not today")
def test_is_skipped():
    pass

def test_skips_itself():
    pytest.skip("no cluster")

@pytest.mark.xfail(reason="known bug")
def test_fails_as_expected():
    assert False

@pytest.mark.xfail(reason="known bug")
def test_passes_unexpectedly():
    pass

@pytest.mark.xfail(strict=True, reason="known bug")
def test_passes_unexpectedly_and_strictly():
    pass

@pytest.fixture
def broken_setup():
    raise RuntimeError("set-up broke")

@pytest.fixture
def broken_teardown():
    yield
    raise RuntimeError("clean-up broke")

def test_setup_error(broken_setup):
    pass

def test_teardown_error(broken_teardown):
    pass

def test_fails_and_cleans_up_badly(broken_teardown):
    assert False, "the call failed"

def test_chained():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error

class TestClass:
    @pytest.mark.parametrize("value", ["a/b", "::c", "[x]", "ümlaut"])
    def test_parameters(self, value):
        pass
""",
    "pkg/test_uncollectable.py": "import a_module_that_does_not_exist\n",
    "pkg/test_skipped_module.py": """
import pytest

pytest.skip("not on this machine", allow_module_level=True)
""",
}
"""Every way in which a case can end, in one suite."""


@dataclass(frozen=True)
class PytestRun:
    """A finished run of pytest and the results that it left."""

    results: Path
    exit_code: int
    output: str

    @property
    def events(self) -> bytes:
        return (self.results / "events.jsonl").read_bytes()


RunPytest = Callable[..., PytestRun]


def _run_pytest(directory: Path, files: Mapping[str, str], *arguments: str) -> PytestRun:
    for name, content in files.items():
        path = directory / "suite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    results = directory / "results"
    results.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        # The outer run's settings and its coverage are not the inner run's.
        if not name.startswith(("PYTEST_", "FLOE_", "COV_"))
    }
    finished = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-q", "-c", os.devnull, "--rootdir", "."),
            *("-p", "no:cacheprovider", "--continue-on-collection-errors"),
            f"--report-log={results / 'events.jsonl'}",
            f"--junitxml={results / 'junit.xml'}",
            *arguments,
            ".",
        ],
        cwd=directory / "suite",
        env=environment,
        capture_output=True,
        text=True,
        timeout=PYTEST_SECONDS,
        check=False,
    )
    return PytestRun(
        results=results, exit_code=finished.returncode, output=finished.stdout + finished.stderr
    )


@pytest.fixture
def run_pytest(tmp_path: Path) -> RunPytest:
    """Run the real pytest on files given by name; further arguments go to pytest."""

    def run(files: Mapping[str, str], *arguments: str) -> PytestRun:
        return _run_pytest(tmp_path, files, *arguments)

    return run


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> PytestRun:
    """One run of the mixed suite, for every test that only reads it."""
    return _run_pytest(tmp_path_factory.mktemp("mixed"), MIXED_SUITE)


def _as_postgres(*command: str) -> list[str]:
    """Postgres refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else [*command]


def _postgres_program(name: str) -> str | None:
    """Find a server program; Debian keeps them beside its path, a folder a version."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    return shutil.which(name) or (found[-1] if found else None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """Start a Postgres server of its own and give the directory of its socket."""
    programs = [_postgres_program(name) for name in ("initdb", "pg_ctl")]
    if None in programs:
        pytest.skip("needs initdb and pg_ctl (Debian: apt-get install postgresql)")
    initdb, pg_ctl = (str(program) for program in programs)
    # Not below pytest's own directory, which other users cannot enter.
    directory = Path(tempfile.mkdtemp(prefix="history-postgres-"))
    data = directory / "data"
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
    try:
        _run_postgres(initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync")
        _run_postgres(pg_ctl, "-D", str(data), "-o", options, "-l", f"{data}/log", "-w", "start")
        try:
            yield directory
        finally:
            _run_postgres(pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(directory)


def _run_postgres(*command: str) -> None:
    # Its output is not captured: the server would inherit the pipe, and reading it would not end.
    subprocess.run(
        _as_postgres(*command),
        cwd="/",
        stdout=subprocess.DEVNULL,
        timeout=POSTGRES_SECONDS,
        check=True,
    )


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Name an SQLite file that does not exist yet, in a directory that does not either."""
    return f"sqlite:///{tmp_path}/history/history.db"


@pytest.fixture
def postgres_url(postgres_server: Path, tmp_path: Path) -> str:
    """Create an empty schema, which its connections take for the whole database, and name it."""
    schema = f"history_{zlib.crc32(bytes(tmp_path))}"
    address = f"postgresql://postgres@/postgres?host={postgres_server}"
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return f"{address}&options=-csearch_path%3D{schema}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.functional)])
def url(request: pytest.FixtureRequest) -> str:
    """Name an empty database, once for each kind that the history can live in."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found
