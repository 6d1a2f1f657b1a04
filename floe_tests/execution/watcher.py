"""What an attempt's pods say: one watch for all of them, and a watcher for each.

Threads put what they read into one queue; whoever owns the queue decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, FloeTestsError
from floe_tests.execution.pod_watcher import Heard, PodSeen, PodWatcher
from floe_tests.execution.queue import MessageQueue
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

_TICK_SECONDS = 10
_More = TypeVar("_More")


@dataclass(frozen=True)
class Unreachable:
    """The pods cannot be watched any more."""

    error: FloeTestsError


class Watcher(Generic[_More]):
    """Watches the pods of one attempt. Nothing is read before `watch`."""

    def __init__(self, kube: Kube, *, namespace: str, selector: str, deadline: Deadline) -> None:
        """Prepare.

        Args:
            kube: The cluster.
            namespace: The run's namespace.
            selector: The labels of the attempt's Jobs and pods.
            deadline: When to stop, whatever happens.
        """
        self._kube = kube
        self._namespace = namespace
        self._selector = selector
        self._deadline = deadline
        self._messages = MessageQueue[Heard | Unreachable | _More]()
        self._stopped = threading.Event()

    def next(self, *, timeout_seconds: float) -> Heard | Unreachable | _More | None:
        """Return the next message; None when there is none within the time."""
        return self._messages.next(timeout_seconds=timeout_seconds)

    def stop(self) -> None:
        """Let go of everything; the threads end at their next message."""
        self._stopped.set()

    def watch(self) -> None:
        """Begin to watch the pods."""
        self._start(self._watch_pods, "watch pods")

    def pod(self, who: str) -> PodWatcher:
        """Return what hears one pod."""

        def put(heard: Heard, stopped: threading.Event) -> None:
            self._messages.put(heard, stopped=stopped)

        return PodWatcher(
            self._kube, namespace=self._namespace, who=who, deadline=self._deadline, put=put
        )

    def _start(self, target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, daemon=True, name=f"{name} {self._selector}").start()

    def _put(self, message: Heard | Unreachable | _More) -> None:
        self._messages.put(message, stopped=self._stopped)

    def _watch_pods(self) -> None:
        versions: dict[str, str] = {}
        for pods in self._follow("Pod"):
            for name in versions.keys() - pods.keys():
                del versions[name]
                self._put(Heard(name, PodSeen(None)))
            for name, pod in sorted(pods.items(), key=_age):
                version = str(part(pod, "metadata").get("resourceVersion"))
                if versions.get(name) != version:
                    versions[name] = version
                    self._put(Heard(name, PodSeen(pod)))

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


def _age(item: tuple[str, JsonObject]) -> str:
    """Order pods by age, so that the first of a Job is met before one in its place."""
    return str(part(item[1], "metadata").get("creationTimestamp") or "")
