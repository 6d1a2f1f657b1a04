"""Tests that were removed on purpose: a list in the repository beside the quarantine's.

A test that is gone without a word makes a run red. Where its own file does not show why (the test
moved to another repository, a suite's paths were narrowed), a line here is the word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from floe_tests.config import reviewed


def _says_which(value: str) -> str:
    if not value.replace("*", "").strip(" .:"):
        message = f"{value!r} would accept the loss of every test. Name a module at least."
        raise ValueError(message)
    return value


class RemovalEntry(BaseModel):
    """Tests that may be gone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: Annotated[str, AfterValidator(_says_which)] = Field(
        min_length=1, description="The test's name as the history has it; `*` stands for anything."
    )
    suite: str | None = Field(default=None, description="Its suite; without, any of the tier.")
    owner: str = Field(min_length=1, description="Who removed it.")
    reason: str = Field(min_length=1, description="Why, with a link to its issue.")
    since: date | None = Field(default=None, description="The first day on which it may be gone.")
    expires: date | None = Field(
        default=None, description="The last day; the line can go once a run without it is green."
    )

    def covers(self, *, suite: str, test: str) -> bool:
        """Return whether it is about a test of a suite."""
        return self.suite in {None, suite} and matches(self.test, test)

    def __str__(self) -> str:
        """Return what a reader of the loss must know."""
        return f"removed by {self.owner}: {self.reason}"


_LIST = TypeAdapter(tuple[RemovalEntry, ...])


@dataclass(frozen=True)
class Removals:
    """A tier's list on a day.

    Attributes:
        entries: The list.
        today: The day (UTC).
    """

    entries: tuple[RemovalEntry, ...]
    today: date

    def entry(self, *, suite: str, test: str) -> RemovalEntry | None:
        """Return the entry that lets a test be gone today; None when none does."""
        return next((each for each in self.entries if self._holds(each, suite, test)), None)

    def outdated(self, *, suite: str, test: str) -> RemovalEntry | None:
        """Return an entry of a test that does not hold today."""
        return next(
            (each for each in self.entries if each.covers(suite=suite, test=test)),
            None,
        )

    def _holds(self, entry: RemovalEntry, suite: str, test: str) -> bool:
        begun = entry.since is None or entry.since <= self.today
        over = entry.expires is not None and entry.expires < self.today
        return begun and not over and entry.covers(suite=suite, test=test)


NOTHING = Removals((), date.min)


def read(path: Path, *, today: date) -> Removals:
    """Read a list.

    Args:
        path: The YAML file: a list of entries with test, owner, reason, and since, expires, suite.
        today: The day that decides what holds (UTC).

    Raises:
        ConfigurationError: It is missing or wrong; all problems at once.
    """
    entries = reviewed.read(
        path,
        _LIST,
        name="list of removed tests",
        each="Each entry has test, owner, reason and, where wanted, suite, since, expires.",
    )
    return Removals(entries, today)


def matches(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern, in which `*` stands for anything.

    Brackets are themselves: parametrised tests have them in their names.
    """
    if "*" not in pattern:
        return pattern == name
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), name) is not None
