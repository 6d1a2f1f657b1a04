"""What speaks for a pod that the cluster took away, or lost."""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.ends import (
    is_settled,
)
from floe_tests.execution.verdict.evidence.pod import (
    pod_reason,
)
from floe_tests.execution.verdict.evidence.words import (
    condition,
    event_evidence,
    events,
    in_flight,
    node_evidence,
    progress,
)
from floe_tests.execution.verdict.facts import Facts

_NODE_LOST_REASONS = frozenset({"NodeLost", "Unknown"})


def disrupted(facts: Facts) -> Sequence[Evidence]:
    """The cluster took the pod away while its tests ran."""
    if is_settled(facts):
        return ()
    found = condition(facts, "DisruptionTarget")
    pod = facts.pod
    if pod is not None and (pod.vanished or pod.deleted_at):
        found = [*_suspended(facts), *found]
    # What had ended before it, in the API's own order, was not taken away by it.
    by_kubelet = bool(pod_reason(facts, {"Evicted", "Terminated"}))
    ended_before = pod is not None and pod.ended_undisturbed and not by_kubelet
    if not found or ended_before:
        return ()
    return [
        *found,
        *pod_reason(facts, {"Evicted"}),
        *events(facts, {"Evicted", "Preempted", "TaintManagerEviction"}),
        *in_flight(facts),
        *progress(facts),
    ]


def _suspended(facts: Facts) -> Sequence[Evidence]:
    """The Job was suspended while its pod ran; by now it may be let go again."""
    if facts.suspended is not None:
        return [Evidence(facts.subject, "suspended", facts.suspended)]
    of_pod = f"Created pod: {facts.pod.name}" if facts.pod else ""
    created = (
        number
        for number, event in enumerate(facts.events)
        if event.reason == "SuccessfulCreate" and event.message == of_pod
    )
    later = facts.events[next(created, len(facts.events)) :]
    return [event_evidence(event) for event in later if event.reason == "Suspended"]


def evicted(facts: Facts) -> Sequence[Evidence]:
    """The kubelet evicted the pod, and no disruption of the node is the reason."""
    return () if is_settled(facts) else pod_reason(facts, {"Evicted"})


def vanished(facts: Facts) -> Sequence[Evidence]:
    """The pod is gone, or its node is, and this run did not ask for it."""
    pod = facts.pod
    if pod is None or is_settled(facts):
        return ()
    if facts.node is not None:
        return [*node_evidence(facts.node), *in_flight(facts), *progress(facts)]
    if pod.vanished or (pod.deleted_at is not None and not pod.ended_undisturbed):
        return [
            Evidence(
                f"pod/{pod.name}",
                "metadata.deletionTimestamp",
                "deleted while it ran, and not by this run",
                pod.deleted_at,
            ),
            *events(facts, {"NodeNotReady", "TaintManagerEviction", "Killing"}),
            *in_flight(facts),
            *progress(facts),
        ]
    return pod_reason(facts, _NODE_LOST_REASONS) or (
        [Evidence(f"pod/{pod.name}", "status.phase", pod.phase)] if pod.phase == "Unknown" else ()
    )
