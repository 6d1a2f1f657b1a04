"""The receiving end of one attempt: frames in, files on disk and live progress out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.jobs.stream import ResultStream
from floe_tests.results.events import EventReader

if TYPE_CHECKING:
    from floe_tests.jobs.stream import Completeness
    from floe_tests.results.events import Progress

_EVENTS = "events.jsonl"
# A line of the run's log a test is too much for thousands of tests; failures are always shown.
_PROGRESS_LINES = 40


class Receiver:
    """Takes the exporter's log as bytes and keeps what it holds.

    Not thread-safe: one thread feeds it at a time.
    """

    def __init__(self, directory: Path, *, log: Callable[[str], None]) -> None:
        """Receive into a directory.

        Args:
            directory: Where the files go; created.
            log: Receives progress: failures at once, passes now and then.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.stream = ResultStream(directory)
        self._events = EventReader()
        self._log = log
        self._partial = b""
        self._next_shown = 1

    def begin(self) -> None:
        """Start over with the log's beginning: after a reconnect it is read anew."""
        self._partial = b""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the log."""
        *lines, self._partial = (self._partial + piece).split(b"\n")
        for line in lines:
            report = self.stream.feed(line)
            for growth in report.growth:
                if growth.path == _EVENTS:
                    for progress in self._events.feed(growth.data):
                        self._show(progress)

    @property
    def has_manifest(self) -> bool:
        """Whether the exporter has said that it is done, and nothing before is missing."""
        return self.stream.manifest is not None and not self.stream.missing

    def finish(self) -> Completeness:
        """Say whether everything arrived."""
        return self.stream.finish()

    def _show(self, progress: Progress) -> None:
        case = progress.case
        if case is None:
            return
        of = f" of {progress.collected}" if progress.collected is not None else ""
        position = f"[{progress.reported}{of}]"
        if case.failed:
            self._log(f"{position} {case.outcome.upper()} {case.name}: {case.message.splitlines()[0] if case.message else ''}")
        elif progress.reported >= self._next_shown:
            self._log(f"{position} {case.outcome} {case.name} ({case.seconds:.2f} s)")
        if progress.reported >= self._next_shown:
            step = max(1, (progress.collected or 0) // _PROGRESS_LINES)
            self._next_shown = progress.reported + step
