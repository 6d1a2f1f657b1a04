"""What speaks for a pod whose tests never began: admission, image, node, init containers, time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.pod import (
    all_containers,
    deadline_exceeded,
    has_begun,
    pod_reason,
)
from floe_tests.execution.verdict.evidence.words import (
    bad_end,
    deadline_evidence,
    event_evidence,
    events,
    last_words,
    pod_name,
    terminated,
    waiting,
)
from floe_tests.execution.verdict.facts import EventFacts, Facts
from floe_tests.kube.refusals import is_cluster_trouble, refusal_of

IMAGE_PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
CONTAINER_CONFIG_REASONS = frozenset(
    {"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"}
)
_START_ERROR_REASONS = frozenset({"ContainerCannotRun", "StartError", "RunContainerError"})
# What the kubelet gives when it refuses a pod that was bound to it.
# Source: https://github.com/kubernetes/kubernetes/tree/master/pkg/kubelet/lifecycle
_NODE_REFUSED_REASONS = frozenset(
    {
        "UnexpectedAdmissionError",
        "NodeAffinity",
        "NodePorts",
        "NodeShutdown",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "OutOfephemeral-storage",
    }
)
# The scheduler's own words. Source:
# https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/volumebinding
_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "[^"]*" not found')
_JOB_REFUSED_REASONS = frozenset({"FailedCreate"})
_VOLUME_REASONS = frozenset({"FailedMount", "FailedAttachVolume"})


def webhook(facts: Facts) -> Sequence[Evidence]:
    """The cluster could not say whether it takes the pod: an admission webhook does not answer."""
    if facts.pod is not None:
        return ()
    refused = _refusals(facts)
    named = [
        Evidence(f"webhook {refusal.who}", "answer", "none: the pod could not be admitted")
        for event in refused
        if (refusal := refusal_of(event.message)) and refusal.kind == "silent webhook"
    ]
    troubled = [
        event_evidence(event) for event in _refusals(facts) if is_cluster_trouble(event.message)
    ]
    return [*named[:1], *troubled]


def container_config(facts: Facts) -> Sequence[Evidence]:
    """The pod can never run as it is written."""
    refused = [
        event_evidence(event)
        for event in _refusals(facts)
        if facts.pod is None and not is_cluster_trouble(event.message)
    ]
    if facts.pod is None:
        return refused
    containers = all_containers(facts)
    return [
        *waiting(facts, CONTAINER_CONFIG_REASONS, *containers),
        *_missing_claims(facts),
        *refused,
        *(
            item
            for container in containers
            for item in terminated(facts, container, reasons=_START_ERROR_REASONS)
        ),
    ]


def _missing_claims(facts: Facts) -> Sequence[Evidence]:
    """The pod names a PersistentVolumeClaim that is not there: no node will ever take it."""
    if facts.passed_deadline != "start":
        return ()
    found = [item for item in _unscheduled(facts) if _MISSING_CLAIM.search(item.value)]
    return [*found, deadline_evidence(facts)] if found else ()


def _unscheduled(facts: Facts) -> Sequence[Evidence]:
    """Return what the scheduler says of a pod that no node has taken."""
    pod = facts.pod
    return [
        Evidence(
            f"pod/{pod.name}", f"condition {item.type}", f"{item.reason}: {item.message}", item.time
        )
        for item in (pod.conditions if pod else ())
        if pod and item.type == "PodScheduled" and not item.status
    ]


def image(facts: Facts) -> Sequence[Evidence]:
    """An image cannot be pulled."""
    found = waiting(facts, IMAGE_PULL_REASONS, *all_containers(facts))
    return [*found, *events(facts, {"Failed"})] if found else ()


def node_refused(facts: Facts) -> Sequence[Evidence]:
    """The node took the pod and did not run it."""
    return pod_reason(facts, _NODE_REFUSED_REASONS)


def init_failed(facts: Facts) -> Sequence[Evidence]:
    """An init container failed, or never let the tests begin."""
    pod = facts.pod
    if pod is None or has_begun(facts):
        return ()
    failed = [item for one in pod.init for item in bad_end(facts, one, kind="init container")]
    if pod.phase == "Failed" and failed:
        return failed
    if facts.passed_deadline not in {"start", "pod", "job"} and not deadline_exceeded(facts):
        return ()
    hanging = [
        Evidence(
            pod_name(pod),
            f"init container {one.name}",
            "still runs, and the tests wait for it"
            + (f": {said}" if (said := last_words(one)) else ""),
        )
        for one in pod.init
        if one.state == "running" and one.started is not True
    ]
    found = [*failed, *hanging]
    return [*found, deadline_evidence(facts)] if found else ()


def capacity(facts: Facts) -> Sequence[Evidence]:
    """No node took the pod up to the start deadline, or a queue did not let its Job begin."""
    if facts.passed_deadline == "queue" or (
        facts.passed_deadline == "start" and facts.suspended is not None and facts.pod is None
    ):
        why = facts.suspended or "suspended, and nobody says by whom"
        return [Evidence(facts.subject, "suspended", why), deadline_evidence(facts)]
    if facts.passed_deadline != "start":
        return ()
    unscheduled = _unscheduled(facts)
    return [*unscheduled, deadline_evidence(facts)] if unscheduled else ()


def start(facts: Facts) -> Sequence[Evidence]:
    """The tests did not start by their deadline."""
    late = facts.passed_deadline in {"start", "image"} or deadline_exceeded(facts)
    if has_begun(facts) or not late:
        return ()
    return [
        deadline_evidence(facts),
        *events(facts, _VOLUME_REASONS),
        *waiting(facts, None, *all_containers(facts)),
    ]


def _refusals(facts: Facts) -> list[EventFacts]:
    return [event for event in facts.events if event.reason in _JOB_REFUSED_REASONS]
