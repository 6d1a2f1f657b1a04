"""What speaks for a pod that ran out of memory or disk."""

from __future__ import annotations

import re
from collections.abc import Sequence

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.ends import (
    is_settled,
    is_settled_red,
)
from floe_tests.execution.verdict.evidence.pod import (
    has_begun,
    pod_reason,
)
from floe_tests.execution.verdict.evidence.words import (
    exit_evidence,
    in_flight,
    pod_name,
    progress,
    terminated,
)
from floe_tests.execution.verdict.facts import Facts
from floe_tests.kube.quantity import quantity

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
        for container in (facts.pod.test, *(() if has_begun(facts) else facts.pod.init))
        for item in terminated(facts, container, reasons={"OOMKilled"})
    ]
    return [*found, *progress(facts), *in_flight(facts)] if found else ()


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
        *pod_reason(facts, {"Evicted"}),
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
