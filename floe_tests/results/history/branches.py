"""On which branch a run was. What one branch breaks says nothing about another.

A run that names no ref counts as the default branch's: an import without `--ref`, or a run outside
of a git repository. A detached checkout is `HEAD`, a ref of its own: nobody knows whose commit that
is, so it is compared with the default branch and never counts as it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from floe_tests.core import refs
from floe_tests.results.history.models import RunRow


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, tag or pull request whose runs are looked at together.

    Attributes:
        name: Its name, as `refs.name_of` returns it.
        is_default: Whether runs that name no branch count as its own.
    """

    name: str
    is_default: bool = False

    def runs(self) -> ColumnElement[bool]:
        """Return the condition on `history_runs` that its runs fulfil."""
        named = RunRow.ref.in_(refs.spellings(self.name))
        unnamed = or_(RunRow.ref.is_(None), RunRow.ref.in_(refs.UNNAMED))
        return or_(named, unnamed if self.is_default else false())


@dataclass(frozen=True, slots=True)
class BranchRuns:
    """A branch that a tier ran on.

    Attributes:
        name: Its name.
        runs: How many runs the history has of it.
        newest: When the newest of them began.
        is_default: Whether it is the default branch.
    """

    name: str
    runs: int
    newest: datetime
    is_default: bool = False


def branch_of(ref: str | None, *, default: str) -> Branch:
    """Return the branch of a ref; the default one where it names none.

    Args:
        ref: As it was recorded or given.
        default: The default branch, however it is written.
    """
    of_default = refs.name_of(default) or default
    name = refs.name_of(ref) or of_default
    return Branch(name, is_default=name == of_default)


def read_branches(
    connection: Connection, *, tier: str | None, provider: str | None, default: str
) -> tuple[BranchRuns, ...]:
    """Return the branches that a tier ran on, the default one first, then by their newest run.

    Args:
        connection: To the history.
        tier: The tier; None for all.
        provider: What the runs ran on; None for all.
        default: The default branch.
    """
    query = select(
        RunRow.ref, func.count().label("runs"), func.max(RunRow.started_at).label("newest")
    ).group_by(RunRow.ref)
    if tier is not None:
        query = query.where(RunRow.tier == tier)
    if provider is not None:
        query = query.where(RunRow.provider == provider)
    found: dict[Branch, list[tuple[int, datetime]]] = {}
    for ref, runs, newest in connection.execute(query):
        found.setdefault(branch_of(ref, default=default), []).append((runs, newest))
    branches = [
        BranchRuns(
            branch.name,
            runs=sum(runs for runs, _ in of),
            newest=max(newest for _, newest in of),
            is_default=branch.is_default,
        )
        for branch, of in found.items()
    ]
    newest_first = sorted(branches, key=lambda each: each.newest, reverse=True)
    return tuple(sorted(newest_first, key=lambda each: not each.is_default))


def in_words(branches: Iterable[BranchRuns], *, most: int = 5) -> str:
    """Return branches with their numbers of runs, as in `main (12 runs) and pull/7 (1 run)`.

    Args:
        branches: The branches.
        most: How many are named; of the others only their number.
    """
    named = [f"{each.name} ({each.runs} run{'' if each.runs == 1 else 's'})" for each in branches]
    if named[most:]:
        named[most:] = [f"{len(named) - most} others"]
    return " and ".join((", ".join(named[:-1]), named[-1]) if named[1:] else named)
