"""JUnit XML: read from any test tool without trusting it, written for any CI.

There is no standard, only producers; what is accepted here is what they write. Each one's files are
in tests/unit/results/formats/producers (source: https://github.com/testmoapp/junitxml). A file
comes from a test pod, so it may be anything: it is read as a stream, within limits, and entities
are refused. What can be read of a damaged file is kept, and said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import HarnessError
from floe_tests.results.cases import NAMES_BYTES, CaseResult, TextBudget
from floe_tests.results.formats.junit import several_files
from floe_tests.results.formats.junit.document import JUnitDocument, MalformedDocument
from floe_tests.results.formats.junit.identity import named
from floe_tests.results.formats.junit.parse import JUnitLimits, parse
from floe_tests.results.formats.junit.suites import FoundCase, common_properties
from floe_tests.results.formats.junit.writer import write

__all__ = [
    "DEFAULT_LIMITS",
    "JUnitLimits",
    "JUnitReport",
    "UnreadableResults",
    "read",
    "read_all",
    "write",
]

DEFAULT_LIMITS = JUnitLimits()
_READ_SECONDS = 120


class UnreadableResults(HarnessError):  # noqa: N818 - says what is wrong, as the tree's other names do
    """A results file cannot be read; the message names the file, the place and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitReport:
    """What one or several JUnit files of one run say.

    Attributes:
        cases: The cases, each name once.
        started_at: The earliest time that a suite names (UTC); None where none names one.
        contradictions: What suites declare and do not show, a sentence each: there were more tests
            or failures than these. Never there for a whole file of a tool that counts as others do.
        damage: Files that cannot be used, or not to their end, a sentence each. What could be read
            of them is among the cases.
        notices: What else people should know of the files, a sentence each.
        files: Number of files that were read to their end, with or without a test.
        damaged: Names of those that were not.
        untimed: Names of files in which no suite names a time.
        contradicting: Names of files that declare what they do not show.
        properties: What suites say of what they ran on, where no other says it otherwise.
        sources: The files that tell of each case, in the order of the cases; the copies of one
            file tell the same.
    """

    cases: tuple[CaseResult, ...]
    started_at: datetime | None = None
    contradictions: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    files: int = 0
    damaged: tuple[str, ...] = ()
    untimed: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: tuple[frozenset[str], ...] = ()


def read(path: Path, limits: JUnitLimits = DEFAULT_LIMITS) -> tuple[CaseResult, ...]:
    """Read the test cases of a JUnit file that is whole; see `read_all`.

    Args:
        path: The file.
        limits: What it may cost.

    Raises:
        UnreadableResults: It is missing, too large, not JUnit, cut off, or not to be trusted.
    """
    report = read_all([path], root=path.parent, limits=limits)
    if report.damage:
        raise UnreadableResults(report.damage[0])
    return report.cases


def read_all(
    paths: Iterable[Path],
    *,
    root: Path,
    limits: JUnitLimits = DEFAULT_LIMITS,
    deadline: Deadline | None = None,
) -> JUnitReport:
    """Read the JUnit files of one run; together they cost no more than one may.

    Cases of one name: of a tool that is known to repeat tests (gotestsum, TestNG, Surefire) they
    are tries of one test where they stand in one suite and all but the last failed. The last try
    decides, and the case keeps what the earlier ones said. pytest repeats a case for a rerun or for
    an error in clean-up. All others are different tests, told apart by suite, file or environment
    (`junit_identity`), or by a number: where nobody can tell, a failure stands.

    A suite that declares failures which none of its cases shows, or carries one itself, adds an
    ERROR case of its own: a crash between tests is not green.

    Args:
        paths: The files. One that is a copy of another is read once.
        root: Folder that messages name them by.
        limits: What all of them may cost.
        deadline: When to stop; by default after two minutes.
    """
    reading = _Reading(limits, deadline or Deadline(_READ_SECONDS))
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            reading.take(path, name)
        except OSError as error:
            reading.add_damage(name, f"cannot be read: {error.strerror or error}")
        except MalformedDocument as error:
            reading.add_damage(name, f"cannot be used: {error}")
    return reading.report()


@dataclass(slots=True)
class _Reading:
    """What was read so far, of all files."""

    limits: JUnitLimits
    deadline: Deadline
    budget: TextBudget = field(init=False)
    names_left_bytes: int = NAMES_BYTES
    found: list[FoundCase] = field(default_factory=list[FoundCase])
    copies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    started_at: datetime | None = None
    contradictions: list[str] = field(default_factory=list[str])
    damage: list[str] = field(default_factory=list[str])
    notices: list[str] = field(default_factory=list[str])
    files: int = 0
    damaged: list[str] = field(default_factory=list[str])
    untimed: list[str] = field(default_factory=list[str])
    contradicting: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.budget = TextBudget(self.limits.text_bytes)

    def take(self, path: Path, name: str) -> None:
        """Read one file.

        Raises:
            OSError: It cannot be read.
            MalformedDocument: Nothing of it can be used.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            copies = self.copies.setdefault(digest, [])
            copies.append(name)
            if copies != [name]:
                self.notices.append(f"{name} is a copy of {copies[0]}.")
                return
            file.seek(0)
            parsed = parse(file, self._document, self.limits, self.deadline)
        kept = 0
        for document in parsed.documents:
            kept += len(document.found)
            self._add(document, name)
        self.notices += [f"{name}: {notice}." for notice in parsed.notices]
        self.files += not parsed.damage
        if all(document.started_at is None for document in parsed.documents):
            self.untimed.append(name)
        if any(document.contradictions for document in parsed.documents):
            self.contradicting.append(name)
        if parsed.damage and not kept:
            self.add_damage(name, f"cannot be used: {parsed.damage}")
        elif parsed.damage:
            told = f"cannot be used to its end: {parsed.damage}; {kept} of its test cases are kept"
            self.add_damage(name, told)

    def add_damage(self, name: str, told: str) -> None:
        """Note a file that could not be read to its end."""
        self.damaged.append(name)
        self.damage.append(f"{name} {told}.")

    def report(self) -> JUnitReport:
        """Return what was read."""
        copies = {names[0]: frozenset(names) for names in self.copies.values()}
        found, notices = self.found, list[str]()
        if len(self.copies) > 1:
            found, notices = several_files.once(found)
        return JUnitReport(
            cases=named(found),
            started_at=self.started_at,
            contradictions=tuple(self.contradictions),
            damage=tuple(self.damage),
            notices=(*self.notices, *notices),
            files=self.files,
            damaged=tuple(self.damaged),
            untimed=tuple(self.untimed),
            contradicting=tuple(self.contradicting),
            properties=common_properties(one.place for one in found),
            # `named` keeps the order in which the cases were found.
            sources=tuple(
                copies[one.source].union(*(copies[name] for name in one.also)) for one in found
            ),
        )

    def _document(self) -> JUnitDocument:
        return JUnitDocument(
            max_cases=self.limits.cases - len(self.found),
            max_depth=self.limits.depth,
            budget=self.budget,
            names_bytes=self.names_left_bytes,
        )

    def _add(self, document: JUnitDocument, name: str) -> None:
        for one in document.found:
            one.source = name
        self.found += document.found
        self.names_left_bytes = document.names_left_bytes
        self.contradictions += [f"{name}: {told}" for told in document.contradictions]
        self.notices += [f"{name}: {told}." for told in document.notices]
        times = [time for time in (self.started_at, document.started_at) if time is not None]
        self.started_at = min(times, default=None)
