"""On which branch a run was. What one branch breaks says nothing about another."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, or_

from floe_tests.config.project import UNKNOWN
from floe_tests.results.history.models import RunRow

_HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch or tag whose runs are looked at together.

    Attributes:
        name: Its name, without `refs/heads/`.
        is_default: Whether runs that name no branch count as its own.
    """

    name: str
    is_default: bool = False

    def runs(self) -> ColumnElement[bool]:
        """Return the condition on `history_runs` that its runs fulfil."""
        named = RunRow.ref.in_([self.name, f"{_HEADS}{self.name}"])
        unnamed = or_(RunRow.ref.is_(None), RunRow.ref.in_(["", UNKNOWN]))
        return or_(named, unnamed if self.is_default else false())


def branch_of(ref: str | None, *, default: str) -> Branch:
    """Return the branch of a ref; the default one where it names none."""
    name = (ref or "").removeprefix(_HEADS)
    if name in {"", UNKNOWN}:
        name = default
    return Branch(name, is_default=name == default)
