"""What a workload lacks: ready pods, pods of the template that was installed, or pods at all.

Every function is pure: it takes objects as the API gives them.

A tier's promise is that what is tested is what was installed. helm calls some workloads ready of
which that is not true (`OnDelete`, a paused Deployment); here they are not.

Source: what `kubectl rollout status` looks at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform.templates import of_another_template
from floe_tests.platform.troubles import Events, Trouble, condition, refused, trouble_of

# Kinds with pods that are to stay. The first three are what nearly every chart has.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController")

# Kinds that leave the pods that they have as they are when their template changes.
_REPLACING_NONE = frozenset({"ReplicaSet", "ReplicationController"})
# Somebody may resume or restart a moment later what its controller leaves alone.
_LEFT_ALONE_SECONDS = 10.0
_POD_OF_A_SET = re.compile(r"create Pod (?P<pod>\S+) in StatefulSet")


@dataclass(frozen=True)
class Count:
    """How many pods of a workload there are, of how many that it wants.

    Attributes:
        wanted: How many it is to have.
        ready: How many are ready.
        available: How many have been ready for `minReadySeconds`.
        updated: How many are of its newest template.
        old: How many are of another one.
    """

    wanted: int
    ready: int
    available: int
    updated: int
    old: int


def lacking(
    kind: str,
    item: JsonObject,
    events: Events,
    *,
    makers: Sequence[JsonObject] = (),
    pods: Sequence[JsonObject] = (),
    is_settled: bool = False,
) -> Iterator[Trouble]:
    """Yield what a workload lacks.

    Args:
        kind: One of WORKLOADS.
        item: The object.
        events: The warnings of its namespace.
        makers: The ReplicaSets that make its pods, where it does not make them itself.
        pods: Its pods.
        is_settled: Whether nothing of the release is left that may still change it.
    """
    base, count = trouble_of(kind, item), count_of(kind, item, pods)
    is_observed = _is_observed(item)
    left_alone = _left_alone(kind, item, count, has_maker=bool(makers)) if is_observed else None
    if left_alone is not None:
        is_final = is_settled and not any(map(_is_going, pods))
        patience = _LEFT_ALONE_SECONDS if is_final else math.inf
        why, remedy = left_alone
        why = f"{base.subject} {why}"
        yield replace(base, why=why, remedy=remedy, patience_seconds=patience)
    elif count.ready < count.wanted:
        why = f"{base.subject} has {count.ready} of {count.wanted} pods ready"
        why += ", and is paused" if is_paused(kind, item) else ""
        yield replace(base, why=why, quiet_seconds=math.inf)
        refusal = _refusal(kind, item, events, makers=makers, pods=pods, wanted=count.wanted)
        if refusal is not None:
            told = replace(base, why="its pods are refused")
            yield refused(told, refusal, namespace=str(item["metadata"].get("namespace", "")))
    elif not is_observed or not _is_current(kind, item, count):
        why = f"{base.subject} still has pods of before the change"
        yield replace(base, why=why, quiet_seconds=math.inf)
    elif count.available < count.wanted:
        seconds = part(item, "spec")["minReadySeconds"]
        why = (
            f"{base.subject} has {count.available} of {count.wanted} pods available: each has to "
            f"be ready for {seconds} s (minReadySeconds)"
        )
        yield replace(base, why=why, quiet_seconds=math.inf)


def wanted_pods(item: JsonObject) -> int:
    """Return how many pods a workload is to have."""
    replicas = part(item, "spec").get("replicas", 1)
    return int(part(item, "status").get("desiredNumberScheduled", replicas) or 0)


def count_of(kind: str, item: JsonObject, pods: Sequence[JsonObject] = ()) -> Count:
    """Count a workload's pods.

    Args:
        kind: One of WORKLOADS.
        item: The object.
        pods: Its pods; only those of a ReplicaSet and its like are looked at.
    """
    wanted = wanted_pods(item)
    ready = _number(item, "numberReady", "readyReplicas")
    if kind in _REPLACING_NONE:
        old = len(of_another_template(item, pods))
        updated = max(wanted - old, 0)
    else:
        updated = _number(item, "updatedNumberScheduled", "updatedReplicas")
        old = max(_number(item, "currentNumberScheduled", "replicas") - updated, 0)
    has_to_last = part(item, "spec").get("minReadySeconds")
    available = _number(item, "numberAvailable", "availableReplicas") if has_to_last else ready
    return Count(wanted, ready, available, updated, old)


def is_paused(kind: str, item: JsonObject) -> bool:
    """Return whether an object is left alone by its controller, by its own wish."""
    return kind in {"Deployment", ""} and part(item, "spec").get("paused") is True


def kept_below(item: JsonObject) -> int:
    """Return how many pods a StatefulSet's partition leaves as they are; 0 without one."""
    first = int(part(item, "spec", "ordinals").get("start") or 0)
    return min(max(partition_of(item) - first, 0), wanted_pods(item))


def partition_of(item: JsonObject) -> int:
    """Return the number that a StatefulSet's pods are replaced from; 0 without one."""
    rolling = part(item, "spec", "updateStrategy", "rollingUpdate")
    return int(rolling.get("partition") or 0)


def replaces_on_delete(item: JsonObject) -> bool:
    """Return whether a workload replaces its pods only when somebody deletes them."""
    return part(item, "spec", "updateStrategy").get("type") == "OnDelete"


def _left_alone(
    kind: str, item: JsonObject, count: Count, *, has_maker: bool
) -> tuple[str, str] | None:
    """Return what a workload lacks that its controller never makes, and what to do about it."""
    if count.updated >= count.wanted:
        return None
    told = f"{count.updated} of {count.wanted} pods updated"
    if is_paused(kind, item):
        if has_maker and not count.old:
            return None
        resume = f"kubectl rollout resume deployment/{item['metadata']['name']}{_place(item)}"
        remedy = (
            "A paused Deployment makes no pod for a new template. Take `paused` out of the "
            f"chart's values, or resume it in a hook: `{resume}`."
        )
        return f"is paused, {told}", remedy
    return _left_old(kind, item, count, told) if count.old else None


def _left_old(kind: str, item: JsonObject, count: Count, told: str) -> tuple[str, str] | None:
    """Return which pods of before a change a workload keeps, and what to do about it."""
    delete = f"kubectl delete pod --selector {_selector(item)}{_place(item)}"
    if replaces_on_delete(item):
        remedy = (
            "It replaces its pods only when somebody deletes them: what runs is not what was "
            "installed, although `helm --wait` calls it ready. Set updateStrategy.type to "
            "RollingUpdate in the tier's values, or delete its pods in a post-upgrade hook: "
            f"`{delete}`."
        )
        return f"has {told} (OnDelete)", remedy
    if kind == "StatefulSet" and kept_below(item) >= count.wanted:
        remedy = (
            "Its partition leaves every pod as it was: what was installed runs nowhere. Lower "
            "updateStrategy.rollingUpdate.partition in the tier's values."
        )
        return f"has {told} (partition {partition_of(item)})", remedy
    if kind in _REPLACING_NONE:
        remedy = (
            f"A {kind} replaces no pods. Use a Deployment, or delete its pods in a post-upgrade "
            f"hook: `{delete}`."
        )
        return f"has {told}: the others were made from another template", remedy
    return None


def _place(item: JsonObject) -> str:
    namespace = item["metadata"].get("namespace")
    return f" --namespace {namespace}" if namespace else ""


def _selector(item: JsonObject) -> str:
    """Return a workload's selector as kubectl takes it."""
    spec = part(item, "spec")
    chosen = part(spec, "selector", "matchLabels") or part(spec, "selector")
    return ",".join(f"{key}={value}" for key, value in chosen.items() if isinstance(value, str))


def _is_going(pod: JsonObject) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _number(item: JsonObject, *keys: str) -> int:
    status = part(item, "status")
    return next((int(status[key] or 0) for key in keys if key in status), 0)


def _is_observed(item: JsonObject) -> bool:
    seen = part(item, "status").get("observedGeneration", 0)
    return seen >= item["metadata"].get("generation", 0)


def _is_current(kind: str, item: JsonObject, count: Count) -> bool:
    status = part(item, "status")
    if replaces_on_delete(item) or kind in _REPLACING_NONE:
        return True
    if kind == "StatefulSet":
        kept = kept_below(item)
        is_done = bool(kept) or status.get("updateRevision") == status.get("currentRevision")
        # A rollback in the middle of an update has equal revisions, and pods of the other one.
        return is_done and count.updated >= count.wanted - kept
    if kind == "DaemonSet":
        return count.updated >= count.wanted
    # A Deployment's old pods stay until the new ones serve.
    return count.updated >= count.wanted and _number(item, "replicas") == count.wanted


def _refusal(
    kind: str,
    item: JsonObject,
    events: Events,
    *,
    makers: Sequence[JsonObject],
    pods: Sequence[JsonObject],
    wanted: int,
) -> str | None:
    """Return what the API server said to the pods that a workload lacks."""
    # A Deployment repeats what its ReplicaSets say, that of before the change too.
    for each in makers or (item,):
        told = condition(each, "ReplicaFailure")
        if told.get("status") == "True":
            return str(told.get("message"))
    stuck = condition(item, "Progressing")
    if stuck.get("reason") == "ReplicaSetCreateError":
        return str(stuck.get("message"))
    status = part(item, "status")
    if int(status.get("currentNumberScheduled", status.get("replicas", 0)) or 0) >= wanted:
        return None
    if kind == "Deployment":
        return None
    said = events.last(item, "FailedCreate")
    # An event stays when a later try has gone well.
    pod = _POD_OF_A_SET.search(said) if said else None
    if pod and any(each["metadata"]["name"] == pod["pod"] for each in pods):
        return None
    return said
