"""Which tests are not there any more: deleted, renamed, or moved elsewhere.

A run without a test says little by itself: it may have been told to leave tests out, may have been
cut short, or may be one shard of several. So a test is gone once the runs of two other commits
that could have shown it did not:

- the suite's verdict blames nothing but tests, and all that was collected reported;
- it deselected no more than the run that the test was last seen in, and was narrowed to the same
  groups;
- it has more than half as many tests as that run, and more than half of those that ran beside it.

Where all tests of a suite got other names at once, no run has those beside it. Then the runs of
five commits without it are enough, if it was never away for nearly so long before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from floe_tests.core.verdict import Cause

if TYPE_CHECKING:
    from floe_tests.results.history.grid import GridTest
    from floe_tests.results.records import RunRecord, SuiteRecord

GONE_COMMITS = 2
"""A test is gone once so many commits ran its suite without it."""
GONE_COMMITS_ALONE = 5
"""The same where those runs have none of the tests that ran beside it."""
GONE_SHARE = 0.5
"""A run shows that a test is gone if it has more than this share of the tests beside it."""

_UNKNOWN = "unknown"
_INCOMPLETE = frozenset({Cause.TESTS_MISSING, Cause.RESULT_LOST})


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A run of a test's suite whose results say something about its tests.

    Attributes:
        at: When the run began.
        commit: The commit; None when unknown.
        tests: How many tests it reported.
        column: Its place in the grid.
        beside: The share that it has of the tests that ran beside the one that is looked at.
    """

    at: datetime
    commit: str | None
    tests: int
    column: int = 0
    beside: float = 1.0


def gone_since(without: Sequence[SuiteRun], last: SuiteRun, *, pause: int = 0) -> SuiteRun | None:
    """Return the first run that shows that a test is gone; None while that is not sure.

    Args:
        without: The runs of its suite since it was last seen that could show it, newest first.
        last: The run that it was last seen in.
        pause: The most runs of its suite that it was away for before.
    """
    showing = [
        run for run in without if run.tests > GONE_SHARE * last.tests and _is_other(run, last)
    ]
    near = [run for run in showing if run.beside > GONE_SHARE]
    if _commits(near) >= GONE_COMMITS:
        return near[-1]
    if _commits(showing) >= GONE_COMMITS_ALONE and len(showing) > 2 * pause:
        return showing[-1]
    return None


def _is_other(run: SuiteRun, last: SuiteRun) -> bool:
    """Whether it is of another commit: the files of one may come one by one."""
    return run.commit in {None, "", _UNKNOWN} or run.commit != last.commit


def _commits(runs: Sequence[SuiteRun]) -> int:
    return len(
        {
            run.commit if run.commit and run.commit != _UNKNOWN else place
            for place, run in enumerate(runs)
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteColumns:
    """A suite over the runs of a grid; lists go by column.

    Attributes:
        runs: The runs.
        suites: The suite in each run; None where it did not run.
        counting: Whether its results say anything about its tests.
        tests: The numbers of its tests, by the columns that have any.
    """

    runs: Sequence[RunRecord]
    suites: Sequence[SuiteRecord | None]
    counting: Sequence[bool]
    tests: Mapping[int, set[int]] = field(default_factory=dict[int, set[int]])
    _shared: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def gone_since(self, test: GridTest) -> SuiteRun | None:
        """Return the first run that shows that a test is gone; None where none does."""
        if not test.cells or test.cells[0].column == 0:
            return None
        last = test.cells[0].column
        return gone_since(
            tuple(self._without(last)),
            self._suite_run(last, beside=1.0),
            pause=self._pause(test),
        )

    def _without(self, last: int) -> Iterator[SuiteRun]:
        seen = self.suites[last]
        others = len(self.tests[last]) - 1
        for column, suite in enumerate(self.suites[:last]):
            if suite is None or seen is None or not self.counting[column]:
                continue
            if _is_whole(suite) and _is_like(suite, seen):
                shared = self._tests_of_both(column, last)
                yield self._suite_run(column, beside=shared / others if others else 1.0)

    def _tests_of_both(self, one: int, other: int) -> int:
        """Return how many tests two runs have in common; many tests ask the same."""
        if (one, other) not in self._shared:
            both = self.tests.get(one, set()) & self.tests.get(other, set())
            self._shared[one, other] = len(both)
        return self._shared[one, other]

    def _suite_run(self, column: int, *, beside: float) -> SuiteRun:
        run, suite = self.runs[column], self.suites[column]
        tests = suite.tally.tests if suite else 0
        return SuiteRun(run.started_at, run.commit, tests, column, beside)

    def _pause(self, test: GridTest) -> int:
        """Return the most runs of the suite that a test was away for between two of its own."""
        return max(
            (
                sum(suite is not None for suite in self.suites[newer.column + 1 : older.column])
                for newer, older in pairwise(test.cells)
                if older.column - newer.column > 1
            ),
            default=0,
        )


def _is_whole(suite: SuiteRecord) -> bool:
    """Whether all that was to run reported; a verdict that misses tests has not lost them."""
    counted = suite.collected is None or suite.reported >= suite.collected
    return counted and not suite.in_flight and suite.cause not in _INCOMPLETE


def _is_like(suite: SuiteRecord, seen: SuiteRecord) -> bool:
    """Whether no more was left out on request than in the run that a test was last seen in."""
    narrowed = bool(suite.selection) and suite.selection != seen.selection
    return not narrowed and (suite.deselected or 0) <= (seen.deselected or 0)


def columns_of(tests: Sequence[GridTest]) -> Mapping[str, Mapping[int, set[int]]]:
    """Return the numbers of each suite's tests by the columns that reported them."""
    found: dict[str, dict[int, set[int]]] = {}
    for test in tests:
        of_suite = found.setdefault(test.suite, {})
        for cell in test.cells:
            if cell.column in of_suite:
                of_suite[cell.column].add(test.test_id)
            else:
                of_suite[cell.column] = {test.test_id}
    return found
