"""The DuckDB file behind the pipelines, opened by one writer at a time.

DuckDB lets one process write, and refuses everybody else while it does. Runs queue for that
reason, but a run that was killed may hold the file for a moment longer, so opening it waits, with a
deadline.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

DATABASE_NAME = "floe.duckdb"
LOCK_DEADLINE_SECONDS = 30.0
# On every run that opens the file: where runs work side by side, those take turns.
RUN_TAGS = {"floe/warehouse": "duckdb"}
_PAUSE_SECONDS = 0.1


class WarehouseError(Exception):
    """The DuckDB file could not be opened; the message says where it is and what held it."""


def database_path() -> Path:
    """Find the DuckDB file.

    Returns:
        `$FLOE_DATA_DIR/floe.duckdb`; it need not exist yet.

    Raises:
        WarehouseError: FLOE_DATA_DIR is not set.
    """
    directory = os.environ.get("FLOE_DATA_DIR")
    if not directory:
        message = "FLOE_DATA_DIR is not set. Give it the directory that holds the DuckDB file."
        raise WarehouseError(message)
    return Path(directory) / DATABASE_NAME


@contextmanager
def transaction(
    path: Path, *, deadline_seconds: float = LOCK_DEADLINE_SECONDS
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open the file for writing; everything inside becomes visible at once, or not at all.

    Args:
        path: The DuckDB file, created when it is missing.
        deadline_seconds: How long another writer may hold the file.

    Yields:
        A connection inside a transaction, committed unless the body raises.

    Raises:
        WarehouseError: Another process held the file past the deadline.
    """
    connection = _connect(path, read_only=False, deadline_seconds=deadline_seconds)
    try:
        connection.begin()
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        connection.close()


@contextmanager
def reader(
    path: Path, *, deadline_seconds: float = LOCK_DEADLINE_SECONDS
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open the file read-only.

    Args:
        path: The DuckDB file, which must exist.
        deadline_seconds: How long a writer may hold the file.

    Yields:
        A connection that cannot write.

    Raises:
        WarehouseError: There is no file yet, or a writer held it past the deadline.
    """
    if not path.exists():
        message = f"{path} does not exist yet. Run the job orders_pipeline first; it creates it."
        raise WarehouseError(message)
    connection = _connect(path, read_only=True, deadline_seconds=deadline_seconds)
    try:
        yield connection
    finally:
        connection.close()


def _connect(
    path: Path, *, read_only: bool, deadline_seconds: float
) -> "duckdb.DuckDBPyConnection":
    # Imported here: the code server loads the definitions without ever opening a file.
    import duckdb

    deadline = time.monotonic() + deadline_seconds
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                message = (
                    f"{path} was held by another process for {deadline_seconds:g} s: {error}. "
                    "Look for a run that hangs, and terminate it."
                )
                raise WarehouseError(message) from error
        time.sleep(_PAUSE_SECONDS)
