"""The receiving end of one attempt: frames in, files on disk and live progress out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.core.json_values import count_of
from floe_tests.core.log import Log
from floe_tests.execution.resume import FrameJournal
from floe_tests.execution.stream import FrameKind, ResultStream
from floe_tests.execution.stream.frames import json_object
from floe_tests.exporter.results import COLLECTION_FILE, EVENTS_FILE
from floe_tests.results.formats.events import DEFAULT_LIMITS, EventReader
from floe_tests.results.reasons import reason_of

if TYPE_CHECKING:
    from floe_tests.execution.stream import Completeness, Growth
    from floe_tests.execution.verdict.facts import Facts
    from floe_tests.results.cases import Tally
    from floe_tests.results.formats.events import EventLimits, Progress

_KEPT: frozenset[FrameKind] = frozenset({"data", "control", "manifest", "waiting"})
# A line of the run's log a test is too much for thousands of tests.
_PROGRESS_LINES = 40
_FAILURE_LINES = 200
_MESSAGE_CHARACTERS = 300
_MOST_TESTS = 10_000_000
_LONGEST_PARTIAL_BYTES = 64 * 1024
_FED_BYTES = 64 * 1024


class Receiver:
    """Takes the exporter's log as bytes and keeps what it holds.

    Not thread-safe: one thread feeds it at a time.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log: Log,
        limits: EventLimits = DEFAULT_LIMITS,
        shows_progress: bool = True,
        journal: FrameJournal | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Receive into a directory.

        Args:
            directory: Where the files go; created.
            log: Receives progress: the first 200 failures at once, all else now and then.
            limits: What the events may cost while they arrive.
            shows_progress: Whether to log more than failures.
            journal: Keeps the frames for a process that resumes the attempt.
            clock: The clock that silence is counted on, monotonic seconds.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._stream = ResultStream(directory, clock=clock)
        self._clock = clock
        self._limits = limits
        self._shows_progress = shows_progress
        self._events = EventReader(limits)
        self._collected: int | None = None
        self._is_replayed = False
        self._log = log
        self._partial = b""
        self._next_shown = 1
        self._failures_left = _FAILURE_LINES
        self._received_bytes = 0
        self._journal = journal
        self._replay()

    def _replay(self) -> None:
        """Take what a process before has received; it has shown it, too."""
        self._is_replayed = True
        for line in self._journal.lines() if self._journal else ():
            self._take(line)
        self._is_replayed = False

    def begin(self) -> None:
        """Start over with the log's beginning: after a reconnect it is read anew."""
        self._partial = b""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the log."""
        self._received_bytes += len(piece)
        *lines, partial = (self._partial + piece).split(b"\n")
        # No frame is that long; what a container writes into its log without a line end may be.
        self._partial = partial[-_LONGEST_PARTIAL_BYTES:]
        self.feed_lines(lines)

    def feed_lines(self, lines: Iterable[bytes]) -> None:
        """Take whole lines, from wherever they come."""
        for line in lines:
            kind = self._take(line)
            if self._journal is not None and kind in _KEPT:
                self._journal.write(line)
        if self._journal is not None:
            self._journal.flush()

    def _take(self, line: bytes) -> FrameKind:
        report = self._stream.feed(line)
        for growth in report.growths:
            self._watch(growth)
        return report.kind

    @property
    def missing(self) -> tuple[range, ...]:
        """Numbers of frames that the log has lost, as far as is known."""
        return self._stream.missing

    @property
    def collected(self) -> int | None:
        """How many tests there will be; None before that was said."""
        return self._collected

    @property
    def tally(self) -> Tally:
        """The tests that have ended so far, counted."""
        return self._events.tally

    @property
    def received_bytes(self) -> int:
        """How much was taken in, what came twice included."""
        return self._received_bytes

    @property
    def silent_seconds(self) -> float | None:
        """Seconds since the last frame; None before the first. The exporter is never silent."""
        last = self._stream.last_frame_monotonic
        return None if last is None else self._clock() - last

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
        completeness = self._stream.finish(digest=exporter.message if exporter else "")
        # The files are read from the disk from now on: nobody needs a second copy of every case.
        self._events = EventReader()
        return completeness

    def _watch(self, growth: Growth) -> None:
        if growth.path == COLLECTION_FILE:
            counts = json_object(growth.data) or {}
            collected = count_of(counts.get("collected"), largest=_MOST_TESTS)
            if collected is not None:
                self._collected = collected
                if self._shows_progress and not self._is_replayed:
                    self._log(f"{collected} tests collected")
        elif growth.path == EVENTS_FILE:
            if growth.restarted:
                self._events = EventReader(self._limits)
                self._read_again(growth)
            for progress in self._events.feed(growth.data):
                self._show(progress)

    def _read_again(self, growth: Growth) -> None:
        """Read what stands before the content of a file that begins anew."""
        left = growth.offset
        try:
            with growth.file.open("rb") as file:
                while left and (piece := file.read(min(left, _FED_BYTES))):
                    left -= len(piece)
                    self._events.feed(piece)
        except OSError as error:
            self._log(f"{growth.path} cannot be read again, its progress is not shown: {error}")

    def _show(self, progress: Progress) -> None:
        if self._is_replayed:
            return
        case, reported = progress.case, progress.tally.tests
        of = f" of {self._collected}" if self._collected is not None else ""
        if case.outcome.is_failing and self._failures_left > 0:
            self._failures_left -= 1
            message = reason_of(case) if case.is_collection else " ".join(case.message.split())
            message = message[:_MESSAGE_CHARACTERS]
            self._log(f"[{reported}{of}] {case.outcome.upper()} {case.name}: {message}")
            if not self._failures_left:
                self._log("further failures are shown now and then only; all are in the results")
        elif reported >= self._next_shown and self._shows_progress:
            self._log(f"[{reported}{of}] {case.outcome} {case.name} ({case.seconds:.2f} s)")
        if reported >= self._next_shown:
            # Before anybody has said how many there are, what was reported stands for it.
            self._next_shown = reported + max(1, (self._collected or reported) // _PROGRESS_LINES)
