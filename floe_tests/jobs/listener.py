"""What a running attempt says of itself: its pod, its exporter's log, the frames asked for again.

Threads listen, and put what they hear into one queue; whoever owns the queue decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from floe_tests.deadline import Deadline
from floe_tests.errors import DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.jobs.mailbox import Mailbox
from floe_tests.jobs.manifest import EXPORTER, EXPORTER_COMMAND
from floe_tests.kube import JsonObject, Kube, RefusedError

_PAUSE_SECONDS = 0.5
_POD_TICK_SECONDS = 10
_ASK_SECONDS = 20.0
# Each range is a command of its own, and the answer is held in memory (a frame has 12 KiB at most):
# a log that lost more is asked for the rest later.
_RANGES_AT_ONCE = 20
_FRAMES_AT_ONCE = 1000
_NOT_FOUND = 404
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
class Unreachable:
    """The pod cannot be watched any more."""

    error: FloeTestsError


Message = PodSeen | LogPiece | LogEnded | FramesAgain | Unreachable


class Listener:
    """Listens to one Job. Nothing is heard before `watch`."""

    def __init__(self, kube: Kube, *, namespace: str, job: str, deadline: Deadline) -> None:
        """Prepare.

        Args:
            kube: The cluster.
            namespace: The Job's namespace.
            job: Its name.
            deadline: When to stop, whatever happens.
        """
        self._kube = kube
        self._namespace = namespace
        self._job = job
        self._deadline = deadline
        self._messages = Mailbox[Message]()
        self._stopped = threading.Event()

    def next(self, *, timeout_seconds: float) -> Message | None:
        """Give the next message; None when there is none within the time."""
        return self._messages.next(timeout_seconds=timeout_seconds)

    def stop(self) -> None:
        """Let go of everything; the threads end at their next message."""
        self._stopped.set()

    def watch(self) -> None:
        """Begin to watch the Job's pod."""
        self._start(self._watch, "watch")

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

    def _start(self, target: Callable[..., None], name: str, *words: object) -> None:
        threading.Thread(
            target=target, args=words, daemon=True, name=f"{name} job/{self._job}"
        ).start()

    def _put(self, message: Message) -> None:
        self._messages.put(message, stopped=self._stopped)

    def _watch(self) -> None:
        try:
            for pods in self._kube.follow(
                "Pod",
                namespace=self._namespace,
                label_selector=f"job-name={self._job}",
                deadline=self._deadline,
                tick_seconds=_POD_TICK_SECONDS,
            ):
                if self._stopped.is_set():
                    return
                self._put(PodSeen(next(iter(pods.values()), None)))
        except DeadlineError:
            return
        except FloeTestsError as error:
            self._put(Unreachable(error))

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
                if refused.status == _NOT_FOUND:
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
        deadline = Deadline(_ASK_SECONDS)
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


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give the lines of a log that comes in pieces, an unfinished one at its end included."""
    kept = b""
    for piece in pieces:
        *lines, kept = (kept + piece).split(b"\n")
        yield from lines
    if kept:
        yield kept


def _few(missing: Sequence[range]) -> tuple[range, ...]:
    """Give the first of the frames that are missing, as many as are asked for at once."""
    few: list[range] = []
    left = _FRAMES_AT_ONCE
    for gap in missing[:_RANGES_AT_ONCE]:
        few.append(gap[:left])
        left -= len(few[-1])
        if not left:
            break
    return tuple(few)
