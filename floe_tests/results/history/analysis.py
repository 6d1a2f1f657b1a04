"""What a tier's grid says of its tests: one account for the page, the command line and Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from floe_tests.core.extras import has_extra
from floe_tests.results.history.account import TestAccount, accounts_of
from floe_tests.results.history.branches import Branch, BranchRuns, branch_of, in_words
from floe_tests.results.history.extent import Extent, extents_of
from floe_tests.results.history.flakiness import SUSPECT_ENVIRONMENT, Standing
from floe_tests.results.history.grid import Grid
from floe_tests.results.history.slower import Slower, slower_tests
from floe_tests.results.history.store import History


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAccount:
    """A tier on one provider and branch, in numbers.

    Attributes:
        grid: Its newest runs.
        accounts: Its tests.
        branch: The branch that the runs were on.
        measured_at: When it was read from the history.
        branches: Every branch that the history has runs of, the default one first.
        is_default: Whether it is the default branch's.
        note: What to say where another branch is shown than was asked for; else empty.
    """

    grid: Grid
    accounts: tuple[TestAccount, ...]
    branch: str
    measured_at: datetime
    branches: tuple[BranchRuns, ...] = ()
    is_default: bool = True
    note: str = ""

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
    def extents(self) -> tuple[Extent, ...]:
        """How much of the tier each run shown reported, by column."""
        return extents_of(self.grid, self.accounts)

    def slower(self) -> tuple[Slower, ...]:
        """Return the tests that became slower, those that lost most time first: takes a second.

        It needs the statistics of the extra `measure`: without, no test is.
        """
        if not has_extra("measure"):
            return ()
        return slower_tests(self.grid, self.accounts)

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
        ref: The branch, tag or pull request to look at; None for the default branch, and for a
            tier that has never run on it the branch of its newest run.
        default_branch: The default branch; runs that name no ref count as its own.
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
    return tuple(
        account
        for tier, provider in history.tiers()
        if question.tier in {None, tier}
        and question.provider in {None, provider}
        and (account := _account(history, question, tier, provider, with_texts=with_texts))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBranch:
    """The branch of a tier that is shown.

    Attributes:
        branch: The branch.
        branches: Every branch that the tier has runs of, the default one first.
        note: What to say where it is another than was asked for; else empty.
    """

    branch: Branch
    branches: tuple[BranchRuns, ...]
    note: str = ""


def shown_branch(
    history: History, question: Question, *, tier: str, provider: str
) -> ShownBranch | None:
    """Return the branch of a tier that is shown; None where it has no run on the one asked for.

    A tier that never ran on the default branch shows the branch of its newest run, and says so.
    """
    asked = question.branch
    branches = history.branches(tier=tier, provider=provider, default=question.default_branch)
    if asked.name in {each.name for each in branches}:
        return ShownBranch(branch=asked, branches=branches)
    if question.ref is not None or not branches:
        return None
    newest = max(branches, key=lambda each: each.newest)
    note = (
        f"No runs on {asked.name}; the refs with runs are {in_words(branches)}. Shown is "
        f"{newest.name}, which ran last."
    )
    return ShownBranch(branch=Branch(newest.name), branches=branches, note=note)


def _account(
    history: History, question: Question, tier: str, provider: str, *, with_texts: bool
) -> TierAccount | None:
    shown = shown_branch(history, question, tier=tier, provider=provider)
    if shown is None:
        return None
    grid = history.grid(
        tier=tier,
        provider=provider,
        limit=question.runs,
        since=question.since,
        branch=shown.branch,
        with_texts=with_texts,
    )
    return TierAccount(
        grid=grid,
        accounts=accounts_of(grid),
        branch=shown.branch.name,
        measured_at=datetime.now(UTC),
        branches=shown.branches,
        is_default=shown.branch.is_default,
        note=shown.note,
    )
