"""What a Job, a claim or a custom resource of a release lacks to be up.

Every function is pure: it takes objects as the API gives them.

Source: kstatus for custom resources
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.platform.troubles import Events, Trouble, condition, refused, trouble_of
from floe_tests.platform.workloads import is_paused

# A controller that has given up on its object may still take it up again.
_STALLED_SECONDS = 10.0


def lacking_of_job(
    item: JsonObject,
    events: Events,
    *,
    pods: Sequence[JsonObject] = (),
    hook: str = "",
    manifest: JsonObject | None = None,
) -> Iterator[Trouble]:
    """Yield what keeps a Job from being complete.

    One that its chart holds back lacks nothing. Where the chart does not, a queue does, and lets
    it go.

    Args:
        item: The Job.
        events: The warnings of its namespace.
        pods: Its pods.
        hook: When it runs, if it is a hook.
        manifest: What the chart says of it; None where that is not known.
    """
    name = f"job/{item['metadata']['name']}"
    shown = f"hook {name} ({hook})" if hook else name
    pod = next(iter(sorted(pods, key=_how_telling)), None)
    base = replace(trouble_of("Job", item), pod=pod)
    failed = condition(item, "Failed")
    if failed.get("status") != "True":
        failed = condition(item, "FailureTarget")
    if failed.get("status") == "True":
        why = f"{shown} failed: {failed.get('reason')}: {failed.get('message')}"
        # helm says so of a hook itself, a moment later.
        yield replace(base, why=why, patience_seconds=3.0 if hook else 0)
        return
    by_chart = is_held_back(manifest or item)
    if (by_chart and not hook) or _is_complete(item) or _serves(pods):
        return
    if is_held_back(item):
        by = "its chart" if by_chart else "somebody else than its chart, such as a queue"
        yield replace(base, why=f"{shown} is suspended by {by}", quiet_seconds=5.0)
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
    base = trouble_of("PersistentVolumeClaim", item)
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
    base = trouble_of(str(item.get("kind")), item)
    if is_suspended(item) or is_paused("", item):
        return
    stalled, ready = condition(item, "Stalled"), _readiness_of(item)
    if stalled.get("status") == "True":
        why = f"{base.subject} is stalled: {_words(stalled)}"
        yield replace(base, why=why, patience_seconds=_STALLED_SECONDS)
    elif is_observed(item) is False:
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


def is_suspended(item: JsonObject) -> bool:
    """Return whether a Job or a custom resource is suspended."""
    return part(item, "spec").get("suspend") is True


def is_held_back(job: JsonObject) -> bool:
    """Return whether a Job makes no pod, by its own wish."""
    return is_suspended(job) or part(job, "spec").get("parallelism") == 0


def is_observed(item: JsonObject) -> bool | None:
    """Return whether a custom resource's controller has seen its newest generation.

    Returns:
        None where it does not say.
    """
    generation = item["metadata"].get("generation", 0)
    of_status = part(item, "status").get("observedGeneration")
    told = (of_status, _readiness_of(item).get("observedGeneration"))
    numbers = [number for number in told if isinstance(number, int)]
    return all(number >= generation for number in numbers) if numbers else None


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


def _words(said: JsonObject) -> str:
    return f"{said.get('reason') or said.get('status')}: {said.get('message') or ''}".rstrip(": ")
