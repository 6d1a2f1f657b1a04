"""What a sharded suite says beyond its pods: its Jobs' own account, and chores that are done.

The number of threads and connections is bounded, however many shards there are. A pod for which no
reader is free keeps its log, and is read when one is, at the latest after its end.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from floe_tests.core.deadline import Deadline
from floe_tests.execution.watcher import Watcher
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject

READERS = 64
# Kept for pods that have ended: what they have to say is short, and others wait for their capacity.
_LAST_READERS = 8
CHORES = 8
# Kubernetes answers, for each of these, from a connection of its own.
CONNECTIONS = READERS + CHORES + 4


@dataclass(frozen=True)
class JobsSeen:
    """The suite's Jobs as they are now, by name."""

    jobs: dict[str, JsonObject]


@dataclass(frozen=True)
class Done:
    """A chore has ended; `then` is for the thread that decides."""

    then: Callable[[], None]


class ShardWatcher(Watcher[JobsSeen | Done]):
    """Watches all Jobs and pods of a suite. Nothing is read before `watch`."""

    def __init__(self, kube: Kube, *, namespace: str, selector: str, deadline: Deadline) -> None:
        """Prepare, as every watcher does."""
        super().__init__(kube, namespace=namespace, selector=selector, deadline=deadline)
        self._chores: queue.Queue[Callable[[], Callable[[], None]] | None] = queue.Queue()

    def stop(self) -> None:
        """Let go of everything; the threads end at their next message."""
        super().stop()
        for _ in range(CHORES):
            self._chores.put(None)

    def watch(self) -> None:
        """Begin to watch the suite's pods and Jobs, and to do chores."""
        super().watch()
        self._start(self._watch_jobs, "watch jobs")
        for number in range(CHORES):
            self._start(self._do_chores, f"chores {number}")

    def chore(self, work: Callable[[], Callable[[], None]]) -> None:
        """Have something done that takes its time, such as a request.

        Args:
            work: Does it, and gives what the thread that decides is to do then.
        """
        self._chores.put(work)

    def _do_chores(self) -> None:
        while (work := self._chores.get()) is not None:
            try:
                then = work()
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that decides
                then = partial(_raise, error)
            self._put(Done(then))

    def _watch_jobs(self) -> None:
        for jobs in self._follow("Job"):
            self._put(JobsSeen(jobs))


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
        """Return a reader back, or leave the queue."""
        self._reading.discard(pod)
        if pod in self._waiting:
            self._waiting.remove(pod)

    def granted(self, *, first: Sequence[str] = ()) -> list[str]:
        """Return the pods that get a reader now.

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
