"""Which runs are to be cancelled, and why: a decision about plain values.

The reason of a cancellation has one home, a tag of the Dagster run: the run itself reads it when it
is interrupted, on whichever machine it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from floe_tests.core import refs
from floe_tests.core.labels import CANCELLED_ANNOTATION

# The run's tag and its Job's annotation have one name.
CANCELLED_TAG = CANCELLED_ANNOTATION

SHORT_ID = 8


@dataclass(frozen=True)
class ActiveRun:
    """A run that is not over.

    Attributes:
        run_id: The Dagster run.
        tier: Its tier.
        ref: The git ref under test; None while it is not known.
        created_at: When it was launched (UTC).
        is_starting: Whether it is on its way to its process, where nothing can end it.
    """

    run_id: str
    tier: str
    ref: str | None
    created_at: datetime
    is_starting: bool = False

    @property
    def branch(self) -> str | None:
        """The branch by its one name, however a CI wrote it; None when it is not known."""
        name = refs.name_of(self.ref)
        return None if name == refs.DETACHED else name

    def __str__(self) -> str:
        """Name it as messages do."""
        return f"run {self.run_id[:SHORT_ID]} of {self.tier} on {self.branch or 'an unknown ref'}"


@dataclass(frozen=True)
class Cancellation:
    """A run that is to be cancelled.

    Attributes:
        run: The run.
        reason: Why, for its verdict.
    """

    run: ActiveRun
    reason: str


def superseded(runs: Iterable[ActiveRun]) -> tuple[Cancellation, ...]:
    """Choose the runs that a newer one on the same tier and ref has made pointless.

    A run whose ref is not known neither supersedes nor is superseded. One that is starting counts
    as a newer run, and is cancelled itself once it has started.

    Args:
        runs: All runs that are not over.

    Returns:
        One a superseded run, oldest first.
    """
    groups: dict[tuple[str, str], list[ActiveRun]] = {}
    for run in sorted(runs, key=lambda run: (run.created_at, run.run_id)):
        if run.branch is not None:
            groups.setdefault((run.tier, run.branch), []).append(run)
    found = [
        Cancellation(
            run, f"superseded by run {newest.run_id[:SHORT_ID]} on {newest.ref or newest.branch}"
        )
        for *older, newest in groups.values()
        for run in older
        if not run.is_starting
    ]
    return tuple(sorted(found, key=lambda item: (item.run.created_at, item.run.run_id)))


def chosen(
    runs: Iterable[ActiveRun], *, ref: str | None, tier: str | None, run_id: str | None
) -> tuple[ActiveRun, ...]:
    """Choose the runs that somebody asks for, oldest first; what is None chooses all.

    Args:
        runs: All runs that are not over.
        ref: Their ref, as git says it or as GitHub writes it out.
        tier: Their tier.
        run_id: The run, or how its id begins.
    """
    branch = None if ref is None else refs.name_of(ref) or ref
    found = [
        run
        for run in runs
        if (branch is None or run.branch == branch)
        and (tier is None or run.tier == tier)
        and (run_id is None or run.run_id.startswith(run_id))
    ]
    return tuple(sorted(found, key=lambda run: (run.created_at, run.run_id)))
