"""What an object of a release lacks to be up, by the rules of its kind.

Every function is pure: it takes objects as the API gives them.

Sources: what `kubectl rollout status` looks at, and kstatus for custom resources
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.platform.troubles import (
    Events,
    Trouble,
    component_of,
    condition,
    refused,
)

# Kinds with pods that are to stay. The first three are what nearly every chart has.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController")

# A controller that has given up on its object may still take it up again.
_STALLED_SECONDS = 10.0
_POD_OF_A_SET = re.compile(r"create Pod (?P<pod>\S+) in StatefulSet")


def lacking(
    kind: str,
    item: JsonObject,
    events: Events,
    *,
    makers: Sequence[JsonObject] = (),
    pods: Sequence[JsonObject] = (),
) -> Iterator[Trouble]:
    """Yield what a workload lacks: ready pods, pods of its newest generation, or pods at all.

    Args:
        kind: One of WORKLOADS.
        item: The object.
        events: The warnings of its namespace.
        makers: The ReplicaSets that make its pods, where it does not make them itself.
        pods: Its pods.
    """
    base = _trouble(kind, item)
    if is_paused(kind, item):
        return
    wanted, have = wanted_pods(item), _ready(item)
    if have < wanted:
        why = f"{base.subject} has {have} of {wanted} pods ready"
        yield replace(base, why=why, quiet_seconds=math.inf)
        refusal = _refusal(kind, item, events, makers=makers, pods=pods, wanted=wanted)
        if refusal is not None:
            told = replace(base, why="its pods are refused")
            yield refused(told, refusal, namespace=str(item["metadata"].get("namespace", "")))
    elif not _is_current(kind, item, wanted=wanted):
        why = f"{base.subject} still has pods of before the change"
        yield replace(base, why=why, quiet_seconds=math.inf)


def lacking_of_job(
    item: JsonObject, events: Events, *, pods: Sequence[JsonObject] = (), hook: str = ""
) -> Iterator[Trouble]:
    """Yield what keeps a Job from being complete.

    Args:
        item: The Job.
        events: The warnings of its namespace.
        pods: Its pods.
        hook: When it runs, if it is a hook.
    """
    name = f"job/{item['metadata']['name']}"
    shown = f"hook {name} ({hook})" if hook else name
    pod = next(iter(sorted(pods, key=_how_telling)), None)
    base = replace(_trouble("Job", item), pod=pod)
    failed = condition(item, "Failed")
    if failed.get("status") != "True":
        failed = condition(item, "FailureTarget")
    if failed.get("status") == "True":
        why = f"{shown} failed: {failed.get('reason')}: {failed.get('message')}"
        # helm says so of a hook itself, a moment later.
        yield replace(base, why=why, patience_seconds=3.0 if hook else 0)
        return
    if is_suspended(item) or _is_complete(item) or _serves(pods):
        return
    message = events.last(item, "FailedCreate")
    if message is not None and not pods:
        told = replace(base, why=f"the pods of {shown} are refused")
        yield refused(told, message, namespace=str(item["metadata"].get("namespace", "")))
    yield replace(base, why=f"{shown} has not ended", quiet_seconds=math.inf)


def lacking_of_claim(item: JsonObject, said: Mapping[str, str]) -> Iterator[Trouble]:
    """Yield why a PersistentVolumeClaim that no pod mounts is not bound.

    One that waits for its first consumer lacks nothing, and of one that a pod mounts that pod says
    why it cannot be scheduled.

    Args:
        item: The claim.
        said: The newest events of the claim: reason → message.
    """
    phase = part(item, "status").get("phase")
    base = _trouble("PersistentVolumeClaim", item)
    if phase == "Lost":
        yield replace(base, why="its volume is lost", patience_seconds=0)
    if phase != "Pending" or "WaitForFirstConsumer" in said:
        return
    for reason in ("ProvisioningFailed", "FailedBinding"):
        if reason in said:
            message = said[reason]
            final = reason == "ProvisioningFailed" and "not found" in message
            why = f"its volume cannot be had: {message}"
            yield replace(base, why=why, patience_seconds=0 if final else math.inf)
            return
    yield replace(base, why="its volume is not bound yet", quiet_seconds=math.inf)


def lacking_of_custom(item: JsonObject) -> Iterator[Trouble]:
    """Yield what a custom resource says that it lacks, by the conventions of kstatus."""
    base = _trouble(str(item.get("kind")), item)
    if is_suspended(item) or is_paused("", item):
        return
    stalled, ready = condition(item, "Stalled"), _readiness_of(item)
    if stalled.get("status") == "True":
        why = f"{base.subject} is stalled: {_words(stalled)}"
        yield replace(base, why=why, patience_seconds=_STALLED_SECONDS)
    elif not _is_observed(item, ready):
        why = f"{base.subject}: its controller has not taken up its newest generation"
        yield replace(base, why=why, quiet_seconds=math.inf)
    elif ready and ready.get("status") != "True":
        why = f"{base.subject} is not {ready.get('type')}: {_words(ready)}"
        yield replace(base, why=why, quiet_seconds=15.0)
    elif condition(item, "Reconciling").get("status") == "True":
        why = f"{base.subject} is being reconciled: {_words(condition(item, 'Reconciling'))}"
        yield replace(base, why=why, quiet_seconds=math.inf)


def says_something(item: JsonObject) -> bool:
    """Return whether a custom resource tells anything of whether it is up."""
    return bool(
        _readiness_of(item)
        or "observedGeneration" in part(item, "status")
        or condition(item, "Stalled")
        or condition(item, "Reconciling")
    )


def wanted_pods(item: JsonObject) -> int:
    """Return how many pods a workload is to have."""
    replicas = part(item, "spec").get("replicas", 1)
    return int(part(item, "status").get("desiredNumberScheduled", replicas) or 0)


def is_paused(kind: str, item: JsonObject) -> bool:
    """Return whether an object is left alone by its controller, by its own wish."""
    return kind in {"Deployment", ""} and part(item, "spec").get("paused") is True


def is_suspended(item: JsonObject) -> bool:
    """Return whether a Job or a custom resource is suspended."""
    return part(item, "spec").get("suspend") is True


def peculiarities_of(kind: str, item: JsonObject) -> Iterator[str]:
    """Yield what is not waited for in an object, and why: people should know."""
    subject = f"{kind.lower()}/{item['metadata']['name']}"
    strategy = part(item, "spec", "updateStrategy").get("type")
    if is_paused(kind if kind in WORKLOADS else "", item):
        yield f"{subject} is paused: its pods are not waited for"
    elif is_suspended(item):
        yield f"{subject} is suspended: it is not waited for"
    elif strategy == "OnDelete":
        yield f"{subject} replaces its pods only when somebody deletes them (OnDelete)"
    elif part(item, "spec", "updateStrategy", "rollingUpdate").get("partition"):
        partition = part(item, "spec", "updateStrategy", "rollingUpdate")["partition"]
        yield f"{subject} leaves its pods below number {partition} as they are (partition)"


def _trouble(kind: str, item: JsonObject) -> Trouble:
    metadata = item["metadata"]
    return Trouble(
        f"{kind.lower()}/{metadata['name']}",
        component_of(item),
        "",
        namespace=str(metadata.get("namespace") or ""),
    )


def _ready(item: JsonObject) -> int:
    status = part(item, "status")
    return int(status.get("numberReady", status.get("readyReplicas", 0)) or 0)


def _is_current(kind: str, item: JsonObject, *, wanted: int) -> bool:
    status, strategy = part(item, "status"), part(item, "spec", "updateStrategy")
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return False
    if strategy.get("type") == "OnDelete" or kind in {"ReplicaSet", "ReplicationController"}:
        return True
    if kind == "StatefulSet":
        partition = int(part(strategy, "rollingUpdate").get("partition") or 0)
        if partition:
            return int(status.get("updatedReplicas", 0) or 0) >= wanted - partition
        return status.get("updateRevision") == status.get("currentRevision")
    if kind == "DaemonSet":
        return int(status.get("updatedNumberScheduled", 0) or 0) >= wanted
    # A Deployment's old pods stay until the new ones serve.
    updated, pods = (int(status.get(key, 0) or 0) for key in ("updatedReplicas", "replicas"))
    return updated >= wanted and pods == wanted


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


def _is_complete(job: JsonObject) -> bool:
    return any(
        condition(job, kind).get("status") == "True" for kind in ("Complete", "SuccessCriteriaMet")
    )


def _serves(pods: Sequence[JsonObject]) -> bool:
    """Return whether a Job's pods are there to stay, by their own word: a probe, and ready."""
    running = [pod for pod in pods if part(pod, "status").get("phase") == "Running"]
    return bool(running) and all(
        condition(pod, "Ready").get("status") == "True"
        and any("readinessProbe" in one for one in parts(pod, "spec", "containers"))
        for pod in running
    )


def _how_telling(pod: JsonObject) -> tuple[int, str]:
    order = {"Failed": 0, "Pending": 1, "Running": 1}
    phase = str(part(pod, "status").get("phase"))
    return order.get(phase, 2), str(pod["metadata"]["name"])


def _readiness_of(item: JsonObject) -> JsonObject:
    return condition(item, "Ready") or condition(item, "Available")


def _is_observed(item: JsonObject, ready: JsonObject) -> bool:
    generation = item["metadata"].get("generation", 0)
    seen = (part(item, "status").get("observedGeneration"), ready.get("observedGeneration"))
    return all(number >= generation for number in seen if isinstance(number, int))


def _words(said: JsonObject) -> str:
    return f"{said.get('reason') or said.get('status')}: {said.get('message') or ''}".rstrip(": ")
