"""What was seen of one attempt so far: the objects as the API sent them, and what ended it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from floe_tests.execution.manifest import EXPORTER, AttemptSpec
from floe_tests.execution.suspension import gated_by, held_by, suspended_by
from floe_tests.execution.verdict.facts import (
    ContainerFacts,
    DeadlineName,
    ErrorFacts,
    Facts,
    NodeFacts,
    PodFacts,
    run_seconds,
)
from floe_tests.execution.verdict.observed import (
    condition_facts,
    deletion_request,
    event_facts,
    pod_facts,
)
from floe_tests.kube.objects import JsonObject, parts


@dataclass
class Observation:
    """What was seen of one attempt so far.

    Attributes:
        spec: The attempt.
        subject: What is run, as evidence names it.
        test_container: Name of the container that runs the tests.
        pod: The pod, as it was last there.
        vanished: Whether it is there no more, and this run did not ask for that.
        deleted_at: When its deletion was asked for, as the pod first said it: its grace is cut
            short once its containers have ended, and the time it names is a later one then.
        ended_undisturbed: Whether its tests had ended before anybody asked for its end, in the
            order in which the API said so: clocks of several machines prove nothing.
        node: Its node, once that is lost.
        job: The pod's Job, as it was last there.
        events: Events about the Job and its pod.
        last_words: The ends of the logs of containers beside the tests, by their names.
        passed: The deadline that ended it.
        passed_at: When that was (UTC).
        is_dismissed: Whether this run ended the pod because its tests had ended.
        error: The error that ended it.
        cancelled: Why it was cancelled.
    """

    spec: AttemptSpec
    subject: str
    test_container: str
    pod: JsonObject | None = None
    vanished: bool = False
    deleted_at: str | None = None
    ended_undisturbed: bool = False
    node: NodeFacts | None = None
    job: JsonObject | None = None
    events: list[JsonObject] = field(default_factory=list[JsonObject])
    last_words: dict[str, str] = field(default_factory=dict[str, str])
    passed: DeadlineName | None = None
    passed_at: datetime | None = None
    is_dismissed: bool = False
    error: ErrorFacts | None = None
    cancelled: str | None = None

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
            self.vanished = self.pod is not None and not self.is_asked_to_end

    def _ends_undisturbed(self, pod: JsonObject) -> bool:
        facts = pod_facts(pod, test_container=self.test_container, exporter_container=EXPORTER)
        return has_ended(facts) and not (
            self.is_asked_to_end or facts.deleted_at or facts.is_disrupted
        )

    def is_same(self, pod: JsonObject) -> bool:
        """Return whether a pod is the one that was seen, and not a later one of its name."""
        return self.pod is None or pod["metadata"]["uid"] == self.pod["metadata"]["uid"]

    @property
    def is_asked_to_end(self) -> bool:
        """Whether this run has asked for the pod's end."""
        return self.passed is not None or self.cancelled is not None or self.is_dismissed

    @property
    def suspended(self) -> str | None:
        """Who keeps the Job or its pod from running, in a few words; None when nobody does."""
        if self.pod is None:
            return held_by(self.job)
        return suspended_by(self.job) or gated_by(self.pod)

    def pass_deadline(self, name: DeadlineName) -> None:
        """Note the deadline that ended the attempt; the first one counts."""
        if self.passed is None:
            self.passed, self.passed_at = name, datetime.now(UTC)

    def pod_facts(self) -> PodFacts | None:
        """Return the facts of the pod; None while there never was one."""
        if self.pod is None:
            return None
        facts = pod_facts(self.pod, test_container=self.test_container, exporter_container=EXPORTER)
        return replace(
            facts,
            init=_with_last_words(facts.init, self.last_words),
            others=_with_last_words(facts.others, self.last_words),
            vanished=self.vanished and not has_ended(facts),
            deleted_at=None if self.is_asked_to_end else self.deleted_at,
            ended_undisturbed=self.ended_undisturbed,
        )

    def facts(self, *, elapsed_seconds: float) -> Facts:
        """Return all that is known, without the results.

        Args:
            elapsed_seconds: Since the attempt began.
        """
        pod, deadlines = self.pod_facts(), self.spec.deadlines
        return Facts(
            subject=self.subject,
            cancelled=self.cancelled,
            error=self.error,
            passed_deadline=self.passed,
            pod=pod,
            node=self.node,
            job_conditions=condition_facts(parts(self.job or {}, "status", "conditions")),
            suspended=self.suspended,
            events=event_facts(self.events),
            elapsed_seconds=elapsed_seconds,
            tests_seconds=run_seconds(pod.test) if pod else None,
            deadlines=(
                ("queue", deadlines.queue_seconds),
                ("start", deadlines.start_seconds),
                ("image", deadlines.image_seconds),
                ("tests", deadlines.tests_seconds),
                ("pod", deadlines.pod_seconds),
                ("job", deadlines.job_seconds),
            ),
        )


def has_ended(pod: PodFacts) -> bool:
    """Return whether the tests of a pod have ended, or never will run."""
    if pod.phase in {"Succeeded", "Failed"}:
        return True
    return pod.test is not None and pod.test.state == "terminated"


def _with_last_words(
    containers: tuple[ContainerFacts, ...], last_words: Mapping[str, str]
) -> tuple[ContainerFacts, ...]:
    return tuple(replace(each, last_words=last_words.get(each.name, "")) for each in containers)
