"""The receiving end of one attempt: frames in, files on disk and live progress out."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.jobs.stream import ResultStream
from floe_tests.results.events import EventReader

if TYPE_CHECKING:
    from floe_tests.jobs.facts import Facts
    from floe_tests.jobs.stream import Completeness, Growth
    from floe_tests.results.events import Progress

_EVENTS = "events.jsonl"
_COLLECTION = "collection.json"
# A line of the run's log a test is too much for thousands of tests; failures are always shown.
_PROGRESS_LINES = 40
_MESSAGE_CHARACTERS = 300


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
        self._stream = ResultStream(directory)
        self._events = EventReader()
        self._collected: int | None = None
        self._log = log
        self._partial = b""
        self._next_shown = 1
        self._received_bytes = 0

    def begin(self) -> None:
        """Start over with the log's beginning: after a reconnect it is read anew."""
        self._partial = b""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the log."""
        self._received_bytes += len(piece)
        *lines, self._partial = (self._partial + piece).split(b"\n")
        self.feed_lines(lines)

    def feed_lines(self, lines: Iterable[bytes]) -> None:
        """Take whole lines, from wherever they come."""
        for line in lines:
            for growth in self._stream.feed(line).growths:
                self._watch(growth)

    @property
    def missing(self) -> tuple[range, ...]:
        """Numbers of frames that the log has lost, as far as is known."""
        return self._stream.missing

    @property
    def received_bytes(self) -> int:
        """How much was taken in, what came twice included."""
        return self._received_bytes

    @property
    def silent_seconds(self) -> float | None:
        """Seconds since the last frame; None before the first. The exporter is never silent."""
        last = self._stream.last_frame_monotonic
        return None if last is None else time.monotonic() - last

    @property
    def has_manifest(self) -> bool:
        """Whether the exporter has said that it is done, and nothing before is missing."""
        return self._stream.manifest is not None and not self._stream.missing

    def finish(self, facts: Facts) -> Completeness:
        """Say whether everything arrived.

        Args:
            facts: The exporter's last word stands in its container's message.
        """
        exporter = facts.pod.exporter if facts.pod else None
        return self._stream.finish(digest=exporter.message if exporter else "")

    def _watch(self, growth: Growth) -> None:
        if growth.path == _COLLECTION:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._collected = int(json.loads(growth.data)["collected"])
                self._log(f"{self._collected} tests collected")
        elif growth.path == _EVENTS:
            if growth.restarted:
                self._events = EventReader()
            for progress in self._events.feed(growth.data):
                self._show(progress)

    def _show(self, progress: Progress) -> None:
        case, reported = progress.case, progress.tally.tests
        of = f" of {self._collected}" if self._collected is not None else ""
        if case.outcome.is_failing:
            message = " ".join(case.message.split())[:_MESSAGE_CHARACTERS]
            self._log(f"[{reported}{of}] {case.outcome.upper()} {case.name}: {message}")
        elif reported >= self._next_shown:
            self._log(f"[{reported}{of}] {case.outcome} {case.name} ({case.seconds:.2f} s)")
        if reported >= self._next_shown:
            self._next_shown = reported + max(1, (self._collected or 0) // _PROGRESS_LINES)
