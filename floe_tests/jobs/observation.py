"""What was seen of one attempt so far: the objects as the API sent them, and what ended it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from floe_tests.jobs.facts import (
    DeadlineName,
    ErrorFacts,
    Facts,
    NodeFacts,
    PodFacts,
    condition_facts,
    deletion_request,
    event_facts,
    pod_facts,
    run_seconds,
)
from floe_tests.jobs.manifest import EXPORTER, JobRequest
from floe_tests.kube import JsonObject, part, parts


@dataclass
class Observation:
    """What was seen of one attempt so far.

    Attributes:
        request: The attempt.
        test_container: Name of the container that runs the tests.
        pod: The pod, as it was last there.
        vanished: Whether it is there no more, and this run did not ask for that.
        deleted_at: When its deletion was asked for, as the pod first said it: its grace is cut
            short once its containers have ended, and the time it names is a later one then.
        ended_undisturbed: Whether its tests had ended before anybody asked for its end, in the
            order in which the API said so: clocks of several machines prove nothing.
        node: Its node, once that is lost.
        events: Events about the Job and its pod.
        passed: The deadline that ended it.
        passed_at: When that was (UTC).
        error: The error that ended it.
        cancelled: Why it was cancelled.
    """

    request: JobRequest
    test_container: str
    pod: JsonObject | None = None
    vanished: bool = False
    deleted_at: str | None = None
    ended_undisturbed: bool = False
    node: NodeFacts | None = None
    events: list[JsonObject] = field(default_factory=list[JsonObject])
    passed: DeadlineName | None = None
    passed_at: datetime | None = None
    error: ErrorFacts | None = None
    cancelled: str | None = None

    @property
    def subject(self) -> str:
        """The Job, as evidence names it."""
        return f"job/{self.request.job_name}"

    @property
    def pod_name(self) -> str | None:
        """Name of the pod; None while there never was one."""
        return None if self.pod is None else str(self.pod["metadata"]["name"])

    def see(self, pod: JsonObject | None) -> None:
        """Take the pod as it is now; None when there is none."""
        if pod is not None:
            self.pod = pod
            self.deleted_at = self.deleted_at or deletion_request(pod)
            self.ended_undisturbed = self.ended_undisturbed or self._ends_undisturbed(pod)
        else:
            self.vanished = self.pod is not None and self.passed is None

    def _ends_undisturbed(self, pod: JsonObject) -> bool:
        facts = pod_facts(pod, test_container=self.test_container, exporter_container=EXPORTER)
        asked_for = self.passed is not None or self.cancelled is not None
        return has_ended(facts) and not (asked_for or facts.deleted_at or facts.is_disrupted)

    def is_same(self, pod: JsonObject) -> bool:
        """Tell whether a pod is the one that was seen, and not a later one of its name."""
        return self.pod is not None and pod["metadata"]["uid"] == self.pod["metadata"]["uid"]

    def see_events(self, events: list[JsonObject]) -> None:
        """Take those of the namespace's events that are about the Job or its pod."""
        names = {self.request.job_name, self.pod_name}
        self.events = [item for item in events if part(item, "involvedObject").get("name") in names]

    def pass_deadline(self, name: DeadlineName) -> None:
        """Note the deadline that ended the attempt; the first one counts."""
        if self.passed is None:
            self.passed, self.passed_at = name, datetime.now(UTC)

    def pod_facts(self) -> PodFacts | None:
        """Give the facts of the pod; None while there never was one."""
        if self.pod is None:
            return None
        facts = pod_facts(self.pod, test_container=self.test_container, exporter_container=EXPORTER)
        asked_for = self.passed is not None or self.cancelled is not None
        return replace(
            facts,
            vanished=self.vanished and not has_ended(facts),
            deleted_at=None if asked_for else self.deleted_at,
            ended_undisturbed=self.ended_undisturbed,
        )

    def facts(self, job: JsonObject | None, *, elapsed_seconds: float) -> Facts:
        """Give all that is known, without the results.

        Args:
            job: The Job as it is now; None when it is gone or cannot be read.
            elapsed_seconds: Since the attempt began.
        """
        pod, deadlines = self.pod_facts(), self.request.deadlines
        return Facts(
            subject=self.subject,
            cancelled=self.cancelled,
            error=self.error,
            passed_deadline=self.passed,
            pod=pod,
            node=self.node,
            job_conditions=condition_facts(parts(job or {}, "status", "conditions")),
            events=event_facts(self.events),
            elapsed_seconds=elapsed_seconds,
            tests_seconds=run_seconds(pod.test) if pod else None,
            deadlines=(
                ("start", deadlines.start_seconds),
                ("image", deadlines.image_seconds),
                ("tests", deadlines.tests_seconds),
                ("pod", deadlines.pod_seconds),
                ("job", deadlines.job_seconds),
            ),
        )


def has_ended(pod: PodFacts) -> bool:
    """Tell whether the tests of a pod have ended, or never will run."""
    if pod.phase in {"Succeeded", "Failed"}:
        return True
    return pod.test is not None and pod.test.state == "terminated"
