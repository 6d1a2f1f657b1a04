"""What several rules ask of the pod and its Job."""

from __future__ import annotations

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.words import (
    in_flight,
    pod_name,
    progress,
)
from floe_tests.execution.verdict.facts import ContainerFacts, Facts


def has_begun(facts: Facts) -> bool:
    """Return whether the tests have begun."""
    test = facts.pod.test if facts.pod else None
    return test is not None and test.started_at is not None


def all_containers(facts: Facts) -> tuple[ContainerFacts | None, ...]:
    """Return all containers of the pod; None where the API says nothing of one."""
    pod = facts.pod
    return () if pod is None else (pod.test, pod.exporter, *pod.init, *pod.others)


def pod_reason(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    """Return the pod's own reason, where it is one of these."""
    pod = facts.pod
    if pod is None or pod.reason not in reasons:
        return []
    return [
        Evidence(pod_name(pod), "status.reason", f"{pod.reason}: {pod.message}"),
        *(progress(facts) if facts.results.started else ()),
        *in_flight(facts),
    ]


def deadline_exceeded(facts: Facts) -> bool:
    """Return whether Kubernetes ended the Job or the pod by its deadline."""
    by_job = any(item.reason == "DeadlineExceeded" and item.status for item in facts.job_conditions)
    return by_job or (facts.pod is not None and facts.pod.reason == "DeadlineExceeded")
