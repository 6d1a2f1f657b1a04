"""A Job that has no pod yet: suspended, refused its pod, gone, or late."""

from __future__ import annotations

import contextlib

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import InfrastructureError
from floe_tests.core.evidence import Evidence
from floe_tests.core.log import Log
from floe_tests.execution.observation import Observation
from floe_tests.execution.pod_end import events_of
from floe_tests.execution.start import Start
from floe_tests.execution.timeouts import EVENT_SECONDS, REFUSED_SECONDS, UNANSWERED_SECONDS
from floe_tests.execution.verdict.evidence.start import container_config, webhook
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, job_has_ended


class Arrival:
    """The wait for a Job's first pod."""

    def __init__(
        self,
        kube: Kube,
        seen: Observation,
        start: Start,
        *,
        log: Log,
    ) -> None:
        """Begin.

        Args:
            kube: The cluster; one without patience, for the deadlines must not wait for a look.
            seen: What is seen of the Job, and what ends the wait.
            start: The deadlines of the start.
            log: Receives who holds the Job back.
        """
        self._kube = kube
        self._seen = seen
        self._start = start
        self._log = log
        self._next_look = self._seen.spec.deadline(EVENT_SECONDS)
        self._refused: Deadline | None = None
        self._said: str | None = None

    def is_over(self) -> bool:
        """Look now and then; tell whether no pod is to be waited for any more.

        What ended the wait is noted in what was seen: an error, a deadline, events of a refusal.
        """
        if self._next_look.passed and not self._look():
            return True
        held = self._seen.suspended
        if held is not None:
            is_for_too_long = self._start.is_held()
            if held != self._said:
                self._log(f"{self._seen.subject} is suspended: {held}")
            self._said = held
            return is_for_too_long
        if self._start.is_let_go():
            self._said = None
            self._log(f"{self._seen.subject} is suspended no more")
        return self._is_refused() or self._start.is_late()

    def _look(self) -> bool:
        """Read Job and events; tell whether a pod may still come."""
        name, namespace = self._seen.spec.job_name, self._seen.spec.namespace
        job: JsonObject | None = self._seen.job
        with contextlib.suppress(InfrastructureError):
            job = self._kube.get("Job", name, namespace=namespace)
            self._seen.events = events_of(self._kube, name, namespace)
        self._next_look = self._seen.spec.deadline(EVENT_SECONDS)
        if job is not None and not (job_has_ended(job) and not self._pods(job)):
            self._seen.job = job
            return True
        self._seen.job = job or self._seen.job
        what = "ended" if job is not None else "was deleted by somebody else"
        facts = self._seen.facts(elapsed_seconds=0)
        self._seen.error = ErrorFacts(
            "infrastructure",
            f"{self._seen.subject} {what} before a pod of it was seen",
            tuple(
                Evidence(
                    self._seen.subject, f"condition {each.type}", f"{each.reason}: {each.message}"
                )
                for each in facts.job_conditions
                if each.status
            ),
        )
        return False

    def _pods(self, job: JsonObject) -> list[JsonObject]:
        namespace, name = self._seen.spec.namespace, job["metadata"]["name"]
        return self._kube.list("Pod", namespace=namespace, label_selector=f"job-name={name}")

    def _is_refused(self) -> bool:
        """Notice that the cluster refuses the Job's pods: nothing else says so."""
        facts = self._seen.facts(elapsed_seconds=0)
        is_unanswered = bool(webhook(facts))
        if not (is_unanswered or container_config(facts)):
            return False
        self._refused = self._refused or self._seen.spec.deadline(UNANSWERED_SECONDS)
        limit = UNANSWERED_SECONDS if is_unanswered else REFUSED_SECONDS
        return self._refused.elapsed_seconds >= limit
