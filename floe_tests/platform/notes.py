"""What a reader should know of a release that is up: what of it does not run, or is not waited for.

Nothing here makes a run red. A test that needs what a note is about fails by itself, and the note
says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from floe_tests.core.words import listed
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.platform.readiness import is_held_back, is_observed, is_suspended
from floe_tests.platform.workloads import (
    WORKLOADS,
    count_of,
    is_paused,
    partition_of,
    replaces_on_delete,
)

_SHOWN_NAMES = 3


def notes_on(kind: str, item: JsonObject, manifest: JsonObject) -> Iterator[str]:
    """Yield what is to be said of one object.

    Args:
        kind: Its kind.
        item: The object.
        manifest: What its chart says of it.
    """
    subject = f"{kind.lower()}/{item['metadata']['name']}"
    if kind in WORKLOADS:
        yield from _on_workload(kind, item, manifest)
    elif kind == "Job":
        if is_held_back(manifest) and is_held_back(item):
            word = "suspended" if is_suspended(item) else "of parallelism 0"
            yield f"{subject} is {word}: it is not waited for"
    elif kind == "Pod":
        if part(item, "status").get("phase") == "Succeeded":
            yield f"{subject} has ended: nothing of it runs any more"
    elif kind == "PersistentVolumeClaim":
        if part(item, "status").get("phase") == "Pending":
            yield f"{subject} has no volume: it waits for a pod that mounts it"
    else:
        yield from _on_custom(subject, item)


def notes_on_silent(items: Sequence[JsonObject]) -> Iterator[str]:
    """Yield which custom resources have no status, kind by kind: charts have dozens of some.

    Args:
        items: Custom resources without a status.
    """
    for kind in sorted({str(item["kind"]) for item in items}):
        names = [
            f"{kind.lower()}/{item['metadata']['name']}" for item in items if item["kind"] == kind
        ]
        shown = listed(names, shown=_SHOWN_NAMES)
        yield f"{shown}: no status: whether a controller has taken it up is not known"


def notes_on_manifests(manifests: Sequence[JsonObject]) -> Iterator[str]:
    """Yield what is to be said of objects that nothing is waited for in.

    Args:
        manifests: All that the chart has.
    """
    for manifest in manifests:
        name, spec = part(manifest, "metadata").get("name"), part(manifest, "spec")
        if manifest.get("kind") == "CronJob":
            when = f"runs by its schedule ({spec.get('schedule')})"
            how = "is suspended" if spec.get("suspend") is True else when
            yield f"cronjob/{name} {how}: it is not waited for"


def wants_address(manifest: JsonObject) -> bool:
    """Return whether something outside of the chart gives an object its address."""
    is_balanced = part(manifest, "spec").get("type") == "LoadBalancer"
    return manifest.get("kind") == "Ingress" or (manifest.get("kind") == "Service" and is_balanced)


def notes_on_address(item: JsonObject, kind: str) -> Iterator[str]:
    """Yield that an Ingress, or a Service of type LoadBalancer, has no address.

    Args:
        item: The object.
        kind: Its kind.
    """
    if parts(item, "status", "loadBalancer", "ingress"):
        return
    name = item["metadata"]["name"]
    if kind == "Ingress":
        yield f"ingress/{name} has no address: no controller says that it serves it"
    else:
        yield f"service/{name} (LoadBalancer) has no address: it is reached in the cluster alone"


def scaled_by(manifests: Sequence[JsonObject], kind: str, name: str) -> str | None:
    """Return the HorizontalPodAutoscaler of a workload; None where the chart has none."""
    for manifest in manifests:
        target = part(manifest, "spec", "scaleTargetRef")
        is_autoscaler = manifest.get("kind") == "HorizontalPodAutoscaler"
        if is_autoscaler and (target.get("kind"), target.get("name")) == (kind, name):
            return str(manifest["metadata"]["name"])
    return None


def _on_custom(subject: str, item: JsonObject) -> Iterator[str]:
    is_changed = int(item["metadata"].get("generation") or 0) > 1
    if is_paused("", item) or is_suspended(item):
        word = "suspended" if is_suspended(item) else "paused"
        yield f"{subject} is {word}: it is not waited for"
    elif is_changed and part(item, "status") and is_observed(item) is None:
        yield (
            f"{subject} has no status.observedGeneration: whether its newest change has been taken "
            "up is not known"
        )


def _on_workload(kind: str, item: JsonObject, manifest: JsonObject) -> Iterator[str]:
    subject, count = f"{kind.lower()}/{item['metadata']['name']}", count_of(kind, item)
    if count.wanted == 0:
        if kind == "DaemonSet":
            yield f"{subject} matches no node: nothing of it runs"
        else:
            wanted = part(manifest, "spec").get("replicas")
            said = f", where its chart says {wanted}" if wanted else ""
            yield f"{subject} has 0 replicas{said}: nothing of it runs"
    elif is_paused(kind, item):
        yield f"{subject} is paused: a change of its template makes no new pods"
    elif replaces_on_delete(item):
        yield f"{subject} replaces its pods only when somebody deletes them (OnDelete)"
    elif kind == "StatefulSet" and count.old:
        yield (
            f"{subject} runs two templates: {count.updated} of {count.wanted} pods updated, the "
            f"others as they were before (partition {partition_of(item)}): the tests meet both"
        )
