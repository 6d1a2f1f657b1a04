"""What became of each file that was to be imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

if TYPE_CHECKING:
    pass

from collections.abc import Iterable
from dataclasses import dataclass

from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.importing import (
    TRIGGER,
    UNPROVED,
    Imported,
    Origin,
    add,
    read,
    runs_of,
)
from floe_tests.results.history.store import History

_SHOWN_NOTES = 3


@dataclass(frozen=True)
class NotImported:
    """A file that was not imported, and why."""

    path: Path
    error: FloeTestsError


def import_files(
    history: History, paths: Iterable[Path], origin: Origin | None, *, replaces: bool
) -> Iterable[Imported | NotImported]:
    """Add each file's run, one after the other; a file that cannot be used stops none behind it."""
    for files in runs_of(paths):
        try:
            yield add(history, read(files, origin), replaces=replaces)
        except HistoryUnavailableError:
            raise  # no other file would fare better
        except FloeTestsError as error:
            yield NotImported(files[0], error)


def imported_line(found: Imported) -> str:
    """Return what became of a file, as a line."""
    run = found.run
    tests = sum(each.tally.tests for each in run.suites)
    line = (
        f"{found.state:<9} {run.run_id} {run.tier} on {run.provider}, "
        f"{run.started_at:%Y-%m-%d %H:%M}: {run.cause}, {tests} tests"
    )
    notes = [
        notice.removesuffix(".")
        for suite in run.suites
        for notice in suite.notices
        if run.trigger == TRIGGER and notice != UNPROVED
    ]
    more = [f"{len(notes) - _SHOWN_NOTES} more notes"] if notes[_SHOWN_NOTES:] else []
    return legible("; ".join([line, *notes[:_SHOWN_NOTES], *more]))
