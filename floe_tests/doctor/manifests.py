"""What is wrong with a tier's manifests, before any cluster is asked: quota, names, selectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from floe_tests.core.words import listed
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import RENDERED_NAMESPACE, Needs
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.quantity import MIB, quantity
from floe_tests.platform.record import hook_events

# Kinds whose selector has to be that of their own pods.
_CONTROLLERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
_SHOWN = 4


def check_manifests(needs: Needs, *, image_registry_prefix: str) -> tuple[Check, ...]:
    """Look at all that a tier would create.

    Args:
        needs: What the tier brings.
        image_registry_prefix: What has to stand before every image; empty for nothing.
    """
    looks = (_quota(needs), _prefix(needs, image_registry_prefix))
    found = [check for check in looks if check is not None]
    if not needs.untold:
        others = (_selectors(needs), _references(needs))
        return (*found, *(check for check in others if check is not None))
    # Of charts that do not render it is not known what they would make. What is wrong stays wrong.
    return tuple(
        Check(check.name, "unknown", needs.untold) if check.state == "ok" else check
        for check in found
    )


def _quota(needs: Needs) -> Check | None:
    """Hold the limits of memory against the quota of a run's namespace, which is the budget."""
    if needs.tier.installed is not None:
        return None  # its namespace's own quota counts, which a cluster tells
    budget = needs.tier.budget
    own = [item for item in (*needs.manifests, *needs.jobs) if _is_in_namespace(needs, item)]
    has_defaults = any(item.get("kind") == "LimitRange" for item in own)
    without = [where for item in own for where in _without_limit(item)]
    if without and not has_defaults and budget.container_memory is None:
        return Check(
            "quota",
            "failed",
            f"no resources.limits.memory: {listed(without, shown=_SHOWN)}. The run's namespace has "
            "a quota of memory, and refuses such pods",
            "Write the limits, by the chart's values or in the suite's test-job.yaml, or set "
            "budget.container_memory for those without one.",
        )
    default = quantity(budget.container_memory or 0)
    charts = sum(_limit(item, default) * _copies(item) for item in own if item not in needs.jobs)
    suite = max((_limit(job, default) for job in needs.jobs), default=0.0)
    total = (charts + suite) / MIB
    found = (
        f"{total:.0f} MiB of limits (charts and the largest suite); budget.memory is "
        f"{budget.memory}"
    )
    if total > budget.memory_mib:
        # The setting takes whole numbers alone.
        enough = math.ceil(total / 1024)
        remedy = f"Raise budget.memory to {enough}Gi or more, or lower the limits."
        return Check("quota", "failed", found, remedy)
    return Check("quota", "ok", found)


def _prefix(needs: Needs, prefix: str) -> Check | None:
    if not prefix:
        return None
    outside = [image for image in needs.images if not image.startswith(prefix)]
    if outside:
        return Check(
            "registry prefix",
            "warning",
            f"outside IMAGE_REGISTRY_PREFIX={prefix}: {listed(outside, shown=_SHOWN)}",
            "Give the chart's values that name its images, such as global.imageRegistry.",
        )
    return Check("registry prefix", "ok", f"before all {len(needs.images)} images")


def _selectors(needs: Needs) -> Check | None:
    """Look for controllers that do not select their pods, and Services that select none."""
    # A chart may select the pods of the tests too.
    pods = (*needs.manifests, *needs.jobs)
    templates = [_pod_labels(item) for item in pods if _pod_spec(item)]
    wrong: list[str] = []
    idle: list[str] = []
    for item in needs.manifests:
        selector = part(item, "spec", "selector")
        if item.get("kind") in _CONTROLLERS:
            if not _selects(part(selector, "matchLabels"), _pod_labels(item)):
                wrong.append(_named(item))
        elif item.get("kind") == "Service" and selector:
            if not any(_selects(selector, labels) for labels in templates):
                idle.append(_named(item))
        elif item.get("kind") == "PodDisruptionBudget":
            wanted = part(selector, "matchLabels")
            if wanted and not any(_selects(wanted, labels) for labels in templates):
                idle.append(_named(item))
    if wrong:
        found = f"spec.selector does not match the pods' own labels: {listed(wrong, shown=_SHOWN)}"
        return Check("selectors", "failed", found, "Mend selector or labels in the chart.")
    if idle:
        found = f"select no pod of these charts: {listed(idle, shown=_SHOWN)}"
        remedy = "Mend the selector, unless an operator makes those pods."
        return Check("selectors", "warning", found, remedy)
    return Check("selectors", "ok", "each selects pods") if needs.manifests else None


def _references(needs: Needs) -> Check | None:
    """Look for what the suites' pods name and nobody makes."""
    if needs.tier.installed is not None or not needs.jobs:
        return None
    made = {(str(item.get("kind")), _name_of(item)) for item in needs.manifests}
    missing = [
        f"{kind.lower()}/{name} of {_named(job)}"
        for job in needs.jobs
        for kind, name in _named_by(_pod_spec(job))
        # A run brings ConfigMaps of its own, which have the Job's name.
        if (kind, name) not in made and not name.startswith(f"{_name_of(job)}-")
    ]
    if missing:
        return Check(
            "references",
            "warning",
            f"made by no chart of the tier: {listed(list(dict.fromkeys(missing)), shown=_SHOWN)}",
            "The run's namespace is new: let a chart make it, or mark it `optional: true`.",
        )
    return Check("references", "ok", "all that the suites name is made by the charts")


def _named_by(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a pod cannot start without: accounts, ConfigMaps, Secrets, volumes."""
    account = pod.get("serviceAccountName")
    if account and account != "default":
        yield "ServiceAccount", str(account)
    for volume in parts(pod, "volumes"):
        for key, kind, field in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
        ):
            yield from _required(part(volume, key), kind, field)
    for container in (*parts(pod, "containers"), *parts(pod, "initContainers")):
        for source in (
            *parts(container, "envFrom"),
            *(part(item, "valueFrom") for item in parts(container, "env")),
        ):
            for key, kind in (
                ("configMapRef", "ConfigMap"),
                ("secretRef", "Secret"),
                ("configMapKeyRef", "ConfigMap"),
                ("secretKeyRef", "Secret"),
            ):
                yield from _required(part(source, key), kind, "name")


def _required(reference: Mapping[str, Any], kind: str, field: str) -> Iterator[tuple[str, str]]:
    name = str(reference.get(field) or "")
    # The cluster makes the last, in every namespace.
    if name and name != "kube-root-ca.crt" and reference.get("optional") is not True:
        yield kind, name


def _is_in_namespace(needs: Needs, item: JsonObject) -> bool:
    namespace = part(item, "metadata").get("namespace")
    return namespace in {None, needs.namespace, RENDERED_NAMESPACE}


def _pod_spec(item: Mapping[str, Any]) -> Mapping[str, Any]:
    if item.get("kind") == "Pod":
        return part(item, "spec")
    if item.get("kind") == "CronJob":
        return part(item, "spec", "jobTemplate", "spec", "template", "spec")
    return part(item, "spec", "template", "spec")


def _pod_labels(item: Mapping[str, Any]) -> Mapping[str, Any]:
    if item.get("kind") == "Pod":
        return part(item, "metadata", "labels")
    return part(item, "spec", "template", "metadata", "labels")


def _selects(wanted: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())


def _without_limit(item: JsonObject) -> Iterator[str]:
    pod = _pod_spec(item)
    for container in (*parts(pod, "initContainers"), *parts(pod, "containers")):
        if not part(container, "resources", "limits").get("memory"):
            yield f"container {container.get('name')} of {_named(item)}"


def _limit(item: JsonObject, default: float) -> float:
    """Return the bytes that a pod counts for in a quota; a container without a limit, a default."""
    pod = _pod_spec(item)
    starting = parts(pod, "initContainers")
    beside = [one for one in starting if one.get("restartPolicy") == "Always"]
    together = sum(_memory(one, default) for one in (*parts(pod, "containers"), *beside))
    return max([together, *(_memory(one, default) for one in starting)])


def _memory(container: Mapping[str, Any], default: float) -> float:
    own = part(container, "resources", "limits").get("memory")
    return quantity(own) if own else default


def _copies(item: JsonObject) -> int:
    # A hook and a CronJob come and go; a Job of a chart counts while it runs.
    if hook_events(item) or item.get("kind") == "CronJob":
        return 0
    replicas = part(item, "spec").get("replicas")
    return 1 if replicas is None else int(replicas)


def _name_of(item: Mapping[str, Any]) -> str:
    metadata = part(item, "metadata")
    return str(metadata.get("name") or metadata.get("generateName"))


def _named(item: Mapping[str, Any]) -> str:
    return f"{str(item.get('kind')).lower()}/{_name_of(item)}"
