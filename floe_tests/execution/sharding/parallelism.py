"""Keeps a sharded suite's window on its Job: looked at, felt, and set there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from floe_tests.config.test_job import JobTemplate
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, InfrastructureError
from floe_tests.execution.manifest import JobRequest, build_job
from floe_tests.execution.sharding.capacity import Room, look
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.execution.sharding.window import LOOK_SECONDS, UNPLACED_SECONDS, Window
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

Log = Callable[[str], None]


class Parallelism:
    """How many pods the suite's Job may have at once."""

    def __init__(
        self,
        kube: Kube,
        template: JobTemplate,
        request: JobRequest,
        *,
        window: Window,
        say: Log,
    ) -> None:
        """Prepare.

        Args:
            kube: The cluster; a patient one.
            template: The suite's test-job.yaml.
            request: What this attempt adds to it.
            window: What was seen and felt of the room.
            say: Receives what stays unknown.
        """
        self._kube = kube
        self._glance = Kube(kube.access)
        self._request = request
        # With all that the run adds: the exporter takes room too.
        self._pod = part(build_job(template, request), "spec", "template", "spec")
        self._window = window
        self._say = say
        self._next_look: Deadline | None = None
        self._is_looking = False
        self.is_anothers = False

    @property
    def now(self) -> int:
        """How many at once now."""
        return self._window.now

    def take_over(self, job: JsonObject) -> None:
        """Take what a process before has set on the Job."""
        self._window.now = int(part(job, "spec").get("parallelism") or self._window.now)

    def let_go(self) -> JsonObject | None:
        """Let the suspended Job make its pods, no more of them than it may have now."""
        try:
            self._window.see(self._look())
        except FloeTestsError as error:
            self._say(f"the room on the cluster stays unknown: {error}")
        parallelism = self._window.next(placed=0) or self._window.now
        return self._patch({"suspend": False, "parallelism": parallelism})

    def tend(
        self,
        pods: Collection[ShardPod],
        *,
        chore: Callable[[Callable[[], Callable[[], None]]], None],
    ) -> None:
        """Take what the pods experience, look around now and then, and set what is to be set.

        Args:
            pods: Those that are followed.
            chore: Has something done off this thread.
        """
        if self.is_anothers:
            return  # a queue has admitted so many pods, and no others
        placed = sum(pod.has_node for pod in pods)
        waiting = sum(pod.is_unplaced(UNPLACED_SECONDS) for pod in pods)
        self._window.feel(placed=placed, unplaced=waiting)
        if not self._is_looking and (self._next_look is None or self._next_look.passed):
            self._next_look, self._is_looking = Deadline(LOOK_SECONDS), True
            chore(self._look_around)
        parallelism = self._window.next(placed=placed)
        if parallelism is not None:
            chore(lambda: self._set(parallelism))

    def _look_around(self) -> Callable[[], None]:
        room = None
        # The next look comes soon.
        with contextlib.suppress(InfrastructureError):
            room = self._look()

        def take() -> None:
            self._is_looking = False
            if room is not None:
                self._window.see(room)

        return take

    def _look(self) -> Room:
        return look(self._glance, namespace=self._request.namespace, pod=self._pod)

    def _set(self, parallelism: int) -> Callable[[], None]:
        self._patch({"parallelism": parallelism})
        return lambda: None

    def _patch(self, spec: JsonObject) -> JsonObject | None:
        name, namespace = self._request.job_name, self._request.namespace
        return self._kube.patch("Job", name, {"spec": spec}, namespace=namespace)
