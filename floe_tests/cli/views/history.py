"""What the history says, as tables and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from rich.console import Console

from floe_tests.cli.views import comparison, slower
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.ledger import as_json
from floe_tests.report.words import cell
from floe_tests.results.cases import legible
from floe_tests.results.history.account import TestAccount
from floe_tests.results.history.analysis import Question, TierAccount
from floe_tests.results.history.branches import in_words
from floe_tests.results.history.comparison import BranchComparison
from floe_tests.results.history.store import History
from floe_tests.results.records import CaseRun, RunRecord

if TYPE_CHECKING:
    from rich.console import Console

Show = Literal[
    "noteworthy",
    "failing",
    "newly-failing",
    "flaky",
    "slowest",
    "slower",
    "new",
    "never-run",
    "gone",
]

_SPAN = re.compile(r"(?P<number>[1-9][0-9]{0,4})(?P<unit>[hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MESSAGE_CHARACTERS = 200

_COLUMNS = [
    "test",
    "suite",
    "standing",
    "newest",
    "pass/fail/skip",
    "median_s",
    "since",
    "last_seen",
]

_CHOICES: dict[Show, Callable[[TestAccount], bool]] = {
    "noteworthy": lambda each: (
        each.is_failing
        or (each.is_gone and each.newest in {"failed", "error"})
        or each.diagnosis.standing not in {"stable", "never run", "gone"}
    ),
    "failing": lambda each: each.is_failing,
    "newly-failing": lambda each: each.is_newly_failing,
    "flaky": lambda each: each.is_flaky,
    "slowest": lambda each: each.median_seconds is not None and not each.is_gone,
    "slower": lambda _: False,  # a list of its own: `slower.py`
    "new": lambda each: each.is_new,
    "never-run": lambda each: each.never_ran,
    "gone": lambda each: each.is_gone,
}


def time_of(text: str, *, now: datetime) -> datetime:
    """Read `7d`, `12h`, `2w` or a date as a time.

    Raises:
        ConfigurationError: It is none of these.
    """
    span = _SPAN.fullmatch(text)
    try:
        if span:
            return now - int(span["number"]) * _UNITS[span["unit"]]
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is no time: write 12h, 7d, 2w or a date such as 2026-11-24."
        raise ConfigurationError(message) from error


def show_named(text: str) -> Show:
    """Return the choice of tests of a name.

    Raises:
        ConfigurationError: There is no such choice.
    """
    for name in get_args(Show):
        if name == text:
            return name
    choices = (*get_args(Show), "measurements", "soak")
    message = f"--show {text}: there is no such choice. Use one of {', '.join(choices)}."
    raise ConfigurationError(message)


def require_known(history: History, question: Question) -> None:
    """Refuse a tier, an environment or a ref that the history has no run of: it was mistyped.

    Raises:
        ConfigurationError: There is none; the message names those that there are.
    """
    known = history.tiers()
    tiers = sorted({tier for tier, _ in known})
    if not known:
        return
    if question.tier is not None and question.tier not in tiers:
        message = (
            f"--tier {question.tier}: the history has no run of such a tier. It has {_and(tiers)}."
        )
        raise ConfigurationError(message)
    providers = sorted({on for tier, on in known if question.tier in {None, tier}})
    if question.provider is not None and question.provider not in providers:
        of_it = f" of {question.tier}" if question.tier else ""
        message = (
            f"--environment {question.provider}: the history has no run{of_it} on it. It has runs "
            f"on {_and(providers)}."
        )
        raise ConfigurationError(message)
    if question.ref is not None:
        _require_ref(history, question)


def _require_ref(history: History, question: Question) -> None:
    branches = history.branches(
        tier=question.tier, provider=question.provider, default=question.default_branch
    )
    if question.branch.name not in {each.name for each in branches}:
        message = (
            f"--ref {question.ref}: no runs on {question.branch.name}; the refs with runs are "
            f"{in_words(branches)}."
        )
        raise ConfigurationError(message)


def _and(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1]) if names[1:] else names)


def renamed(
    history: History, rename: tuple[str, str] | None, undo: str | None, *, tier: str | None
) -> list[str]:
    """Link or unlink names of a test, and return what was done.

    Raises:
        ConfigurationError: It cannot be.
    """
    taken_back = history.undo_rename(undo, tier=tier) if undo is not None else ()
    linked = history.rename(*rename, tier=tier) if rename is not None else ()
    return [
        legible(f"{each.tier}/{each.suite}: {each.old} {words} {each.new}")
        for words, done in (("is no longer", taken_back), ("is now", linked))
        for each in done
    ]


def chosen(account: TierAccount, show: Show) -> tuple[TestAccount, ...]:
    """Return the tests that were asked for; the slowest first where those were."""
    found = [each for each in account.accounts if _CHOICES[show](each)]
    if show == "slowest":
        found.sort(key=lambda each: -(each.median_seconds or 0))
        found = found[:20]
    return tuple(found)


def accounts_as_json(
    found: Iterable[TierAccount],
    compared: Iterable[BranchComparison | None],
    show: Show,
    default_branch: str,
) -> str:
    """Return accounts as JSON.

    Args:
        found: The accounts.
        compared: Each beside the default branch, where it is.
        show: Which tests.
        default_branch: The default branch.
    """
    return json.dumps(
        [
            {
                "tier": account.grid.tier,
                "environment": account.grid.provider,
                "branch": account.branch,
                "note": account.note,
                "branches": {each.name: each.runs for each in account.branches},
                "runs": len(account.grid.runs),
                "all_runs": account.grid.total_runs,
                "tests": account.reported,
                "newest_run": _extent_as_json(account),
                "failing": account.failing,
                "flaky": account.flaky,
                "broken": account.broken,
                "quarantined": account.quarantined,
                "slower": slower.as_json(account, is_asked=show == "slower")
                if show in slower.SHOWN_BY
                else None,
                "shown": [_as_json(each, account) for each in chosen(account, show)],
                "compared_with": comparison.as_json(beside, default_branch) if beside else None,
            }
            for account, beside in zip(found, compared, strict=True)
        ],
        indent=1,
    )


def _extent_as_json(account: TierAccount) -> dict[str, object] | None:
    if not account.grid.runs:
        return None
    run, extent = account.grid.runs[0], account.extents[0]
    return {
        "run": run.run_id,
        "reported": extent.reported,
        "known": extent.known,
        "did_not_run": extent.not_reported,
        "running_at_the_end": extent.running,
    }


def _as_json(each: TestAccount, account: TierAccount) -> dict[str, object]:
    since, gone = each.diagnosis.failing_since, each.diagnosis.gone_since
    newest = _newest_run(each, account)
    return {
        "suite": each.test.suite,
        "test": each.test.name,
        "earlier_names": each.test.earlier_names,
        "standing": each.diagnosis.standing,
        "newest": each.newest,
        "newest_at": newest.started_at.isoformat() if newest else None,
        "newest_commit": newest.commit if newest else None,
        "passed": each.passed,
        "failed": each.failed,
        "skipped": each.skipped,
        "median_seconds": each.median_seconds,
        "flips": each.diagnosis.flips,
        "mixed_commits": each.diagnosis.mixed_commits,
        "first_bad_commit": since.commit if since else None,
        "gone_since_commit": gone.commit if gone else None,
        "newly_failing": each.is_newly_failing,
        "new": each.is_new,
        "quarantined": each.is_quarantined,
    }


def _newest_run(each: TestAccount, account: TierAccount) -> RunRecord | None:
    """Return the run that a test was last seen in."""
    return account.grid.runs[each.test.cells[0].column] if each.test.cells else None


def print_accounts(
    found: Sequence[TierAccount],
    compared: Sequence[BranchComparison | None],
    show: Show,
    console: Console,
    default_branch: str,
) -> None:
    """Print a table of tests for each tier and environment.

    Args:
        found: The accounts.
        compared: Each beside the default branch, where it is.
        show: Which tests.
        console: Where to.
        default_branch: The default branch.
    """
    if not found:
        console.print("The history has no such run.")
    for account, beside in zip(found, compared, strict=True):
        _print_head(account, console)
        if beside is not None:
            comparison.show(beside, default_branch, console)
        if show != "slower":
            _print_tests(account, show, console)
        if show in slower.SHOWN_BY:
            slower.show(account, console, is_asked=show == "slower")


def _print_head(account: TierAccount, console: Console) -> None:
    grid = account.grid
    console.print(
        legible(
            f"\n{grid.tier} on {grid.provider}, branch {account.branch}: {len(grid.runs)} of "
            f"{grid.total_runs} runs, "
            f"{account.reported} tests, {account.failing} failing, {account.flaky} flaky, "
            f"{account.broken} broken, {account.quarantined} in quarantine"
        ),
        style="bold",
        markup=False,
    )
    if account.note:
        console.print(legible(account.note), markup=False)
    if account.grid.runs and (extent := account.extents[0]).is_partial:
        console.print(legible(f"The newest run: {extent}."), markup=False)
    if account.is_outage:
        console.print(
            f"Nearly everything failed at once in the newest run, {grid.runs[0].run_id}: it is "
            "suspect as a whole and counts for no test. Look at its environment first.",
            markup=False,
        )


def _print_tests(account: TierAccount, show: Show, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in _COLUMNS:
        table.add_column(title, overflow="fold")
    for each in chosen(account, show):
        since = each.diagnosis.failing_since or each.diagnosis.gone_since
        cells = (
            each.test.name,
            each.test.suite,
            each.diagnosis.standing + (" (quarantined)" if each.is_quarantined else ""),
            each.newest or "not reported",
            f"{each.passed}/{each.failed}/{each.skipped}",
            "" if each.median_seconds is None else f"{each.median_seconds:.2f}",
            (since.commit or "")[:10] if since else "",
            f"{run.started_at:%Y-%m-%d %H:%M}" if (run := _newest_run(each, account)) else "",
        )
        table.add_row(*map(cell, cells))
    if table.row_count:
        console.print(table)
    else:
        console.print(f"No test is {show}.", markup=False)


def runs_of_test(history: History, name: str, question: Question) -> tuple[CaseRun, ...]:
    """Return what a test did, newest first, on all that was asked for."""
    return tuple(
        run
        for tier, provider in history.tiers()
        if question.tier in {None, tier} and question.provider in {None, provider}
        for run in history.test_history(
            name=name,
            tier=tier,
            provider=provider,
            branch=question.branch if question.ref is not None else None,
            limit=question.runs,
        )
        if question.since is None or run.started_at >= question.since
    )


def runs_as_json(runs: Iterable[CaseRun]) -> str:
    """Return a test's runs as JSON."""
    return json.dumps(as_json(tuple(runs)), indent=1)


def print_runs(name: str, runs: Sequence[CaseRun], console: Console) -> None:
    """Print what a test did, a line a run."""
    from rich.table import Table

    if not runs:
        console.print(
            f"The history has no run of {legible(name)!r}. Its names are those of the JUnit file, "
            "classname::name; `floe-tests history --show slowest` prints some.",
            markup=False,
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("began", "on", "commit", "ref", "run", "verdict", "outcome", "s", "message"):
        table.add_column(title, overflow="fold")
    for run in runs:
        message = " ".join(run.case.message.split())[:_MESSAGE_CHARACTERS]
        cells = (
            f"{run.started_at:%Y-%m-%d %H:%M}",
            run.provider,
            (run.commit or "")[:10],
            run.ref or "",
            run.run_id[:8],
            run.cause,
            run.case.outcome,
            f"{run.case.seconds:.2f}",
            message,
        )
        table.add_row(*map(cell, cells))
    console.print(table)
