"""The history of all runs: SQLite beside the orchestrator, or Postgres, by the same code.

Runs on different providers are never mixed: whoever asks for more than one run names the provider.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.exc import DBAPIError

from floe_tests.results.cases import CaseResult
from floe_tests.results.history import database, migration, removal, renames, rows
from floe_tests.results.history.branches import Branch, BranchRuns, read_branches
from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.durations import read_durations
from floe_tests.results.history.grid import Grid, read_grid
from floe_tests.results.history.models import CaseRow, RunRow, SuiteRow, TestRow
from floe_tests.results.history.removal import StoredRunRow
from floe_tests.results.history.renames import Rename
from floe_tests.results.records import CaseRun, RunRecord, SoakRecord

if TYPE_CHECKING:
    from floe_tests.results.history.last_good import Like
    from floe_tests.results.measurements.baseline import Ground
    from floe_tests.results.measurements.benchmark import Past
    from floe_tests.results.presence.compare import Baseline


class History:
    """Remembers runs. Use it as a context manager, or close it.

    One history may be used by several threads; a database by several processes.
    """

    def __init__(self, engine: Engine, *, name: str) -> None:
        """Take an engine whose database has the current schema; `open` makes sure of that."""
        self._engine = engine
        self._name = name

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the history, creating or migrating it where needed.

        Of several processes that open a new or old database at once, one migrates and the others
        wait for it.

        Args:
            url: `sqlite:////path/of/history.db`, or `postgresql://user:password@host/database`.

        Raises:
            ConfigurationError: The URL names no SQLite file and no Postgres database.
            UnknownSchemaError: A newer version of this project wrote it.
            HistoryUnavailableError: The database cannot be reached or written.
        """
        parsed = database.parsed(url)
        history = cls(database.engine_for(parsed), name=parsed.render_as_string(hide_password=True))
        try:
            with history._reading() as connection:
                is_current = migration.version(connection) == migration.head()
            if not is_current:
                with history._writing() as connection:
                    migration.upgrade(connection, database=history._name)
        except BaseException:
            history.close()
            raise
        return history

    @classmethod
    def open_to_read(cls, url: str) -> Self:
        """Open the history to read it: a SQLite file that cannot be changed is left as it is.

        Args:
            url: As for `open`, which does the rest.

        Raises:
            ConfigurationError: The URL names no SQLite file and no Postgres database.
            UnknownSchemaError: It has another version's schema, and cannot be migrated.
            HistoryUnavailableError: The database cannot be read.
        """
        parsed = database.parsed(url)
        if not database.is_read_only(parsed):
            return cls.open(url)
        name = parsed.render_as_string(hide_password=True)
        history = cls(database.engine_to_read(parsed), name=name)
        try:
            with history._reading() as connection:
                migration.require_current(connection, database=name)
        except BaseException:
            history.close()
            raise
        return history

    @property
    def name(self) -> str:
        """Its address, without the password."""
        return self._name

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the history itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def record(self, *, run: RunRecord) -> None:
        """Remember a run with its suites, attempts and cases; all of it or nothing.

        A run that is there already is replaced, so it can be recorded while it runs and again when
        it ends, and imported twice.

        Args:
            run: The run. A suite's cases must have distinct names.

        Raises:
            ValueError: A time is naive.
            HistoryUnavailableError: The database cannot be written.
        """
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                # Two that record the same run at once: the second replaces what the first wrote.
                key = func.hashtextextended(run.run_id, 0)
                connection.execute(select(func.pg_advisory_xact_lock(key)))
            connection.execute(delete(RunRow).where(RunRow.run_id == run.run_id))
            rows.insert_run(connection, run)

    def runs(
        self, *, tier: str, provider: str, limit: int = 100, branch: Branch | None = None
    ) -> tuple[RunRecord, ...]:
        """Return a tier's runs on one provider, newest first, without their cases.

        Args:
            tier: The tier.
            provider: What the runs ran on.
            limit: How many at most.
            branch: Only runs on it.
        """
        query = (
            select(RunRow.__table__)
            .where(RunRow.tier == tier, RunRow.provider == provider)
            .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
            .limit(limit)
        )
        if branch is not None:
            query = query.where(branch.runs())
        with self._reading() as connection:
            return rows.run_records(connection, connection.execute(query).all())

    def run(self, *, run_id: str) -> RunRecord | None:
        """Return a run without its cases; None when it was never recorded."""
        query = select(RunRow.__table__).where(RunRow.run_id == run_id)
        with self._reading() as connection:
            records = rows.run_records(connection, connection.execute(query).all())
        return records[0] if records else None

    def cases(self, *, run_id: str) -> Mapping[str, tuple[CaseResult, ...]]:
        """Return a run's cases by suite, in the order in which the tests were first seen."""
        query = (
            rows.case_query(SuiteRow.name.label("suite"))
            .where(SuiteRow.run_id == run_id)
            .order_by(SuiteRow.position, CaseRow.test_id)
        )
        suites = select(SuiteRow.name).where(SuiteRow.run_id == run_id).order_by(SuiteRow.position)
        with self._reading() as connection:
            cases: dict[str, list[CaseResult]] = {
                name: [] for name in connection.execute(suites).scalars()
            }
            for row in connection.execute(query):
                cases[row.suite].append(rows.case_result(row))
        return {name: tuple(found) for name, found in cases.items()}

    def test_history(
        self,
        *,
        name: str,
        tier: str,
        provider: str,
        suite: str | None = None,
        branch: Branch | None = None,
        limit: int = 100,
    ) -> tuple[CaseRun, ...]:
        """Return what a test did in a tier's runs on one provider, newest first.

        Args:
            name: The case's name, or one that it had before.
            tier: The tier.
            provider: What the runs ran on.
            suite: Only in this suite.
            branch: Only runs on it.
            limit: How many runs at most.
        """
        query = (
            rows.case_query(
                SuiteRow.name.label("suite"),
                RunRow.run_id,
                RunRow.provider,
                RunRow.environment,
                RunRow.ref,
                RunRow.commit,
                RunRow.started_at,
                RunRow.cause,
            )
            .join(RunRow, RunRow.run_id == SuiteRow.run_id)
            .where(TestRow.tier == tier, RunRow.provider == provider)
            .order_by(RunRow.started_at.desc(), RunRow.run_id.desc(), SuiteRow.position)
            .limit(limit)
        )
        if suite is not None:
            query = query.where(TestRow.suite == suite)
        if branch is not None:
            query = query.where(branch.runs())
        with self._reading() as connection:
            query = query.where(TestRow.test_id.in_(renames.same_tests(connection, name)))
            return tuple(
                CaseRun(
                    run_id=row.run_id,
                    provider=row.provider,
                    environment=row.environment,
                    ref=row.ref,
                    commit=row.commit,
                    started_at=row.started_at,
                    cause=row.cause,
                    suite=row.suite,
                    case=rows.case_result(row),
                )
                for row in connection.execute(query)
            )

    def past_measurements(
        self, ground: Ground, *, runs: int = 100
    ) -> Mapping[str, tuple[Past, ...]]:
        """Return what earlier runs measured that may be compared, by name, newest first."""
        from floe_tests.results.measurements import baseline

        with self._reading() as connection:
            return baseline.past_measurements(connection, ground, runs=runs)

    def last_good_soak(self, ground: Ground) -> Mapping[tuple[str, str], SoakRecord]:
        """Return what the components did in the newest good run that may be compared."""
        from floe_tests.results.measurements import baseline

        with self._reading() as connection:
            return baseline.last_good_soak(connection, ground)

    def last_good(self, like: Like) -> Baseline:
        """Return the last good runs that a suite is compared with, and their tests."""
        from floe_tests.results.history import last_good

        with self._reading() as connection:
            return last_good.read_baseline(connection, like)

    def stored_runs(self) -> tuple[StoredRunRow, ...]:
        """Return every run without its tests, for whoever decides which of them stay."""
        with self._reading() as connection:
            return removal.stored_runs(connection)

    def remove_runs(self, run_ids: Sequence[str]) -> None:
        """Remove runs with their tests, all or none, and give their room back to the disk."""
        with self._writing() as connection:
            removal.remove_runs(connection, run_ids)
        if self._engine.dialect.name != "sqlite":
            return  # Postgres does it by itself (autovacuum)
        # A copy of the file needs room for it; without, the free pages wait for the next runs.
        with suppress(DBAPIError), self._engine.connect() as connection:
            connection.connection.cursor().execute("VACUUM")

    def rename(self, old: str, new: str, *, tier: str | None = None) -> tuple[Rename, ...]:
        """Remember that a test was renamed; see `renames.link`."""
        with self._writing() as connection:
            return renames.link(connection, old, new, tier=tier)

    def undo_rename(self, old: str, *, tier: str | None = None) -> tuple[Rename, ...]:
        """Take back what was said of a test's old name; see `renames.unlink`."""
        with self._writing() as connection:
            return renames.unlink(connection, old, tier=tier)

    def tiers(self) -> tuple[tuple[str, str], ...]:
        """Return every tier and provider that the history has runs of, in order."""
        query = select(RunRow.tier, RunRow.provider).distinct()
        with self._reading() as connection:
            return tuple(sorted((row.tier, row.provider) for row in connection.execute(query)))

    def branches(
        self, *, tier: str | None, provider: str | None, default: str
    ) -> tuple[BranchRuns, ...]:
        """Return the branches that a tier ran on, the default one first, then by newest run.

        Args:
            tier: The tier; None for all.
            provider: What the runs ran on; None for all.
            default: The default branch.
        """
        with self._reading() as connection:
            return read_branches(connection, tier=tier, provider=provider, default=default)

    def grid(
        self,
        *,
        tier: str,
        provider: str,
        limit: int = 200,
        since: datetime | None = None,
        branch: Branch | None = None,
        with_texts: bool = False,
    ) -> Grid:
        """Return all that a tier's tests did in its newest runs on one provider.

        Args:
            tier: The tier.
            provider: What the runs ran on.
            limit: How many runs at most.
            since: Only runs from this time on.
            branch: Only runs on it; None for all.
            with_texts: Whether with messages and texts of failures, cut to what a page can show.
        """
        with self._reading() as connection:
            grid = read_grid(
                connection,
                tier=tier,
                provider=provider,
                limit=limit,
                since=since,
                branch=branch,
                with_texts=with_texts,
            )
            return renames.follow(connection, grid)

    def durations(self, *, tier: str, provider: str, suite: str) -> Mapping[str, float | None]:
        """Return how long each test of a suite's newest runs takes: the median of where it passed.

        Args:
            tier: The tier.
            provider: What the runs ran on.
            suite: The suite.

        Returns:
            Seconds by test; None for one that has not passed in these runs.
        """
        with self._reading() as connection:
            return read_durations(connection, tier=tier, provider=provider, suite=suite)

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        with self._explained("read"), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        with self._explained("written"), self._engine.connect() as connection:
            # SQLite: take the write lock now. A transaction that reads first and then wants to
            # write fails at once when another has written in between, whatever the busy timeout.
            connection.execution_options(history_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _explained(self, what: str) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            message = f"The history in {self._name} cannot be {what}: {error.orig}."
            raise HistoryUnavailableError(message) from error
