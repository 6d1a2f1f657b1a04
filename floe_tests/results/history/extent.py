"""How much of a tier a run reported: 182 of 2,426 tests are not "182 passed of 182".

What a run was to report is what the history knew of the tier's suites then: every test that some
run had reported, until it is gone (`gone.py`). A suite that the newest ten runs left out altogether
is none of the tier's any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from floe_tests.results.history.account import NEW_RUNS, TestAccount
from floe_tests.results.history.grid import Grid
from floe_tests.results.records import RunRecord, SuiteRecord

_SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteExtent:
    """How much of a suite a run reported.

    Attributes:
        suite: The suite.
        reported: Tests of it that reported, skipped ones included.
        known: Tests of it that were known at that time, at least `reported`.
        running: Names of the tests that were running when the results ended.
    """

    suite: str
    reported: int
    known: int
    running: tuple[str, ...] = ()

    @property
    def not_reported(self) -> int:
        """Tests that were known and did not report."""
        return self.known - self.reported


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a tier a run reported.

    Attributes:
        suites: Its suites, by name; also those that the run left out.
    """

    suites: tuple[SuiteExtent, ...] = ()

    @property
    def reported(self) -> int:
        """Tests that reported."""
        return sum(each.reported for each in self.suites)

    @property
    def known(self) -> int:
        """Tests that were known."""
        return sum(each.known for each in self.suites)

    @property
    def not_reported(self) -> int:
        """Tests that were known and did not report."""
        return self.known - self.reported

    @property
    def is_partial(self) -> bool:
        """Whether a test that was known did not report."""
        return self.not_reported > 0

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the tests that were running when the results ended."""
        return tuple(name for each in self.suites for name in each.running)

    def of(self, suite: str) -> SuiteExtent | None:
        """Return a suite's part; None for a suite that is not known."""
        return next((each for each in self.suites if each.suite == suite), None)

    def __str__(self) -> str:
        """Say it in a line, as in `182 of 2,426 tests reported, 2,244 did not run`."""
        words = f"{self.reported:,} of {self.known:,} tests reported"
        if self.is_partial:
            words += f", {self.not_reported:,} did not run"
        if self.running:
            more = len(self.running) - _SHOWN_NAMES
            words += f"; running at the end: {', '.join(self.running[:_SHOWN_NAMES])}"
            words += f" and {more:,} more" if more > 0 else ""
        return words


def extents_of(grid: Grid, accounts: Sequence[TestAccount]) -> tuple[Extent, ...]:
    """Return how much each run of a grid reported, by column.

    Args:
        grid: A tier's newest runs on one branch.
        accounts: Its tests, as `accounts_of` returns them.
    """
    count = len(grid.runs)
    reported: dict[str, list[int]] = {}
    changes: dict[str, list[int]] = {}
    for each in accounts:
        test = each.test
        if test.cells and not test.is_collection:
            cells = reported.setdefault(test.suite, [0] * count)
            for cell in test.cells:
                cells[cell.column] += 1
            # Known from its first run on, until it is gone.
            change = changes.setdefault(test.suite, [0] * (count + 1))
            gone = each.diagnosis.gone_since
            change[gone.column + 1 if gone else 0] += 1
            change[test.cells[-1].column + 1] -= 1
    known = {suite: _sums(change[:count]) for suite, change in changes.items()}
    oldest = _oldest(grid.runs)
    return tuple(
        Extent(
            tuple(
                _suite_extent(
                    suite,
                    run,
                    reported=reported[suite][column],
                    known=known[suite][column],
                    is_first=oldest[suite] == column,
                )
                for suite in sorted(known)
                if _is_of_tier(suite, grid.runs[column : column + NEW_RUNS])
            )
        )
        for column, run in enumerate(grid.runs)
    )


def extent_of_run(run: RunRecord, accounts: Sequence[TestAccount], grid: Grid) -> Extent:
    """Return how much a run reported, beside what its tier's history knows now.

    Args:
        run: The run with its cases, on whatever branch.
        accounts: The tests of the tier on the default branch.
        grid: The runs that they are from.
    """
    known: dict[str, set[str]] = {}
    newest_names: dict[str, str] = {}
    for each in accounts:
        if each.test.cells and not each.is_gone and not each.test.is_collection:
            known.setdefault(each.test.suite, set()).add(each.test.name)
            newest_names |= dict.fromkeys(each.test.earlier_names, each.test.name)
    now = {
        suite.name: {
            newest_names.get(case.name, case.name) for case in suite.cases if not case.is_collection
        }
        for suite in run.suites
    }
    recent = [other for other in grid.runs if other.run_id != run.run_id]
    return Extent(
        tuple(
            _suite_extent(
                suite,
                run,
                reported=len(now.get(suite, ())),
                known=len(known.get(suite, set()) | now.get(suite, set())),
                is_first=all(each.name != suite for other in recent for each in other.suites),
            )
            for suite in sorted({*known, *now})
            if suite in now or _is_of_tier(suite, recent[:NEW_RUNS])
        )
    )


def _suite_extent(
    suite: str, run: RunRecord, *, reported: int, known: int, is_first: bool
) -> SuiteExtent:
    record = _suite_of(run, suite)
    counted = 0
    if record is not None and record.collected is not None:
        # What a suite always leaves out is not its own; of the first run nobody knows better.
        left_out = record.deselected if record.selection and is_first else 0
        counted = record.collected + (left_out or 0)
    return SuiteExtent(
        suite=suite,
        reported=reported,
        known=max(known, reported, counted),
        running=record.in_flight if record else (),
    )


def _suite_of(run: RunRecord, name: str) -> SuiteRecord | None:
    return next((each for each in run.suites if each.name == name), None)


def _is_of_tier(suite: str, runs: Sequence[RunRecord]) -> bool:
    return any(_suite_of(run, suite) is not None for run in runs)


def _oldest(runs: Sequence[RunRecord]) -> Mapping[str, int]:
    return {suite.name: column for column, run in enumerate(runs) for suite in run.suites}


def _sums(changes: Sequence[int]) -> list[int]:
    total, sums = 0, list[int]()
    for change in changes:
        total += change
        sums.append(total)
    return sums
