"""What one pod says of itself: its exporter's log, and the frames that are asked for again.

Threads put what they read into the queue of all pods; whoever owns the queue decides.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, InfrastructureError
from floe_tests.execution.manifest import EXPORTER, EXPORTER_COMMAND
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject

_PAUSE_SECONDS = 0.5
_ASK_SECONDS = 20.0
# Each range is a command of its own, and the answer is held in memory (a frame has 12 KiB at most):
# a log that lost more is asked for the rest later.
_RANGES_AT_ONCE = 20
_FRAMES_AT_ONCE = 1000
_LAST_TRIES = 5


@dataclass(frozen=True)
class PodSeen:
    """The pod as it is now; None when there is none."""

    pod: JsonObject | None


@dataclass(frozen=True)
class LogPiece:
    """The next bytes of the exporter's log; `first` when they are its beginning, read anew."""

    data: bytes
    first: bool = False


@dataclass(frozen=True)
class LogEnded:
    """There is no more of the exporter's log."""


@dataclass(frozen=True)
class FramesAgain:
    """Lines that were asked for again; `error` says why they are not all there are."""

    lines: tuple[bytes, ...]
    error: FloeTestsError | None = None


@dataclass(frozen=True)
class LogBeside:
    """The log as it stands, read beside the one that is followed."""

    lines: tuple[bytes, ...]


Said = PodSeen | LogPiece | LogEnded | FramesAgain | LogBeside


@dataclass(frozen=True)
class Heard:
    """What was heard of one pod.

    Attributes:
        who: The pod, or whatever stands for it.
        said: What was heard.
    """

    who: str
    said: Said


class PodWatcher:
    """Watches one pod. Nothing is read before `follow_log`."""

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        who: str,
        deadline: Deadline,
        put: Callable[[Heard, threading.Event], None],
    ) -> None:
        """Prepare.

        Args:
            kube: The cluster.
            namespace: The pod's namespace.
            who: What stands for the pod in what is heard of it.
            deadline: When to stop, whatever happens.
            put: Takes what is heard, unless the event is set.
        """
        self._kube = kube
        self._namespace = namespace
        self._who = who
        self._deadline = deadline
        self._queue = put
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let go of everything; the threads end at their next message."""
        self._stopped.set()

    def follow_log(self, pod: str, *, is_over: Callable[[], bool]) -> None:
        """Begin to follow the exporter's log.

        Args:
            pod: Name of the pod.
            is_over: Tells, when the API ends the log, whether the exporter will write no more. It
                may have been restarted, or the kubelet was.
        """
        self._start(self._follow_log, "log", pod, is_over)

    def ask_again(self, pod: str, missing: Sequence[range]) -> None:
        """Ask the exporter for frames that its log has lost; the answer is one FramesAgain."""
        self._start(self._ask_again, "frames", pod, _few(missing))

    def read_beside(self, pod: str) -> None:
        """Read the log as it stands, beside the one that is followed; the answer is LogBeside."""
        self._start(self._read_beside, "beside", pod)

    def _start(self, target: Callable[..., None], name: str, *words: object) -> None:
        threading.Thread(target=target, args=words, daemon=True, name=f"{name} {self._who}").start()

    def _put(self, said: Said) -> None:
        self._queue(Heard(self._who, said), self._stopped)

    def _follow_log(self, pod: str, is_over: Callable[[], bool]) -> None:
        """Follow the log; a broken or silent connection is opened and read anew."""
        failed = 0
        while not (self._stopped.is_set() or self._deadline.passed or failed >= _LAST_TRIES):
            first = True
            try:
                for piece in self._kube.follow_log(
                    pod, namespace=self._namespace, container=EXPORTER
                ):
                    if self._stopped.is_set():
                        return
                    self._put(LogPiece(piece, first=first))
                    first = False
            except RefusedError as refused:
                if refused.is_not_found:
                    break
            except InfrastructureError:
                # For a pod that is over on a node that is gone, nobody will answer any more.
                failed = failed + 1 if is_over() else 0
            else:
                if is_over():
                    break
            self._stopped.wait(_PAUSE_SECONDS)
        self._put(LogEnded())

    def _ask_again(self, pod: str, missing: Sequence[range]) -> None:
        lines: list[bytes] = []
        error: FloeTestsError | None = None
        deadline = Deadline(_ASK_SECONDS, clock=self._deadline.clock)
        for gap in missing:
            command = [*EXPORTER_COMMAND, "resend", str(gap.start), str(gap.stop - 1)]
            try:
                answer = b"".join(
                    self._kube.run_in(
                        pod,
                        command,
                        namespace=self._namespace,
                        container=EXPORTER,
                        seconds=deadline.remaining_seconds,
                    )
                )
            except FloeTestsError as failed:
                error = failed
                break
            lines += answer.splitlines()
        self._put(FramesAgain(tuple(lines), error))

    def _read_beside(self, pod: str) -> None:
        lines: tuple[bytes, ...] = ()
        # The one that is followed, and the last look, have their own tries.
        with contextlib.suppress(InfrastructureError):
            pieces = self._kube.log_pieces(pod, namespace=self._namespace, container=EXPORTER)
            lines = tuple(lines_of(pieces))
        self._put(LogBeside(lines))


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return the lines of a log that comes in pieces, an unfinished one at its end included."""
    kept = b""
    for piece in pieces:
        *lines, kept = (kept + piece).split(b"\n")
        yield from lines
    if kept:
        yield kept


def _few(missing: Sequence[range]) -> tuple[range, ...]:
    """Return the first of the frames that are missing, as many as are asked for at once."""
    few: list[range] = []
    left = _FRAMES_AT_ONCE
    for gap in missing[:_RANGES_AT_ONCE]:
        few.append(gap[:left])
        left -= len(few[-1])
        if not left:
            break
    return tuple(few)
