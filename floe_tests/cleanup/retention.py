"""Which runs are kept no longer: by age and number, red ones by rules of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from floe_tests.config.retention import KeptRuns, RunRetention

Place = Literal["files", "history", "dagster"]


@dataclass(frozen=True)
class StoredRun:
    """A run as one place holds it.

    Attributes:
        place: Where.
        run_id: The run.
        tier: Its tier.
        series: What its number is counted in: runs that are compared with each other.
        began: When it began (UTC).
        passed: Whether its verdict is PASS.
        stays_because: Why it stays whatever its age; empty when nothing says so.
        size_bytes: What it takes; None where that cannot be told.
    """

    place: Place
    run_id: str
    tier: str
    series: str
    began: datetime
    passed: bool
    stays_because: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True)
class OldRun:
    """A run that is kept no longer.

    Attributes:
        run: The run.
        reason: The rule that it falls under.
    """

    run: StoredRun
    reason: str


def old_runs(
    runs: Iterable[StoredRun], rules: RunRetention, *, now: datetime
) -> tuple[OldRun, ...]:
    """Return the runs of one tier and place that are kept no longer, oldest first.

    Args:
        runs: All of them.
        rules: How long they are kept.
        now: The time (UTC).
    """
    series: dict[tuple[str, bool], list[StoredRun]] = defaultdict(list)
    for run in runs:
        series[run.series, run.passed].append(run)
    found = [
        old
        for (_, passed), members in series.items()
        for old in _old(members, rules.green if passed else rules.red, now=now)
    ]
    return tuple(sorted(found, key=lambda old: (old.run.began, old.run.run_id)))


def _old(runs: Sequence[StoredRun], rule: KeptRuns, *, now: datetime) -> list[OldRun]:
    newest_first = sorted(runs, key=lambda run: (run.began, run.run_id), reverse=True)
    oldest = now - timedelta(days=rule.days)
    found: list[OldRun] = []
    for number, run in enumerate(newest_first):
        if run.stays_because:
            continue
        colour = "green" if run.passed else "red"
        if number >= rule.most:
            found.append(OldRun(run, f"{colour}, beyond the newest {rule.most}"))
        elif number >= rule.least and run.began < oldest:
            found.append(OldRun(run, f"{colour}, older than {rule.days:g} days"))
    return found
