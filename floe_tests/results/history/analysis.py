"""What a tier's grid says of its tests: one account for the page, the command line and Dagster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from floe_tests.results.history.branches import Branch, branch_of
from floe_tests.results.history.flakiness import (
    SUSPECT_ENVIRONMENT,
    Diagnosis,
    Sighting,
    Standing,
    SuiteRun,
    counts,
    diagnose,
    gone_since,
)
from floe_tests.results.history.grid import Grid, GridTest
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord, SuiteRecord

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
    context = _Context(
        runs=grid.runs,
        suites=suites,
        counting={name: [_counts(each) for each in of] for name, of in suites.items()},
    )
    gone = {test.test_id: _gone_since(test, context) for test in grid.tests}
    medians = {test.test_id: _median_seconds(test) for test in grid.tests}
    slow = _slow({test: seconds for test, seconds in medians.items() if seconds and not gone[test]})
    return tuple(
        _account(
            test,
            context,
            gone=gone[test.test_id],
            median_seconds=medians[test.test_id],
            is_slow=test.test_id in slow,
        )
        for test in grid.tests
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the tests of a grid share: all lists go by column."""

    runs: Sequence[RunRecord]
    suites: Mapping[str, Sequence[SuiteRecord | None]]
    counting: Mapping[str, Sequence[bool]]


def _counts(suite: SuiteRecord | None) -> bool:
    return suite is not None and counts(cause=suite.cause, fault=suite.fault)


def _gone_since(test: GridTest, context: _Context) -> SuiteRun | None:
    """Return the first run that shows that a test is gone; None where none does."""
    if not test.cells or test.cells[0].column == 0:
        return None
    seen = test.cells[0].column
    suites, counting = context.suites[test.suite], context.counting[test.suite]
    runs = {
        column: SuiteRun(
            context.runs[column].started_at, context.runs[column].commit, of.tally.tests
        )
        for column, of in enumerate(suites[: seen + 1])
        if of is not None and (column == seen or (counting[column] and not of.deselected))
    }
    last = runs.pop(seen)
    return gone_since(tuple(runs.values()), last)


def _account(
    test: GridTest,
    context: _Context,
    *,
    gone: SuiteRun | None,
    median_seconds: float | None,
    is_slow: bool,
) -> TestAccount:
    suites = context.suites.get(test.suite, ())
    sightings = _sightings(test, context)
    counting = context.counting.get(test.suite, ())
    outcomes = [cell.outcome for cell in test.cells if counting[cell.column]]
    ran = [cell.column for cell in test.cells if cell.outcome in _RAN]
    newest_suite = suites[ran[0]] if ran else None
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
        is_new=not gone and oldest is not None and oldest < NEW_RUNS <= _last_column(suites),
        is_newly_failing=not gone and _is_newly_failing(sightings),
        is_slow=is_slow,
        is_quarantined=(
            not gone and newest_suite is not None and test.name in newest_suite.quarantined
        ),
    )


def _sightings(test: GridTest, context: _Context) -> list[Sighting]:
    counting = context.counting.get(test.suite, ())
    return [
        Sighting(
            at=context.runs[column].started_at,
            failing=outcome in _FAILING,
            commit=context.runs[column].commit,
            reruns=reruns,
            passed_later=passed_later,
        )
        for column, outcome, _, reruns, passed_later in test.cells
        if outcome in _RAN and counting[column]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAccount:
    """A tier on one provider and branch, in numbers.

    Attributes:
        grid: Its newest runs.
        accounts: Its tests.
        branch: The branch that the runs were on.
        measured_at: When it was read from the history.
    """

    grid: Grid
    accounts: tuple[TestAccount, ...]
    branch: str
    measured_at: datetime

    @property
    def reported(self) -> int:
        """Tests that at least one of the runs shown reported."""
        return sum(each.newest is not None for each in self.accounts)

    @property
    def failing(self) -> int:
        """Tests whose newest result that says something is a failure."""
        return sum(each.is_failing for each in self.accounts)

    @property
    def flaky(self) -> int:
        """Tests that are flaky, confirmed or suspected."""
        return sum(each.is_flaky for each in self.accounts)

    @property
    def broken(self) -> int:
        """Tests that are broken."""
        return sum(each.diagnosis.standing is Standing.BROKEN for each in self.accounts)

    @property
    def is_outage(self) -> bool:
        """Whether nearly everything failed at once in the newest run."""
        return bool(self.grid.runs) and self.grid.runs[0].cause == SUSPECT_ENVIRONMENT

    @property
    def quarantined(self) -> int:
        """Tests whose newest failure the quarantine list let pass."""
        return sum(each.is_quarantined for each in self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the history.

    Attributes:
        tier: Only this tier.
        provider: Only runs on this environment.
        since: Only runs from this time on.
        runs: How many of the newest runs at most, a tier and environment.
        ref: The branch or tag to look at; None for the default branch, and for a tier that has
            never run on it the branch of its newest run.
        default_branch: The default branch; runs that name no branch count as its own.
    """

    tier: str | None = None
    provider: str | None = None
    since: datetime | None = None
    runs: int = 200
    ref: str | None = None
    default_branch: str = "main"

    @property
    def branch(self) -> Branch:
        """The branch that is looked at first."""
        return branch_of(self.ref, default=self.default_branch)


def read_accounts(
    history: History, question: Question, *, with_texts: bool = False
) -> tuple[TierAccount, ...]:
    """Read the account of each tier on each provider that is asked for.

    Args:
        history: The history.
        question: What is asked of it.
        with_texts: Whether with messages and texts of failures.
    """
    found: list[TierAccount] = []
    for tier, provider in history.tiers():
        if question.tier in {None, tier} and question.provider in {None, provider}:
            branch = _branch(history, question, tier=tier, provider=provider)
            if branch is None:
                continue
            grid = history.grid(
                tier=tier,
                provider=provider,
                limit=question.runs,
                since=question.since,
                branch=branch,
                with_texts=with_texts,
            )
            found.append(
                TierAccount(
                    grid=grid,
                    accounts=accounts_of(grid),
                    branch=branch.name,
                    measured_at=datetime.now(UTC),
                )
            )
    return tuple(found)


def _branch(history: History, question: Question, *, tier: str, provider: str) -> Branch | None:
    """Return the branch of a tier that is shown; None where it has no run on the one asked for."""
    if history.runs(tier=tier, provider=provider, limit=1, branch=question.branch):
        return question.branch
    if question.ref is not None:
        return None
    (newest,) = history.runs(tier=tier, provider=provider, limit=1)
    return branch_of(newest.ref, default=question.default_branch)
