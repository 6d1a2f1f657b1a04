"""What a sharded suite says of itself: two watches for all of it, and one reader a running pod.

The number of threads and connections is bounded, however many shards there are. A pod for which no
reader is free keeps its log, and is read when one is, at the latest after its end.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from floe_tests.deadline import Deadline
from floe_tests.errors import DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.jobs.listener import FramesAgain, Listener, Message, PodSeen, Unreachable, lines_of
from floe_tests.jobs.mailbox import Mailbox
from floe_tests.jobs.manifest import EXPORTER
from floe_tests.kube import JsonObject, Kube, part

READERS = 64
# Kept for pods that have ended: what they have to say is short, and others wait for their room.
_LAST_READERS = 8
CHORES = 8
# Kubernetes answers, for each of these, from a connection of its own.
CONNECTIONS = READERS + CHORES + 4

_TICK_SECONDS = 10


@dataclass(frozen=True)
class Heard:
    """What was heard of one pod."""

    pod: str
    message: Message


@dataclass(frozen=True)
class JobsSeen:
    """The suite's Jobs as they are now, by name."""

    jobs: dict[str, JsonObject]


@dataclass(frozen=True)
class Done:
    """A chore has ended; `then` is for the thread that decides."""

    then: Callable[[], None]


ShardMessage = Heard | JobsSeen | Done | Unreachable


class PodListener(Listener):
    """Hears one pod of many, and puts what it hears into the queue of all."""

    def __init__(
        self, kube: Kube, *, namespace: str, pod: str, messages: Mailbox[ShardMessage]
    ) -> None:
        """Prepare; nothing is heard before `follow_log`."""
        super().__init__(kube, namespace=namespace, job=pod, deadline=Deadline(float("inf")))
        self._pod = pod
        self._shared = messages

    def read_beside(self) -> None:
        """Read the log as it stands, beside the one that is followed; the answer is FramesAgain."""
        self._start(self._read_beside, "beside")

    def _read_beside(self) -> None:
        error: FloeTestsError | None = None
        lines: tuple[bytes, ...] = ()
        try:
            pieces = self._kube.log_pieces(self._pod, namespace=self._namespace, container=EXPORTER)
            lines = tuple(lines_of(pieces))
        except InfrastructureError as failed:
            error = failed
        self._put(FramesAgain(lines, error))

    def _put(self, message: Message) -> None:
        self._shared.put(Heard(self._pod, message), stopped=self._stopped)


class ShardListener:
    """Listens to all Jobs and pods of a suite. Nothing is heard before `watch`."""

    def __init__(self, kube: Kube, *, namespace: str, selector: str, deadline: Deadline) -> None:
        """Prepare.

        Args:
            kube: The cluster.
            namespace: The run's namespace.
            selector: The labels of the suite's Jobs and pods.
            deadline: When to stop, whatever happens.
        """
        self._kube = kube
        self._namespace = namespace
        self._selector = selector
        self._deadline = deadline
        self._messages = Mailbox[ShardMessage]()
        self._stopped = threading.Event()
        self._chores: queue.Queue[Callable[[], Callable[[], None]] | None] = queue.Queue()

    def next(self, *, timeout_seconds: float) -> ShardMessage | None:
        """Give the next message; None when there is none within the time."""
        return self._messages.next(timeout_seconds=timeout_seconds)

    def stop(self) -> None:
        """Let go of everything; the threads end at their next message."""
        self._stopped.set()
        for _ in range(CHORES):
            self._chores.put(None)

    def watch(self) -> None:
        """Begin to watch the suite's pods and Jobs, and to do chores."""
        self._start(self._watch_pods, "watch pods")
        self._start(self._watch_jobs, "watch jobs")
        for number in range(CHORES):
            self._start(self._do_chores, f"chores {number}")

    def pod(self, name: str) -> PodListener:
        """Give what hears one pod."""
        return PodListener(self._kube, namespace=self._namespace, pod=name, messages=self._messages)

    def chore(self, work: Callable[[], Callable[[], None]]) -> None:
        """Have something done that takes its time, such as a request.

        Args:
            work: Does it, and gives what the thread that decides is to do then.
        """
        self._chores.put(work)

    def _start(self, target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, daemon=True, name=f"{name} {self._selector}").start()

    def _put(self, message: ShardMessage) -> None:
        self._messages.put(message, stopped=self._stopped)

    def _do_chores(self) -> None:
        while (work := self._chores.get()) is not None:
            try:
                then = work()
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that decides
                then = partial(_raise, error)
            self._put(Done(then))

    def _watch_pods(self) -> None:
        versions: dict[str, str] = {}
        for pods in self._follow("Pod"):
            for name in versions.keys() - pods.keys():
                del versions[name]
                self._put(Heard(name, PodSeen(None)))
            for name, pod in pods.items():
                version = str(part(pod, "metadata").get("resourceVersion"))
                if versions.get(name) != version:
                    versions[name] = version
                    self._put(Heard(name, PodSeen(pod)))

    def _watch_jobs(self) -> None:
        for jobs in self._follow("Job"):
            self._put(JobsSeen(jobs))

    def _follow(self, kind: str) -> Iterator[dict[str, JsonObject]]:
        try:
            for found in self._kube.follow(
                kind,
                namespace=self._namespace,
                label_selector=self._selector,
                deadline=self._deadline,
                tick_seconds=_TICK_SECONDS,
            ):
                if self._stopped.is_set():
                    return
                yield found
        except DeadlineError:
            return
        except FloeTestsError as error:
            self._put(Unreachable(error))


def _raise(error: BaseException) -> None:
    raise error


class Readers:
    """Who has a reader of its log, and who waits for one."""

    def __init__(self, most: int = READERS) -> None:
        """Begin with all free.

        Args:
            most: How many there are.
        """
        self._most = most
        self._reading: set[str] = set()
        self._waiting: deque[str] = deque()

    @property
    def reading(self) -> int:
        """How many are busy."""
        return len(self._reading)

    def ask(self, pod: str) -> None:
        """Queue up for a reader."""
        if pod not in self._reading and pod not in self._waiting:
            self._waiting.append(pod)

    def release(self, pod: str) -> None:
        """Give a reader back, or leave the queue."""
        self._reading.discard(pod)
        if pod in self._waiting:
            self._waiting.remove(pod)

    def granted(self, *, first: Sequence[str] = ()) -> list[str]:
        """Give the pods that get a reader now.

        Args:
            first: Those that have ended and so will be short, before the others.
        """
        granted: list[str] = []
        ended = [pod for pod in first if pod in self._waiting]
        others = [pod for pod in self._waiting if pod not in ended]
        for pods, most in ((ended, self._most), (others, self._most - _LAST_READERS)):
            for pod in pods[: max(0, most - len(self._reading))]:
                self._reading.add(pod)
                granted.append(pod)
        for pod in granted:
            self._waiting.remove(pod)
        return granted
