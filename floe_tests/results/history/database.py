"""Opens the history's database: a SQLite file or Postgres."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from floe_tests.core.errors import ConfigurationError, HarnessError

_BUSY_SECONDS = 30
_DIALECTS = ("sqlite", "postgresql")


class HistoryUnavailableError(HarnessError):
    """The history's database cannot be opened, read or written."""


def parsed(url: str) -> URL:
    """Read the address of a history.

    Raises:
        ConfigurationError: It is none, or names a database that is not supported.
    """
    try:
        parsed = make_url(url)
        dialect = parsed.get_backend_name()
    except ArgumentError as error:
        # An address may hold a password; a plain path holds none.
        shown = "" if "@" in url else f" {url[:200]!r}"
        path = url if url.startswith("/") else "/path/history.db"
        message = (
            f"FLOE_TESTS_HISTORY: the history's URL{shown} cannot be read. "
            f"Write sqlite:///{path} or postgresql://..."
        )
        raise ConfigurationError(message) from error
    if dialect not in _DIALECTS:
        message = f"The history cannot be kept in {dialect!r}. Use one of: {', '.join(_DIALECTS)}."
        raise ConfigurationError(message)
    return parsed


def engine_for(url: URL) -> Engine:
    """Return an engine for a history; nothing is connected yet.

    A transaction on a connection with the execution option `history_writes` takes SQLite's write
    lock when it begins.

    Raises:
        ConfigurationError: It is SQLite without a file.
        HistoryUnavailableError: The directory of the file cannot be created.
    """
    if url.get_backend_name() != "sqlite":
        # A server closes idle connections; ask before using one.
        return create_engine(url, pool_pre_ping=True)
    if not url.database or url.database == ":memory:":
        message = "The history needs a file to remember anything: sqlite:////path/of/history.db."
        raise ConfigurationError(message)
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The directory of {url.database} cannot be created: {error.strerror}."
        raise HistoryUnavailableError(message) from error
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def is_read_only(url: URL) -> bool:
    """Whether it is a SQLite file that this account may read and not change.

    A reader of SQLite's WAL writes as well, into a file beside the database: a folder that cannot
    be written is enough.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return False
    path = Path(url.database)
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def engine_to_read(url: URL) -> Engine:
    """Return an engine for a SQLite file that cannot be changed; nothing is connected yet.

    Raises:
        HistoryUnavailableError: Its newest runs are in a file beside it, which only a writer can
            take in.
    """
    path = Path(url.database or "").absolute()
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        message = (
            f"The history in {path} cannot be read where nothing can be written: its newest runs "
            f"are still in {log.name}. Copy both files into a folder that can be written."
        )
        raise HistoryUnavailableError(message)
    # Source: https://www.sqlite.org/uri.html#uriimmutable
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    engine = create_engine(URL.create("sqlite", database=f"file:{quote(str(path))}", query=query))
    event.listen(engine, "connect", _leave_transactions)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _leave_transactions(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy begins transactions itself (see _begin_sqlite): the driver must not.
    # Source: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    connection.isolation_level = None


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    _leave_transactions(connection, record)
    cursor = connection.cursor()
    # Readers do not wait for a writer, nor a writer for readers.
    cursor.execute("PRAGMA journal_mode = WAL")
    # With WAL this loses at most the newest run when the machine dies, and never the database.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("history_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
