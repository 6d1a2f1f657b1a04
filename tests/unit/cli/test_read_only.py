"""A history that cannot be written can be read, and is left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from floe_tests.core.errors import FloeTestsError
from floe_tests.results.history import database, migration
from floe_tests.results.history.store import History
from tests.support import runs

# All modules are loaded before the account changes: the other one may not even read Python's own.
READER = """
import os, sys
from typer.testing import CliRunner
from floe_tests.cli.app import app
words = ["history", "--show", "failing"]
assert CliRunner().invoke(app, words).exit_code == 0
os.setgid(65534)
os.setuid(65534)
for os.environ["FLOE_TESTS_HISTORY"] in sys.argv[1:]:
    said = CliRunner().invoke(app, words)
    print(said.exit_code, said.output, said.exception or "")
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Return the file of a history whose folder everybody may enter."""
    path = tmp_path / "history.db"
    with History.open(f"sqlite:///{path}") as history:
        history.record(run=runs.run_of(0, {"t::a": "x"}))
    return path


@pytest.fixture
def unwritable(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a history that may not be written; root is told so, for it may write everything."""

    def may(_path: os.PathLike[str], mode: int) -> bool:
        return not mode & os.W_OK

    monkeypatch.setattr(database.os, "access", may)
    return recorded


def test_it_is_read_without_a_byte_written(unwritable: Path) -> None:
    before = unwritable.read_bytes(), sorted(unwritable.parent.iterdir())
    with History.open_to_read(f"sqlite:///{unwritable}") as history:
        assert history.tiers() == (("demo", "local"),)
        with pytest.raises(FloeTestsError, match="cannot be written"):
            history.record(run=runs.run_of(1, {"t::a": "."}))
    assert (unwritable.read_bytes(), sorted(unwritable.parent.iterdir())) == before


def test_an_old_one_is_not_migrated_and_says_what_to_do(unwritable: Path) -> None:
    with closing(sqlite3.connect(unwritable)) as connection, connection:
        connection.execute("UPDATE history_schema SET version_num = '0001'")
    with pytest.raises(migration.UnknownSchemaError, match="Copy it to where it can"):
        History.open_to_read(f"sqlite:///{unwritable}")


def test_one_whose_newest_runs_are_beside_it_says_so(unwritable: Path) -> None:
    Path(f"{unwritable}-wal").write_bytes(b"frames")
    with pytest.raises(FloeTestsError, match="Copy both files"):
        History.open_to_read(f"sqlite:///{unwritable}")


def test_a_name_with_signs_of_an_address_is_one(unwritable: Path) -> None:
    odd = unwritable.with_name("a b%20c#d.db")
    shutil.copy(unwritable, odd)
    engine = database.engine_to_read(make_url("sqlite://").set(database=str(odd)))
    with engine.connect() as connection:
        assert migration.version(connection) == migration.head()
    engine.dispose()


@pytest.mark.functional
@pytest.mark.skipif(os.getuid() != 0, reason="becomes another account to be refused")
def test_an_account_that_may_not_write_file_or_folder_reads_it(recorded: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        places = {Path(made, "file"): (0o777, 0o444), Path(made, "folder"): (0o555, 0o666)}
        for place, (of_folder, of_file) in places.items():
            place.mkdir()
            shutil.copy(recorded, place / "history.db")
            (place / "history.db").chmod(of_file)
            place.chmod(of_folder)
        said = subprocess.run(
            [sys.executable, "-c", READER, *(f"sqlite:///{place}/history.db" for place in places)],
            env={**os.environ, "FLOE_TESTS_HISTORY": f"sqlite:///{recorded}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert said.stderr == ""
        assert said.stdout.count("t::a") == 2
        assert [line[0] for line in said.stdout.splitlines() if line[:1] in "012"] == ["0", "0"]
        for place in places:
            assert [each.name for each in place.iterdir()] == ["history.db"]
