"""Whether a pod may still come to run its tests, by the deadlines of its start."""

from __future__ import annotations

from floe_tests.core.deadline import Deadline
from floe_tests.execution.observation import Observation
from floe_tests.execution.suspension import gated_by
from floe_tests.execution.timeouts import REFUSED_SECONDS
from floe_tests.execution.verdict.evidence.start import CONTAINER_CONFIG_REASONS, IMAGE_PULL_REASONS
from floe_tests.execution.verdict.facts import PodFacts


class Start:
    """The start of one pod; its time runs from here, or from where a queue lets it go."""

    def __init__(self, seen: Observation) -> None:
        """Begin.

        Args:
            seen: The attempt, and what is seen of it: the deadline that has passed is noted there.
        """
        self._deadlines = seen.spec.deadlines
        self._seen = seen
        self._deadline = seen.spec.deadline
        self._late = self._deadline(self._deadlines.start_seconds)
        self._queue: Deadline | None = None
        self._refused: Deadline | None = None
        self._image_failing: Deadline | None = None

    def is_over(self, pod: PodFacts) -> bool:
        """Return whether a pod whose tests have not begun will not begin them."""
        if gated_by(self._seen.pod) is not None:
            return self.is_held()
        self.is_let_go()
        waiting = {
            container.reason
            for container in (pod.test, pod.exporter, *pod.init)
            if container is not None and container.state == "waiting"
        }
        if waiting & CONTAINER_CONFIG_REASONS:
            self._refused = self._refused or self._deadline(REFUSED_SECONDS)
            return self._refused.passed
        self._refused = None
        if waiting & IMAGE_PULL_REASONS:
            limit = self._deadlines.image_seconds
            self._image_failing = self._image_failing or self._deadline(limit)
            if self._image_failing.passed:
                self._seen.pass_deadline("image")
                return True
        return self.is_late()

    @property
    def is_held_back(self) -> bool:
        """Whether somebody holds it back now."""
        return self._queue is not None

    def is_held(self) -> bool:
        """Note that somebody holds the Job or its pod back; tell whether that is for too long."""
        self._queue = self._queue or self._deadline(self._deadlines.queue_seconds)
        if not self._queue.passed:
            return False
        self._seen.pass_deadline("queue")
        return True

    def is_let_go(self) -> bool:
        """Note that nobody holds it back; tell whether somebody did until now."""
        if self._queue is None:
            return False
        self._queue = None
        self._late = self._deadline(self._deadlines.start_seconds)
        return True

    def is_late(self) -> bool:
        """Return whether the time for a start is over."""
        if not self._late.passed:
            return False
        self._seen.pass_deadline("start")
        return True
