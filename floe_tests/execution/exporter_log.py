"""The log of one pod's exporter: followed, and read to its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from floe_tests.core.deadline import Deadline
from floe_tests.core.log import Log
from floe_tests.execution.lost_frames import LostFrames
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.pod_watcher import (
    FramesAgain,
    LogBeside,
    LogEnded,
    LogPiece,
    PodWatcher,
    Said,
)
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.resume import FrameJournal
from floe_tests.execution.timeouts import EXPORT_SECONDS, LAST_SILENCE_SECONDS, SILENT_SECONDS
from floe_tests.execution.verdict.facts import PodFacts
from floe_tests.results.formats.events import DEFAULT_LIMITS, EventLimits


@dataclass(frozen=True)
class Keeping:
    """What is kept of a pod while it runs.

    Attributes:
        limits: What its events may cost while they arrive.
        shows_progress: Whether more is said of it than its failures.
        keeps_frames: Whether what it sends is kept for a process that resumes the run.
        log_bytes: How much of a container's log is kept in the end.
    """

    limits: EventLimits = DEFAULT_LIMITS
    shows_progress: bool = True
    keeps_frames: bool = False
    log_bytes: int = 5 * 1024 * 1024


class ExporterLog:
    """What a pod's exporter sends, and how much of it is still to come.

    Attributes:
        receiver: Keeps what it sends.
        is_followed: Whether its log is followed, or was.
    """

    def __init__(
        self,
        directory: Path,
        *,
        spec: AttemptSpec,
        watcher: PodWatcher,
        log: Log,
        keeping: Keeping,
    ) -> None:
        """Begin with nothing received.

        Args:
            directory: Where the pod's results go.
            spec: The attempt.
            watcher: Reads the log.
            log: Receives progress.
            keeping: What is kept of it.
        """
        # Received anew, from frames that a process before has kept: half a file is no beginning.
        shutil.rmtree(directory / "results", ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        self._deadline = spec.deadline
        self._watcher = watcher
        self._journal = FrameJournal(directory, log=log) if keeping.keeps_frames else None
        self.receiver = Receiver(
            directory / "results",
            log=log,
            limits=keeping.limits,
            shows_progress=keeping.shows_progress,
            journal=self._journal,
            clock=spec.clock,
        )
        self._lost = LostFrames(self.receiver, watcher, log=log)
        self.is_followed = False
        self._has_ended = False
        self._was_read_beside = False
        self._last: Deadline | None = None
        self._beside: Deadline | None = None

    def hear(self, said: Said) -> None:
        """Take what was read of it."""
        match said:
            case LogPiece(data=data, first=first):
                if first:
                    self.receiver.begin()
                self.receiver.feed(data)
            case LogEnded():
                self._has_ended = True
            case FramesAgain():
                self._lost.take(said)
            case LogBeside(lines=lines):
                self._was_read_beside = True
                self.receiver.feed_lines(lines)
            case _:
                raise TypeError(said)

    def follow(self, pod: str, *, is_over: Callable[[], bool]) -> None:
        """Begin to follow it.

        Args:
            pod: Name of the pod.
            is_over: Tells whether the exporter will write no more.
        """
        self.is_followed = True
        self._watcher.follow_log(pod, is_over=is_over)

    def ask_for_lost(self, pod: PodFacts) -> None:
        """Ask again for frames that are missing."""
        self._lost.ask(pod)

    @property
    def may_say_more(self) -> bool:
        """Whether something may still be read."""
        return self.is_followed and not (self._has_ended or self.receiver.has_manifest)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has been heard for longer than an exporter is silent."""
        silent = self.receiver.silent_seconds
        return silent is None or silent > SILENT_SECONDS

    @property
    def last_is_expected(self) -> bool:
        """Whether only the rest of it is waited for."""
        return self._last is not None

    def expect_last(self) -> None:
        """Wait for what the exporter of a pod that was told to end still sends."""
        self._last = self._deadline(EXPORT_SECONDS)

    def is_read_to_its_end(self, pod: str, *, is_gone: bool, is_absent: bool) -> bool:
        """Return whether nothing more is to be waited for, once the tests have ended.

        Args:
            pod: Name of the pod.
            is_gone: Whether somebody else removed it.
            is_absent: Whether it is there no more, whoever removed it.
        """
        self._last = self._last or self._deadline(EXPORT_SECONDS)
        if self.receiver.has_manifest or self._last.passed:
            return True
        if self._has_ended and (is_gone or self._was_read_beside):
            return not self._lost.is_asking
        # After a rotation the API may go on following the file that was put aside.
        silent = self.receiver.silent_seconds
        due = self._has_ended or (silent is not None and silent > LAST_SILENCE_SECONDS)
        if due and not is_absent and (self._beside is None or self._beside.passed):
            self._beside = self._deadline(LAST_SILENCE_SECONDS)
            self._watcher.read_beside(pod)
        return False

    def leave(self) -> None:
        """Let go of it, for the process that resumes the run."""
        self._watcher.stop()
        if self._journal is not None:
            self._journal.close()

    def close(self) -> None:
        """Let go of it: the attempt is over, and its files are there."""
        self._watcher.stop()
        if self._journal is not None:
            self._journal.remove()
