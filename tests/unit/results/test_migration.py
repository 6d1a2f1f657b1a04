"""Migrations: they build what the models say, go back, and never touch what is newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from floe_tests.results.history import migration
from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.migration import UnknownSchemaError
from floe_tests.results.history.models import TABLE_PREFIX, VERSION_TABLE, Base
from floe_tests.results.history.store import History
from tests.support import runs


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def test_the_migrations_build_the_tables_of_the_models(url: str) -> None:
    History.open(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        options = migration.options(connection)
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        assert _tables(connection) == {*Base.metadata.tables, VERSION_TABLE}
    engine.dispose()


def test_the_comparison_would_see_a_forgotten_migration(sqlite_url: str) -> None:
    History.open(sqlite_url).close()
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE history_cases DROP COLUMN reruns"))
        options = migration.options(connection)
        context = MigrationContext.configure(connection, opts=options)
        (difference,) = compare_metadata(context, Base.metadata)
        assert difference[0] == "add_column"
    engine.dispose()


def test_every_migration_goes_down_and_up_again(url: str) -> None:
    History.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        before = _tables(connection)
        command.downgrade(migration.config(connection), "base")
        assert not [name for name in _tables(connection) if name in Base.metadata.tables]
        command.upgrade(migration.config(connection), "head")
        assert _tables(connection) == before
        assert migration.version(connection) == migration.head()
    engine.dispose()


def test_runs_survive_each_migration_down_to_the_first_and_up_again(url: str) -> None:
    record = runs.run_of(1, {"t::a": ".", "t::b": "x"})
    with History.open(url) as history:
        history.record(run=record)
    engine = create_engine(url)
    with engine.begin() as connection:
        command.downgrade(migration.config(connection), "0001")
        columns = {each["name"] for each in inspect(connection).get_columns("history_suites")}
        assert "quarantined" not in columns
    engine.dispose()
    with History.open(url) as history:
        assert len(history.cases(run_id=record.run_id)["tiny"]) == 2
        found = history.run(run_id=record.run_id)
        assert found is not None
        assert found.suites[0].quarantined == ()


def test_the_tables_names_do_not_meet_those_of_dagster() -> None:
    assert all(name.startswith(TABLE_PREFIX) for name in Base.metadata.tables)


def test_a_schema_that_is_newer_is_refused_and_untouched(url: str) -> None:
    History.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE history_schema SET version_num = '9999'"))
    with pytest.raises(UnknownSchemaError, match=rf"'9999'.*up to '{migration.head()}'"):
        History.open(url)
    with engine.connect() as connection:
        assert migration.version(connection) == "9999"
    engine.dispose()


def test_a_migration_that_fails_leaves_no_half_of_a_schema(sqlite_url: str) -> None:
    """Two releases later nobody could say which tables such a database should have."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        # In the way of the last table that the first migration creates.
        connection.execute(text("CREATE TABLE history_case_texts (unrelated INTEGER)"))
    with pytest.raises(HistoryUnavailableError, match="history_case_texts already exists"):
        History.open(sqlite_url)
    with engine.connect() as connection:
        assert _tables(connection) == {"history_case_texts"}
    engine.dispose()
