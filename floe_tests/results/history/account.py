"""What a grid says of each of its tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median

from floe_tests.results.history.flakiness import (
    Diagnosis,
    Sighting,
    Standing,
    counts,
    diagnose,
)
from floe_tests.results.history.gone import SuiteColumns, SuiteRun, columns_of
from floe_tests.results.history.grid import Grid, GridTest
from floe_tests.results.records import SuiteRecord

NEW_RUNS = 10
"""A test that none but so many of the newest runs knows is new."""
NEWLY_FAILING_RESULTS = 5
SLOW_TESTS = 20
SLOW_SHARE = 0.5
"""The slow tests are the fewest that together take this share of the tier's time, at most 20."""

_FAILING = frozenset({"failed", "error"})
_RAN = frozenset({"passed", *_FAILING})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAccount:
    """A test and what its past says.

    Attributes:
        test: The test with its cells.
        diagnosis: What the rules of flakiness say.
        passed: Runs in which it passed, of those shown whose results count.
        failed: Such runs in which it failed, errors included.
        skipped: Such runs in which it was skipped.
        newest: Its newest outcome, whether it counts or not; None when no run shown reported it.
        median_seconds: Over the runs in which it ran; None when it never did.
        is_new: Whether only the newest runs know it.
        is_newly_failing: Whether it fails now and passed shortly before.
        is_slow: Whether it is one of those that take most of the tier's time.
        is_quarantined: Whether its newest failure was let pass by the quarantine list.
    """

    __test__ = False  # no test class of pytest's

    test: GridTest
    diagnosis: Diagnosis
    passed: int
    failed: int
    skipped: int
    newest: str | None
    median_seconds: float | None
    is_new: bool
    is_newly_failing: bool
    is_slow: bool = False
    is_quarantined: bool = False

    @property
    def is_failing(self) -> bool:
        """Whether its newest result that says something is a failure: a skip has mended nothing."""
        return self.diagnosis.failing_since is not None

    @property
    def is_gone(self) -> bool:
        """Whether the newest runs of its suite do not know it any more."""
        return self.diagnosis.standing is Standing.GONE

    @property
    def is_flaky(self) -> bool:
        """Whether it is flaky by the rules, confirmed or suspected."""
        return self.diagnosis.standing in {Standing.FLAKY, Standing.SUSPECTED}

    @property
    def never_ran(self) -> bool:
        """Whether no run shown that counts got beyond skipping it."""
        return not self.passed and not self.failed and not self.is_gone


def accounts_of(grid: Grid) -> tuple[TestAccount, ...]:
    """Return an account of every test of a grid, in its order.

    Args:
        grid: A tier's newest runs on one branch.
    """
    suites: dict[str, list[SuiteRecord | None]] = {}
    for number, run in enumerate(grid.runs):
        for suite in run.suites:
            suites.setdefault(suite.name, [None] * len(grid.runs))[number] = suite
    tests = columns_of(grid.tests)
    columns = {
        name: SuiteColumns(
            runs=grid.runs,
            suites=of,
            counting=[suite_counts(each) for each in of],
            tests=tests.get(name, {}),
        )
        for name, of in suites.items()
    }
    gone = {test.test_id: columns[test.suite].gone_since(test) for test in grid.tests if test.cells}
    medians = {test.test_id: _median_seconds(test) for test in grid.tests}
    slow = _slow(
        {test: seconds for test, seconds in medians.items() if seconds and not gone.get(test)}
    )
    return tuple(
        _account(
            test,
            columns.get(test.suite, _NOWHERE),
            gone=gone.get(test.test_id),
            median_seconds=medians[test.test_id],
            is_slow=test.test_id in slow,
        )
        for test in grid.tests
    )


_NOWHERE = SuiteColumns(runs=(), suites=(), counting=())
"""The columns of a suite that no run shown has."""


def suite_counts(suite: SuiteRecord | None) -> bool:
    """Whether a suite of a run ran, and its results say anything about its tests."""
    return suite is not None and counts(cause=suite.cause, fault=suite.fault)


def _account(
    test: GridTest,
    of: SuiteColumns,
    *,
    gone: SuiteRun | None,
    median_seconds: float | None,
    is_slow: bool,
) -> TestAccount:
    sightings = _sightings(test, of)
    outcomes = [cell.outcome for cell in test.cells if of.counting[cell.column]]
    ran = [cell.column for cell in test.cells if cell.outcome in _RAN]
    newest_suite = of.suites[ran[0]] if ran else None
    passed = outcomes.count("passed")
    skipped = outcomes.count("skipped")
    oldest = test.cells[-1].column if test.cells else None
    return TestAccount(
        test=test,
        diagnosis=diagnose(sightings, gone=gone),
        passed=passed,
        failed=len(outcomes) - passed - skipped,
        skipped=skipped,
        newest=test.cells[0].outcome if test.cells else None,
        median_seconds=median_seconds,
        is_new=not gone and oldest is not None and oldest < NEW_RUNS <= _last_column(of.suites),
        is_newly_failing=not gone and _is_newly_failing(sightings),
        is_slow=is_slow,
        is_quarantined=(
            not gone
            and newest_suite is not None
            and any(name in newest_suite.quarantined for name in test.names)
        ),
    )


def _sightings(test: GridTest, of: SuiteColumns) -> list[Sighting]:
    return [
        Sighting(
            at=of.runs[column].started_at,
            failing=outcome in _FAILING,
            commit=of.runs[column].commit,
            reruns=reruns,
            passed_later=passed_later,
        )
        for column, outcome, _, reruns, passed_later in test.cells
        if outcome in _RAN and of.counting[column]
    ]


def _last_column(suites: Sequence[SuiteRecord | None]) -> int:
    """Return the oldest run that reported tests of the suite."""
    return max((n for n, suite in enumerate(suites) if suite and suite.tally.tests), default=0)


def _is_newly_failing(sightings: Sequence[Sighting]) -> bool:
    streak = next((n for n, each in enumerate(sightings) if not each.failing), None)
    return streak is not None and 0 < streak <= NEWLY_FAILING_RESULTS


def _median_seconds(test: GridTest) -> float | None:
    seconds = [cell.seconds for cell in test.cells if cell.outcome in _RAN]
    return median(seconds) if seconds else None


def _slow(medians: dict[int, float]) -> Collection[int]:
    wanted, taken = sum(medians.values()) * SLOW_SHARE, 0.0
    slow: set[int] = set()
    for test, seconds in sorted(medians.items(), key=lambda item: -item[1])[:SLOW_TESTS]:
        if taken >= wanted:
            break
        slow.add(test)
        taken += seconds
    return slow
