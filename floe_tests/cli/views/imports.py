"""What became of each file that was to be imported."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.results.cases import legible
from floe_tests.results.formats import junit
from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.import_files import Unusable, runs_of
from floe_tests.results.history.importing import (
    TRIGGER,
    UNPROVED,
    Imported,
    Origin,
    ReadRun,
    add,
    read,
)
from floe_tests.results.history.store import History

STANDARD_INPUT = Path("-")
"""The word for it, as everywhere."""

_SHOWN_NOTES = 3
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class NotImported:
    """A file that was not imported, or not to its end, and why."""

    error: str


@dataclass
class Account:
    """What was read in all."""

    states: Counter[str] = field(default_factory=Counter[str])
    files: int = 0
    tests: int = 0
    untimed: int = 0
    differing: int = 0
    unusable: int = 0

    def add(self, found: Imported, of: ReadRun) -> None:
        """Add a run."""
        self.states[found.state] += 1
        self.files += of.files
        self.tests += _tests(found)
        self.untimed += of.untimed
        self.differing += of.differing

    def line(self) -> str:
        """Return it as a line."""
        runs = ", ".join(f"{count} {state}" for state, count in self.states.items())
        read = f"{_counted(self.states.total(), 'run')} of {_counted(self.files, 'file')}"
        noted = {
            "without a time": self.untimed,
            "with less than declared": self.differing,
            "that cannot be used, or not to the end": self.unusable,
        }
        told = [f"{_counted(count, 'file')} {what}" for what, count in noted.items() if count]
        return "; ".join(
            [f"{read} ({runs or 'none'})", _counted(self.tests, "test"), *told],
        )


def import_files(
    history: History,
    words: Sequence[Path],
    origin: Origin | None,
    *,
    as_one: bool,
    replaces: bool,
    account: Account,
) -> Iterable[Imported | NotImported]:
    """Add each run, one after the other; a file that cannot be used stops none behind it.

    Args:
        history: The history.
        words: Files, folders, patterns, and `-` for standard input.
        origin: What a JUnit file does not say.
        as_one: Whether all of them are one run.
        replaces: Whether a run may take the place of another account of it.
        account: Filled with what was read.
    """
    with TemporaryDirectory(prefix="floe-tests-") as folder:
        kept = Path(folder)
        paths = [
            _kept(sys.stdin.buffer, kept) if word == STANDARD_INPUT else word for word in words
        ]
        for files in runs_of(paths, as_one=as_one):
            if isinstance(files, Unusable):
                account.unusable += 1
                yield NotImported(str(files.error))
                continue
            try:
                found = read(files, origin)
                done = add(history, found.run, replaces=replaces)
            except HistoryUnavailableError:
                raise  # no other file would fare better
            except FloeTestsError as error:
                account.unusable += 1
                yield NotImported(str(error))
                continue
            account.add(done, found)
            yield done
            for damage in found.damage:
                account.unusable += 1
                yield NotImported(damage)


def imported_line(found: Imported) -> str:
    """Return what became of a file, as a line."""
    run = found.run
    line = (
        f"{found.state:<9} {run.run_id} {run.tier} on {run.provider}, "
        f"{run.started_at:%Y-%m-%d %H:%M}: {run.cause}, {_tests(found)} tests"
    )
    notes = [
        notice.removesuffix(".")
        for suite in run.suites
        for notice in suite.notices
        if run.trigger == TRIGGER and notice != UNPROVED
    ]
    more = [f"{len(notes) - _SHOWN_NOTES} more notices"] if notes[_SHOWN_NOTES:] else []
    return legible("; ".join([line, *notes[:_SHOWN_NOTES], *more]))


def _tests(found: Imported) -> int:
    return sum(suite.tally.tests for suite in found.run.suites)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _kept(stream: BinaryIO, folder: Path) -> Path:
    """Copy standard input into a file, so that it can be read twice.

    Raises:
        ConfigurationError: It is longer than any results file is read.
    """
    path = folder / "standard-input.xml"
    most_bytes = junit.DEFAULT_LIMITS.file_bytes
    written = 0
    with path.open("wb") as file:
        while piece := stream.read(_CHUNK_BYTES):
            written += file.write(piece)
            if written > most_bytes:
                message = (
                    f"standard input has more than {most_bytes >> 20} MiB, and no results file of "
                    "that size is read. Import its parts one by one."
                )
                raise ConfigurationError(message)
    return path
