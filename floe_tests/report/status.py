"""How every tier stands: the numbers of the front page and of `floe-tests status`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from floe_tests.core.errors import FloeTestsError
from floe_tests.report.triage import Group, needs_of
from floe_tests.results.history.analysis import Question, TierAccount, read_accounts
from floe_tests.results.history.comparison import read_comparison
from floe_tests.results.history.extent import Extent
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord

TREND = 30
"""So many of the newest runs are a tier's trend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPoint:
    """A run in a tier's trend.

    Attributes:
        run_id: The run.
        at: When it began, UTC.
        cause: Cause of its verdict.
        fault: Whose fault it was; `none` for a green one.
        tests: Tests that reported.
        known: Tests that were known then, at least as many.
        failed: Tests that failed, errors included.
    """

    run_id: str
    at: datetime
    cause: str
    fault: str
    tests: int
    known: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What needs somebody, counted.

    Attributes:
        name: The kind, a word for programs.
        title: What people read.
        tests: How many tests.
        first: What the most pressing of them said, or its name.
    """

    name: str
    title: str
    tests: int
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierStatus:
    """A tier on one environment, in short.

    Attributes:
        tier: The tier.
        environment: What its runs ran on; empty for a tier that never ran.
        branch: The branch that is looked at.
        health: `healthy`, `failing`, `wavering`, `not judged` or `never ran`.
        summary: The newest verdict and its cause in one line.
        extent: How much of the tier the newest run reported, where it was not all of it.
        cause: The newest verdict.
        fault: Whose fault it was.
        run_id: The newest run.
        tested: Its commit, or the platform's version.
        ran_at: When it began, UTC; None for a tier that never ran.
        seconds: How long it took.
        tests: Tests that the runs looked at know.
        failing: Those that fail now.
        flaky: Those that are flaky.
        quarantined: Those that the quarantine list lets fail.
        needs: What needs somebody, most pressing first.
        trend: The newest runs, newest first.
    """

    tier: str
    environment: str = ""
    branch: str = ""
    health: str = "never ran"
    summary: str = ""
    extent: str = ""
    cause: str = ""
    fault: str = "none"
    run_id: str = ""
    tested: str = ""
    ran_at: datetime | None = None
    seconds: float | None = None
    tests: int = 0
    failing: int = 0
    flaky: int = 0
    quarantined: int = 0
    needs: tuple[Need, ...] = ()
    trend: tuple[RunPoint, ...] = ()


def read_status(
    history: History,
    question: Question,
    *,
    tiers: Iterable[str] = (),
    known: Sequence[TierAccount] = (),
) -> tuple[TierStatus, ...]:
    """Return how every tier stands, those that need somebody first.

    Args:
        history: The history.
        question: Which tiers, on which environment and branch.
        tiers: The project's tiers, so that one that never ran is named too.
        known: Accounts that were read just now: their tiers are not read again.
    """
    accounts = [each for each in known if question.tier in {None, each.grid.tier}]
    read = {each.grid.tier for each in accounts}
    for tier in sorted({tier for tier, _ in history.tiers()} - read):
        if question.tier in {None, tier}:
            accounts += read_accounts(history, replace(question, tier=tier), with_texts=True)
    found = [
        status_of(each, _there(history, question, each)) for each in accounts if each.grid.runs
    ]
    ran = {each.tier for each in found}
    found += [
        TierStatus(tier=tier)
        for tier in tiers
        if tier not in ran and question.tier in {None, tier} and question.provider is None
    ]
    return tuple(sorted(found, key=lambda each: (_ORDER[each.health], each.tier)))


_ORDER = {
    name: place
    for place, name in enumerate(("failing", "not judged", "wavering", "healthy", "never ran"))
}


def _there(history: History, question: Question, here: TierAccount) -> TierAccount | None:
    compared = None if here.is_default else read_comparison(history, question, here)
    return compared.there if compared else None


# What ended a run otherwise says nothing about what it tests.
_TO_MEND = frozenset({"test", "platform", "resources", "configuration"})


def status_of(account: TierAccount, there: TierAccount | None = None) -> TierStatus:
    """Return how a tier stands that has run.

    Args:
        account: The tier, with texts.
        there: The tier on the default branch, for one on another.
    """
    newest, needs, extents = account.grid.runs[0], _needs(account, there), account.extents
    return TierStatus(
        tier=account.grid.tier,
        environment=account.grid.provider,
        branch=account.branch,
        health=_health(account, newest, needs),
        summary=newest.summary or newest.cause,
        extent=str(extents[0]) if extents[0].is_partial else "",
        cause=newest.cause,
        fault=newest.fault or "none",
        run_id=newest.run_id,
        tested=newest.tested,
        ran_at=newest.started_at,
        seconds=_seconds(newest),
        tests=account.reported,
        failing=account.failing,
        flaky=account.flaky,
        quarantined=account.quarantined,
        needs=needs,
        trend=tuple(map(_point, account.grid.runs[:TREND], extents)),
    )


def _health(account: TierAccount, newest: RunRecord, needs: Sequence[Need]) -> str:
    fault = newest.fault or "none"
    if account.is_outage or fault not in {"none", *_TO_MEND}:
        return "not judged"
    names = {each.name for each in needs}
    if fault in _TO_MEND or names & {"new", "failing"}:
        return "failing"
    return "wavering" if names & {"newly flaky", "flaky", "flaky there"} else "healthy"


def _needs(account: TierAccount, there: TierAccount | None) -> tuple[Need, ...]:
    return tuple(
        Need(
            name=section.name,
            title=section.title,
            tests=section.tests,
            first=_first_of(section.groups[0]),
        )
        for section in needs_of(account, there)
    )


def _first_of(group: Group) -> str:
    if group.label and group.tests and not group.runs:  # a number says little without its test
        return f"{group.tests[0].test.name}: {group.label}"
    return group.label or group.tests[0].test.name


def _seconds(run: RunRecord) -> float | None:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None


def _point(run: RunRecord, extent: Extent) -> RunPoint:
    return RunPoint(
        run_id=run.run_id,
        at=run.started_at,
        cause=run.cause,
        fault=run.fault or "none",
        tests=extent.reported,
        known=extent.known,
        failed=sum(suite.tally.failing for suite in run.suites),
    )


def tier_names(root: Path) -> tuple[str, ...]:
    """Return the project's tiers, also those that cannot run; none where there is no project."""
    from floe_tests.config.loader import read_tiers

    try:
        return read_tiers(root).names
    except FloeTestsError:
        return ()
