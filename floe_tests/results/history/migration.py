"""Brings a database to the schema that this version of the project knows."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from floe_tests.core.errors import ConfigurationError
from floe_tests.results.history.models import TABLE_PREFIX, VERSION_TABLE, Base

_SCRIPTS = Path(__file__).parent.parent / "migrations"
# Any number, the same in all versions: who migrates a Postgres database holds this lock.
_POSTGRES_LOCK = 7_318_349_100

# Alembic keeps the migration that runs in module globals.
_ALEMBIC_LOCK = threading.Lock()


class UnknownSchemaError(ConfigurationError):
    """The history has a schema that this project does not know, or cannot change to its own."""


def head() -> str:
    """Return the newest version that this project knows."""
    revision = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    if revision is None:
        message = f"No migration is in {_SCRIPTS}. Install floe-tests again."
        raise ConfigurationError(message)
    return revision


def revisions() -> frozenset[str]:
    """Return all versions that this project knows."""
    scripts = ScriptDirectory(str(_SCRIPTS)).walk_revisions()
    return frozenset(script.revision for script in scripts)


def version(connection: Connection) -> str | None:
    """Return the database's version; None for one that holds no history yet."""
    return MigrationContext.configure(connection, opts=_context_options()).get_current_revision()


def upgrade(connection: Connection, *, database: str) -> None:
    """Bring the database to the newest version, inside the caller's transaction.

    Args:
        connection: In a transaction that the caller commits. On SQLite it must hold the write lock
            already; on Postgres a lock is taken here, so that of several processes one migrates.
        database: How to name the database in an error, without its password.

    Raises:
        UnknownSchemaError: The database is newer than this project.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    found = version(connection)
    _require_known(found, database)
    if found != head():
        with _ALEMBIC_LOCK:
            command.upgrade(config(connection), "head")


def require_current(connection: Connection, *, database: str) -> None:
    """Make sure that a database that cannot be changed need not be.

    Raises:
        UnknownSchemaError: It is older or newer than this project, or holds no history.
    """
    found = version(connection)
    _require_known(found, database)
    if found != head():
        has = f"has schema version {found!r}" if found else "has no tables of a history yet"
        message = (
            f"The history in {database} {has}, this floe-tests needs {head()!r}, and the file "
            "cannot be changed. Copy it to where it can, and name the copy in FLOE_TESTS_HISTORY."
        )
        raise UnknownSchemaError(message)


def _require_known(found: str | None, database: str) -> None:
    if found is not None and found not in revisions():
        message = (
            f"The history in {database} has schema version {found!r}; this floe-tests knows "
            f"versions up to {head()!r}. Upgrade floe-tests, or name another database."
        )
        raise UnknownSchemaError(message)


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection."""
    configuration = Config()
    # A percent sign would be read as the start of an interpolation.
    configuration.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def options(connection: Connection) -> dict[str, Any]:
    """Return what Alembic must know to migrate or to compare tables with models."""
    return {"connection": connection, "target_metadata": Base.metadata, **_context_options()}


def _context_options() -> dict[str, Any]:
    return {
        "version_table": VERSION_TABLE,
        "include_name": _is_ours,
        # SQLite cannot alter a column; Alembic then copies the table.
        "render_as_batch": True,
        "compare_type": True,
    }


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave other tables of a shared database alone."""
    return kind != "table" or (name or "").startswith(TABLE_PREFIX)
