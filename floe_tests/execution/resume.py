"""An attempt that outlives its orchestrator: left running by one process, resumed by the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from floe_tests.core.log import Log

_FRAMES = "frames.log"


def never() -> bool:
    """Say that nobody resumes a run."""
    return False


def nothing() -> None:
    """Write nothing down."""


@dataclass(frozen=True)
class Resume:
    """What an attempt has to know of the process before it and the one after it.

    Attributes:
        is_possible: Whether another process resumes the run when this one dies.
        is_begun: Whether a process before has created the Job.
        begin: Writes down that the Job is there.
        is_due: Asked when this process is told to end: whether the run goes on in another.
    """

    is_possible: bool = False
    is_begun: bool = False
    begin: Callable[[], None] = nothing
    is_due: Callable[[], bool] = never


class FrameJournal:
    """The frames that were received, as they came: what the pod's log may not hold any more.

    It rotates, and goes with the pod. A process that resumes the attempt reads these first, and
    then the log from its beginning; what comes twice is dropped by its number.
    """

    def __init__(self, directory: Path, *, log: Log) -> None:
        """Open it, with what a process before has written.

        Args:
            directory: The attempt's folder.
            log: Receives why it cannot be written.
        """
        self._path = directory / _FRAMES
        self._log = log
        self._file: IO[bytes] | None = None
        self._given_up = False

    def lines(self) -> Iterator[bytes]:
        """Return what was received so far."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)

    def write(self, line: bytes) -> None:
        """Add a line. A full disk costs what a resume would need, and nothing else."""
        if self._given_up:
            return
        try:
            if self._file is None:
                self._file = self._path.open("ab")
            self._file.write(line + b"\n")
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """Hand what was added to the system: from there it survives this process."""
        if self._file is None or self._given_up:
            return
        try:
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Leave it for the next process."""
        self.flush()
        if self._file is not None:
            # What could not be flushed fails once more, and was told.
            with contextlib.suppress(OSError):
                self._file.close()

    def remove(self) -> None:
        """Remove it: the attempt is over, and its files are there."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _give_up(self, error: OSError) -> None:
        self._log(f"{self._path} cannot be written, a resumed run may lose results: {error}")
        self._given_up = True
