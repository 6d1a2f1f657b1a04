"""A tier's newest runs and all that their tests did: what the grid shows and the rules look at.

A cell is a tuple of a few numbers, because there are 200,000 of them.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, Text, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from floe_tests.results.history.branches import Branch
from floe_tests.results.history.models import CaseRow, CaseTextRow, RunRow, SuiteRow, TestRow
from floe_tests.results.history.rows import run_records
from floe_tests.results.records import RunRecord

MESSAGE_CHARACTERS = 400
TEXT_CHARACTERS = 1_500
"""The end of a traceback says most; the whole stands in the run's JUnit file."""
TEXTS_CHARACTERS = 3_000_000
"""Most of all texts together, give or take those of one suite; equal ones are many."""

_TEXTS_A_SUITE = 2_000
_FAILING = ("failed", "error")


class Cell(NamedTuple):
    """What a test did in one run.

    Attributes:
        column: Which run: its place in `Grid.runs`.
        outcome: How it ended.
        seconds: How long it took.
        reruns: How often the test tool ran it again before that.
        passed_later: Whether it failed, and passed in a later attempt of that run.
    """

    column: int
    outcome: str
    seconds: float
    reruns: int
    passed_later: bool = False


class CaseText(NamedTuple):
    """Why a case failed or was skipped, cut to what a page can show."""

    message: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTest:
    """A test and its cells.

    Attributes:
        test_id: Its number in the history.
        suite: Its suite.
        name: Its name.
        file: Source file, where known.
        line: Line in it, where known.
        is_collection: Whether it is a module that could not be collected, and no test.
        earlier_names: Names that it had before, by the user's word.
        cells: What it did, newest run first; nothing for a run that did not report it.
        texts: Message and text by column, for failures and the newest run's skips.
    """

    test_id: int
    suite: str
    name: str
    file: str | None = None
    line: int | None = None
    is_collection: bool = False
    earlier_names: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    texts: Mapping[int, CaseText] = field(default_factory=dict[int, CaseText])

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the newest first."""
        return (self.name, *self.earlier_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A tier on one provider.

    Attributes:
        tier: The tier.
        provider: What its runs ran on.
        runs: Its newest runs, newest first, without their cases.
        tests: Every test of the tier that the history knows, by suite and name; those that none of
            these runs reported have no cells.
        total_runs: How many runs the history has of it on this branch, those not shown included.
    """

    tier: str
    provider: str
    runs: tuple[RunRecord, ...]
    tests: tuple[GridTest, ...]
    total_runs: int


def read_grid(  # noqa: PLR0913 - one a choice of the reader
    connection: Connection,
    *,
    tier: str,
    provider: str,
    limit: int,
    since: datetime | None,
    branch: Branch | None,
    with_texts: bool,
) -> Grid:
    """Read a tier's grid: six queries, however many runs and tests there are."""
    of_tier = (RunRow.tier == tier) & (RunRow.provider == provider)
    if branch is not None:
        of_tier &= branch.runs()
    query = select(RunRow.__table__).where(of_tier)
    if since is not None:
        query = query.where(RunRow.started_at >= since)
    query = query.order_by(RunRow.started_at.desc(), RunRow.run_id.desc()).limit(limit)
    runs = run_records(connection, connection.execute(query).all())
    total = select(func.count()).select_from(RunRow).where(of_tier)
    columns = _columns(connection, runs)
    cells = _cells(connection, columns)
    texts = _texts(connection, columns) if with_texts else {}
    return Grid(
        tier=tier,
        provider=provider,
        runs=runs,
        tests=tuple(
            GridTest(
                test_id=row.test_id,
                suite=row.suite,
                name=row.name,
                file=row.file,
                line=row.line,
                is_collection=row.is_collection,
                cells=tuple(sorted(cells.get(row.test_id, ()))),
                texts=texts.get(row.test_id, {}),
            )
            for row in _tests(connection, tier)
        ),
        total_runs=connection.execute(total).scalar_one(),
    )


def _columns(connection: Connection, runs: Sequence[RunRecord]) -> dict[int, int]:
    """Return the column of each suite of the runs."""
    numbers = {run.run_id: number for number, run in enumerate(runs)}
    query = select(SuiteRow.suite_id, SuiteRow.run_id).where(SuiteRow.run_id.in_(numbers))
    return {row.suite_id: numbers[row.run_id] for row in connection.execute(query)}


def _tests(
    connection: Connection, tier: str
) -> Sequence[Row[tuple[int, str, str, str | None, int | None, bool]]]:
    query = (
        select(
            TestRow.test_id,
            TestRow.suite,
            TestRow.name,
            TestRow.file,
            TestRow.line,
            TestRow.is_collection,
        )
        .where(TestRow.tier == tier)
        .order_by(TestRow.suite, TestRow.name)
    )
    return connection.execute(query).all()


def _cells(connection: Connection, columns: Mapping[int, int]) -> dict[int, list[Cell]]:
    """Read the cells past SQLAlchemy, whose objects for 200,000 rows take as long as the rows."""
    if not columns:
        return {}
    numbers = ", ".join(str(suite_id) for suite_id in columns)
    query = (
        "SELECT suite_id, test_id, outcome, seconds, reruns, passed_later FROM history_cases "  # noqa: S608 - numbers
        f"WHERE suite_id IN ({numbers})"
    )
    cursor = connection.connection.cursor()
    cells: dict[int, list[Cell]] = {}
    # 200,000 new tuples would make the collector look through all objects again and again, for half
    # of the time that this takes.
    collects = gc.isenabled()
    gc.disable()
    try:
        cursor.execute(query)
        for suite_id, test_id, outcome, seconds, reruns, passed_later in cursor.fetchall():
            cell = Cell(columns[suite_id], outcome, seconds, reruns, bool(passed_later))
            if test_id in cells:
                cells[test_id].append(cell)
            else:
                cells[test_id] = [cell]
    finally:
        if collects:
            gc.enable()
        cursor.close()
    return cells


def _texts(connection: Connection, columns: Mapping[int, int]) -> dict[int, dict[int, CaseText]]:
    """Read the texts of the newest runs first, and no more than a page will hold."""
    texts: dict[int, dict[int, CaseText]] = {}
    left = TEXTS_CHARACTERS
    for suite_id, column in sorted(columns.items(), key=lambda item: item[1]):
        query = (
            select(
                CaseTextRow.test_id,
                func.substr(CaseTextRow.message, 1, MESSAGE_CHARACTERS),
                _end_of_text(connection),
            )
            .join(
                CaseRow,
                (CaseRow.suite_id == CaseTextRow.suite_id)
                & (CaseRow.test_id == CaseTextRow.test_id),
            )
            .where(CaseTextRow.suite_id == suite_id)
            .limit(_TEXTS_A_SUITE)
        )
        if column > 0:
            query = query.where(CaseRow.outcome.in_(_FAILING))
        for test_id, message, text in connection.execute(query):
            texts.setdefault(test_id, {})[column] = CaseText(message, text)
            left -= len(message) + len(text)
        if left <= 0:
            break
    return texts


def _end_of_text(connection: Connection) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return func.right(CaseTextRow.text, literal(TEXT_CHARACTERS), type_=Text())
    return func.substr(CaseTextRow.text, -TEXT_CHARACTERS, type_=Text())
