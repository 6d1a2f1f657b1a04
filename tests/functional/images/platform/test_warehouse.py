"""Opening the DuckDB file: one writer, a deadline, and all or nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from floe_platform import warehouse

# Holds the file until its standard input ends.
HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_writer_that_stays_is_named_after_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "floe.duckdb"

    with (
        held_by_another_process(path),
        pytest.raises(warehouse.WarehouseError, match=r"held by another process for 0\.3 s"),
        warehouse.transaction(path, deadline_seconds=0.3),
    ):
        pass


def test_a_writer_that_goes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "floe.duckdb"

    with held_by_another_process(path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        with warehouse.transaction(path, deadline_seconds=30) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS x")

    with warehouse.reader(path) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_failed_body_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "floe.duckdb"
    with warehouse.transaction(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")

    def fail() -> None:
        with warehouse.transaction(path) as connection:
            connection.execute("CREATE OR REPLACE TABLE t AS SELECT 2 AS x")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    with warehouse.reader(path) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_reader_without_a_file_is_told_what_makes_it(tmp_path: Path) -> None:
    with (
        pytest.raises(warehouse.WarehouseError, match="Run the job orders_pipeline first"),
        warehouse.reader(tmp_path / "floe.duckdb"),
    ):
        pass


def test_a_missing_directory_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOE_DATA_DIR", raising=False)

    with pytest.raises(warehouse.WarehouseError, match="FLOE_DATA_DIR is not set"):
        warehouse.database_path()
