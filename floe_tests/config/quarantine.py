"""Tests that may fail for a while: a list in the repository, reviewed like code.

A quarantined test runs and is reported as ever, and its failure does not fail the gate. Each entry
has an owner, a reason and an end: a list without them only grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from floe_tests.config import reviewed


class QuarantineEntry(BaseModel):
    """One test that may fail until a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: str = Field(min_length=1, description="The test's name, as the history has it.")
    suite: str | None = Field(default=None, description="Its suite; without, any of the tier.")
    owner: str = Field(min_length=1, description="Who mends it.")
    reason: str = Field(min_length=1, description="Why it may fail, with a link to its issue.")
    expires: date = Field(description="The last day on which it may fail (UTC).")

    def covers(self, *, suite: str, test: str) -> bool:
        """Return whether it is about a test of a suite."""
        return self.test == test and self.suite in {None, suite}

    def __str__(self) -> str:
        """Return what a reader of a failure must know."""
        return f"quarantined until {self.expires} by {self.owner}: {self.reason}"


_LIST = TypeAdapter(tuple[QuarantineEntry, ...])


@dataclass(frozen=True)
class Quarantine:
    """A tier's list on a day.

    Attributes:
        entries: The list.
        today: The day (UTC).
    """

    entries: tuple[QuarantineEntry, ...]
    today: date

    def entry(self, *, suite: str, test: str) -> QuarantineEntry | None:
        """Return the entry that lets a test fail today; None when none does."""
        return next(
            (
                each
                for each in self.entries
                if each.expires >= self.today and each.covers(suite=suite, test=test)
            ),
            None,
        )

    def expired(self, *, suite: str, tests: Iterable[str]) -> tuple[QuarantineEntry, ...]:
        """Return the entries of tests of a suite whose last day is over."""
        names = set(tests)
        return tuple(
            each
            for each in self.entries
            if each.expires < self.today and each.test in names and each.suite in {None, suite}
        )


NOTHING = Quarantine((), date.min)


def read(path: Path, *, today: date) -> Quarantine:
    """Read a list.

    Args:
        path: The YAML file: a list of entries with test, owner, reason and expires.
        today: The day that decides what has expired (UTC).

    Raises:
        ConfigurationError: It is missing or wrong; all problems at once.
    """
    entries = reviewed.read(
        path,
        _LIST,
        name="quarantine list",
        each="Each entry has test, owner, reason, expires and, where a name is in several suites, "
        "suite.",
    )
    return Quarantine(entries, today)
