"""Sets a suite's parallelism on its Job, by what the cluster has and what its pods experience."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from floe_tests.config.test_job import JobTemplate
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, InfrastructureError
from floe_tests.core.log import Log
from floe_tests.execution.manifest import AttemptSpec, build_job
from floe_tests.execution.sharding.capacity import Capacity, look
from floe_tests.execution.sharding.parallelism import LOOK_SECONDS, UNPLACED_SECONDS, Parallelism
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part


class JobParallelism:
    """How many pods the suite's Job may have at once."""

    def __init__(
        self,
        kube: Kube,
        template: JobTemplate,
        spec: AttemptSpec,
        *,
        wanted: Parallelism,
        say: Log,
    ) -> None:
        """Prepare.

        Args:
            kube: The cluster; a patient one.
            template: The suite's test-job.yaml.
            spec: What this attempt adds to it.
            wanted: Decides how many.
            say: Receives what stays unknown.
        """
        self._kube = kube
        self._glance = Kube(kube.access)
        self._spec = spec
        # With all that the run adds: the exporter needs memory too.
        self._pod = part(build_job(template, spec), "spec", "template", "spec")
        self._wanted = wanted
        self._say = say
        self._next_look: Deadline | None = None
        self._is_looking = False
        self.is_anothers = False

    @property
    def now(self) -> int:
        """How many at once now."""
        return self._wanted.now

    def resume(self, job: JsonObject) -> None:
        """Take what a process before has set on the Job."""
        self._wanted.now = int(part(job, "spec").get("parallelism") or self._wanted.now)

    def let_go(self) -> JsonObject | None:
        """Let the suspended Job make its pods, no more of them than it may have now."""
        try:
            self._wanted.see(self._look())
        except FloeTestsError as error:
            self._say(f"the cluster's capacity stays unknown: {error}")
        parallelism = self._wanted.next(placed=0) or self._wanted.now
        return self._patch({"suspend": False, "parallelism": parallelism})

    def update(
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
        self._wanted.observe(placed=placed, unplaced=waiting)
        if not self._is_looking and (self._next_look is None or self._next_look.passed):
            self._next_look, self._is_looking = self._spec.deadline(LOOK_SECONDS), True
            chore(self._look_around)
        parallelism = self._wanted.next(placed=placed)
        if parallelism is not None:
            chore(lambda: self._set(parallelism))

    def _look_around(self) -> Callable[[], None]:
        capacity = None
        # The next look comes soon.
        with contextlib.suppress(InfrastructureError):
            capacity = self._look()

        def take() -> None:
            self._is_looking = False
            if capacity is not None:
                self._wanted.see(capacity)

        return take

    def _look(self) -> Capacity:
        return look(self._glance, namespace=self._spec.namespace, pod=self._pod)

    def _set(self, parallelism: int) -> Callable[[], None]:
        self._patch({"parallelism": parallelism})
        return lambda: None

    def _patch(self, changes: JsonObject) -> JsonObject | None:
        name, namespace = self._spec.job_name, self._spec.namespace
        return self._kube.patch("Job", name, {"spec": changes}, namespace=namespace)
