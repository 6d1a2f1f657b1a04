"""What speaks for the verdicts on a pod and its Job: admission, start, disruption, memory, disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.ends import (
    CRASHES,
    KILLED,
    PYTEST_INTERNAL_ERROR,
    PYTEST_USAGE_ERROR,
    counts_failures,
    exit_code,
    is_settled,
    is_settled_red,
    left_early,
    pytest_ended_with,
)
from floe_tests.execution.verdict.evidence.words import (
    bad_end,
    condition,
    deadline_evidence,
    event_evidence,
    events,
    exit_evidence,
    in_flight,
    last_words,
    node_evidence,
    pod_name,
    progress,
    terminated,
    waiting,
)
from floe_tests.execution.verdict.facts import ContainerFacts, EventFacts, Facts
from floe_tests.kube.quantity import quantity
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
_NODE_LOST_REASONS = frozenset({"NodeLost", "Unknown"})
_JOB_REFUSED_REASONS = frozenset({"FailedCreate"})
_VOLUME_REASONS = frozenset({"FailedMount", "FailedAttachVolume"})
# What the kubelet writes of a node that runs out of something.
# Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/helpers.go
_NODE_LOW = re.compile(r"The node was low on resource: (?P<resource>[a-z-]+)")
_THRESHOLD = re.compile(
    r"Threshold quantity: (?P<wanted>[0-9A-Za-z.]+), available: (?P<left>\S+?)\."
)
_CONSUMER = re.compile(r"Container (?P<name>\S+) was using (?P<used>[0-9A-Za-z.]+),")
_DISK = frozenset({"ephemeral-storage", "inodes"})
# Less than this is full: no result file can grow by a page or two.
_FULL_BYTES = 64 * 1024


def exporter_oom(facts: Facts) -> Sequence[Evidence]:
    """The exporter ran out of memory, and results are missing."""
    exporter = facts.pod.exporter if facts.pod else None
    # A sidecar is restarted and sends everything again: then nothing is lost, and nobody to blame.
    if exporter is None or facts.results.complete or is_settled(facts):
        return ()
    found = [
        item
        for container in (exporter, exporter.previous)
        for item in terminated(facts, container, reasons={"OOMKilled"})
    ]
    return [*found, *progress(facts)] if found else ()


def out_of_memory(facts: Facts) -> Sequence[Evidence]:
    """The tests, or an init container, ran out of memory."""
    if facts.pod is None or is_settled_red(facts):
        return ()
    found = [
        item
        for container in (facts.pod.test, *(() if _has_begun(facts) else facts.pod.init))
        for item in terminated(facts, container, reasons={"OOMKilled"})
    ]
    return [*found, *progress(facts), *in_flight(facts)] if found else ()


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
    containers = _all_containers(facts)
    return [
        *waiting(facts, CONTAINER_CONFIG_REASONS, *containers),
        *refused,
        *(
            item
            for container in containers
            for item in terminated(facts, container, reasons=_START_ERROR_REASONS)
        ),
    ]


def unusable_command(facts: Facts) -> Sequence[Evidence]:
    """The tests' own command is wrong: pytest could not begin with it."""
    return pytest_ended_with(facts, {PYTEST_USAGE_ERROR})


def image(facts: Facts) -> Sequence[Evidence]:
    """An image cannot be pulled."""
    found = waiting(facts, IMAGE_PULL_REASONS, *_all_containers(facts))
    return [*found, *events(facts, {"Failed"})] if found else ()


def node_refused(facts: Facts) -> Sequence[Evidence]:
    """The node took the pod and did not run it."""
    return _pod_reason(facts, _NODE_REFUSED_REASONS)


def filled_disk(facts: Facts) -> Sequence[Evidence]:
    """The pod filled the disk of its node: without what it used, the node would have had enough."""
    pod = facts.pod
    low = _NODE_LOW.search(pod.message) if pod is not None else None
    if pod is None or low is None or low["resource"] not in _DISK or is_settled(facts):
        return ()
    consumers = {found["name"]: found["used"] for found in _CONSUMER.finditer(pod.message)}
    used = sum(map(quantity, consumers.values()))
    threshold = _THRESHOLD.search(pod.message)
    missing = quantity(threshold["wanted"]) - quantity(threshold["left"]) if threshold else 0
    if not consumers or used < missing:
        return ()
    volumes = f" (its log, its image's layer, emptyDir {', '.join(pod.volumes)})"
    where = volumes if pod.volumes else " (its log, its image's layer)"
    return [
        *(
            Evidence(
                pod_name(pod),
                f"container {name}",
                f"used {size} of the node's {low['resource']}{where}",
            )
            for name, size in consumers.items()
        ),
        *_pod_reason(facts, {"Evicted"}),
    ]


def full_volume(facts: Facts) -> Sequence[Evidence]:
    """The volume of the results is full, and results are missing."""
    free = facts.results.free_bytes
    if free is None or free >= _FULL_BYTES or facts.results.complete or is_settled_red(facts):
        return ()
    return [
        Evidence(facts.subject, "volume of /results", f"full: {free} bytes are free"),
        *exit_evidence(facts),
        *in_flight(facts),
        *progress(facts),
    ]


def disrupted(facts: Facts) -> Sequence[Evidence]:
    """The cluster took the pod away while its tests ran."""
    if is_settled(facts):
        return ()
    found = condition(facts, "DisruptionTarget")
    pod = facts.pod
    if facts.suspended is not None and pod is not None and (pod.vanished or pod.deleted_at):
        found = [Evidence(facts.subject, "suspended", facts.suspended), *found]
    # What had ended before it, in the API's own order, was not taken away by it.
    by_kubelet = bool(_pod_reason(facts, {"Evicted", "Terminated"}))
    ended_before = pod is not None and pod.ended_undisturbed and not by_kubelet
    if not found or ended_before:
        return ()
    return [
        *found,
        *_pod_reason(facts, {"Evicted"}),
        *events(facts, {"Evicted", "Preempted", "TaintManagerEviction"}),
        *in_flight(facts),
        *progress(facts),
    ]


def evicted(facts: Facts) -> Sequence[Evidence]:
    """The kubelet evicted the pod, and no disruption of the node is the reason."""
    return () if is_settled(facts) else _pod_reason(facts, {"Evicted"})


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
    return _pod_reason(facts, _NODE_LOST_REASONS) or (
        [Evidence(f"pod/{pod.name}", "status.phase", pod.phase)] if pod.phase == "Unknown" else ()
    )


def init_failed(facts: Facts) -> Sequence[Evidence]:
    """An init container failed, or never let the tests begin."""
    pod = facts.pod
    if pod is None or _has_begun(facts):
        return ()
    failed = [item for one in pod.init for item in bad_end(facts, one, kind="init container")]
    if pod.phase == "Failed" and failed:
        return failed
    if facts.passed_deadline not in {"start", "pod", "job"} and not _deadline_exceeded(facts):
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
    unscheduled = [
        Evidence(
            f"pod/{pod.name}", f"condition {item.type}", f"{item.reason}: {item.message}", item.time
        )
        for pod in [facts.pod]
        if pod is not None
        for item in pod.conditions
        if item.type == "PodScheduled" and not item.status
    ]
    return [*unscheduled, deadline_evidence(facts)] if unscheduled else ()


def start(facts: Facts) -> Sequence[Evidence]:
    """The tests did not start by their deadline."""
    late = facts.passed_deadline in {"start", "image"} or _deadline_exceeded(facts)
    if _has_begun(facts) or not late:
        return ()
    return [
        deadline_evidence(facts),
        *events(facts, _VOLUME_REASONS),
        *waiting(facts, None, *_all_containers(facts)),
    ]


def timeout(facts: Facts) -> Sequence[Evidence]:
    """The tests did not end by their deadline."""
    if is_settled_red(facts):
        return ()
    if facts.passed_deadline in {"tests", "pod", "job"} or _deadline_exceeded(facts):
        return [deadline_evidence(facts), *in_flight(facts), *progress(facts)]
    limit = dict(facts.deadlines).get("tests")
    unfinished = not facts.results.session_finished
    if limit is not None and unfinished and (facts.tests_seconds or 0) >= limit:
        seconds = Evidence(
            facts.subject,
            "seconds of the tests",
            f"{facts.tests_seconds:.0f}, the deadline is {limit:g}",
        )
        return [seconds, *in_flight(facts), *progress(facts)]
    return ()


def killed(facts: Facts) -> Sequence[Evidence]:
    """The tests were killed, and nothing says by whom."""
    if exit_code(facts) not in KILLED or is_settled_red(facts) or counts_failures(facts):
        return ()
    return [*exit_evidence(facts), *progress(facts), *in_flight(facts)]


def crashed(facts: Facts) -> Sequence[Evidence]:
    """The test program crashed, or left in the middle of its tests."""
    if is_settled_red(facts) or counts_failures(facts):
        return ()
    if exit_code(facts) in CRASHES:
        return [*exit_evidence(facts), *in_flight(facts), *progress(facts)]
    if own_trouble := pytest_ended_with(facts, {PYTEST_INTERNAL_ERROR}):
        return [*own_trouble, *in_flight(facts), *progress(facts)]
    if not left_early(facts):
        return ()
    code = exit_evidence(facts)
    left = Evidence(facts.subject, "session", "the test program left before its session was over")
    return [left, *in_flight(facts), *code, *progress(facts)]


def beside(facts: Facts) -> list[Evidence]:
    """Return how containers beside the tests failed: it may explain what the tests met."""
    if facts.pod is None:
        return []
    # A sidecar that died was started again; the kubelet ends the others after the tests.
    died = [one for one in facts.pod.init if one.restarts and _has_begun(facts)]
    return [
        *(item for one in facts.pod.others for item in bad_end(facts, one)),
        *(
            item
            for one in died
            for item in bad_end(facts, replace(one, state="unknown"), kind="sidecar")
        ),
    ]


def _has_begun(facts: Facts) -> bool:
    test = facts.pod.test if facts.pod else None
    return test is not None and test.started_at is not None


def _all_containers(facts: Facts) -> tuple[ContainerFacts | None, ...]:
    pod = facts.pod
    return () if pod is None else (pod.test, pod.exporter, *pod.init, *pod.others)


def _refusals(facts: Facts) -> list[EventFacts]:
    return [event for event in facts.events if event.reason in _JOB_REFUSED_REASONS]


def _pod_reason(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    pod = facts.pod
    if pod is None or pod.reason not in reasons:
        return []
    return [
        Evidence(pod_name(pod), "status.reason", f"{pod.reason}: {pod.message}"),
        *(progress(facts) if facts.results.started else ()),
        *in_flight(facts),
    ]


def _deadline_exceeded(facts: Facts) -> bool:
    by_job = any(item.reason == "DeadlineExceeded" and item.status for item in facts.job_conditions)
    return by_job or (facts.pod is not None and facts.pod.reason == "DeadlineExceeded")
