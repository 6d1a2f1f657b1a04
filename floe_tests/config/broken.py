"""Tiers that cannot run, and what is wrong in their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from floe_tests.config.tier import TierSettings


@dataclass(frozen=True)
class Problem:
    """What is wrong in a file.

    Attributes:
        message: What is wrong, with the remedy.
        field: Which field; empty where it is the file.
        line: The line, from 1; None where it is the file.
    """

    message: str
    field: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return it as one sentence."""
        where = [f"line {self.line}" if self.line else "", self.field]
        return ": ".join(filter(None, [", ".join(filter(None, where)), self.message]))


@dataclass(frozen=True)
class BrokenTier:
    """A tier that cannot run.

    Attributes:
        name: Its name as far as it can be told, else its folder's; no other tier has it.
        file: The file that is wrong.
        problems: What is wrong in it.
    """

    name: str
    file: Path
    problems: tuple[Problem, ...]

    def text(self, root: Path | None = None) -> str:
        """Return what is wrong, a line each.

        Args:
            root: Folder from which the file is told.
        """
        inside = root is not None and self.file.is_relative_to(root)
        file = self.file.relative_to(root) if root is not None and inside else self.file
        return "\n".join([str(file), *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class Tiers:
    """The tiers of a project, in order of name.

    Attributes:
        good: Those that can run.
        broken: Those that cannot.
    """

    good: tuple[TierSettings, ...]
    broken: tuple[BrokenTier, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all."""
        return tuple(sorted(each.name for each in (*self.good, *self.broken)))

    def broken_named(self, name: str) -> BrokenTier | None:
        """Return the tier of a name, as tier or as job, if it cannot run."""
        wanted = name.replace("-", "_")
        return next((each for each in self.broken if each.name.replace("-", "_") == wanted), None)
