"""The namespace a run gets for itself: its pods restricted, with a quota, and gone afterwards."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from floe_tests.config.environment import PodSecurity
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import (
    CleanupError,
    ConfigurationError,
    DeadlineError,
    InfrastructureError,
)
from floe_tests.core.labels import Owner
from floe_tests.environments.ownership import create_owned, is_marked, mark, why_not_proved
from floe_tests.environments.role_binding import bind_role, creator_label
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part, parts

_QUOTA = "floe-tests-budget"
_LIMITS = "floe-tests-limits"
# What the scheduler reckons with for a container that asks for nothing.
_DEFAULT_REQUEST = "32Mi"
_PAST_GRACE = timedelta(seconds=15)
# PLURAL.GROUP in the words of a namespace on its way out. Kubernetes' own groups are one word, or
# end with k8s.io, and their finalizers have controllers outside of the namespace.
_CUSTOM_RESOURCE = re.compile(
    r"\b([a-z0-9]+(?:\.[a-z0-9-]+){2,})(?<!\.k8s\.io) has \d+ resource instances"
)


@dataclass(frozen=True)
class NamespaceRules:
    """What holds in a run's namespace.

    Attributes:
        memory: Sum of the memory limits of all pods, as Kubernetes writes it (`8Gi`).
        pod_security: The level of the Pod Security Standards that it enforces.
        container_memory: Memory limit of a container that has none of its own; None for none.
    """

    memory: str
    pod_security: PodSecurity = "restricted"
    container_memory: str | None = None

    @classmethod
    def of(cls, tier: TierSettings) -> NamespaceRules:
        """Return what a tier's settings ask for."""
        return cls(tier.budget.memory, tier.pod_security, tier.budget.container_memory)


def create_namespace(
    kube: Kube,
    name: str,
    *,
    owner: Owner,
    rules: NamespaceRules,
    deadline: Deadline,
    role: str | None = None,
) -> str:
    """Create a run's namespace, with the tier's Pod Security level and its memory as a quota.

    A resumed run uses the one that it created in the process before.

    Args:
        kube: The cluster.
        name: Name of the namespace.
        owner: What is written on it.
        rules: What holds in it.
        deadline: When its service account must be there.
        role: ClusterRole that this account binds itself to in it; None where it has its rights
            everywhere.

    Returns:
        Its UID.

    Raises:
        ConfigurationError: It exists, or the account may not create it.
        DeadlineError: Kubernetes did not prepare it in time.
    """
    security = {
        f"pod-security.kubernetes.io/{mode}": rules.pod_security
        for mode in ("enforce", "audit", "warn")
    }
    creator = creator_label(kube) if role is not None else {}
    try:
        made = create_owned(
            kube,
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {**owner.labels(), **security, **creator}},
            },
        )
    except RefusedError as error:
        if error.is_forbidden:
            message = (
                f"the account may not create namespaces: {error}. A run needs one for itself; see "
                f"`{kube.access.kubectl('auth can-i create namespaces')}`."
            )
            raise ConfigurationError(message) from error
        if not error.is_conflict:
            raise
        made = _resumed(kube, name, owner)
    if role is not None:
        bind_role(kube, name, role=role, deadline=deadline)
    _limit(kube, name, owner=owner, rules=rules)
    try:
        for accounts in kube.follow(
            "ServiceAccount", namespace=name, deadline=deadline, tick_seconds=2
        ):
            if "default" in accounts:
                break
    except DeadlineError as error:
        message = f"namespace {name} got no default service account within {deadline.seconds:g} s."
        raise DeadlineError(message) from error
    return str(made["metadata"]["uid"])


def _resumed(kube: Kube, name: str, owner: Owner) -> JsonObject:
    """Return the namespace that this run has created in a process before this one."""
    found = kube.get("Namespace", name) or {}
    is_copy = not is_marked(found) and labels.CREATED_UID_ANNOTATION in part(
        found, "metadata", "annotations"
    )
    if not _is_of(owner.run_id, found) or is_copy:
        message = (
            f"namespace {name} is already there. It is another run's, or was left behind: "
            f"`{kube.access.kubectl('delete namespace', name)}` removes it."
        )
        raise ConfigurationError(message)
    return found if is_marked(found) else mark(kube, "Namespace", found)


def _limit(kube: Kube, namespace: str, *, owner: Owner, rules: NamespaceRules) -> None:
    """Create the quota, before it the limits by which a container counts that names none."""
    specs: dict[tuple[str, str], JsonObject] = {}
    if rules.container_memory is not None:
        limits = {
            "type": "Container",
            "default": {"memory": rules.container_memory},
            "defaultRequest": {"memory": _DEFAULT_REQUEST},
        }
        specs["LimitRange", _LIMITS] = {"limits": [limits]}
    specs["ResourceQuota", _QUOTA] = {"hard": {"limits.memory": rules.memory}}
    for (kind, name), spec in specs.items():
        metadata = {"name": name, "labels": owner.labels()}
        try:
            kube.create(
                {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec},
                namespace=namespace,
            )
        except RefusedError as error:
            if not error.is_conflict:  # the process that had the run before has made it
                raise


def delete_namespace(
    kube: Kube, name: str, *, run_id: str, deadline: Deadline, uid: str = ""
) -> None:
    """Delete a run's namespace and wait until it is gone; one that is not there is fine.

    Args:
        kube: The cluster.
        name: Name of the namespace.
        run_id: The run that it must be labelled with: another's of that name is left alone.
        deadline: When it must be gone.
        uid: Its UID, as the ledger has it; empty where the run did not come so far.

    Raises:
        CleanupError: It is still there at the deadline, with what keeps it; or nothing proves that
            the run created it.
    """
    try:
        found = kube.get("Namespace", name)
        if found is None or not _is_of(run_id, found):
            return
        reason = why_not_proved(found, run_id=run_id, recorded={uid})
        if reason:
            message = (
                f"namespace {name} is left alone: {reason}. Look into it; "
                f"`{kube.access.kubectl('delete namespace', name)}` removes it."
            )
            raise CleanupError(message)
        uid = str(found["metadata"]["uid"])
        if not kube.delete("Namespace", name, uid=uid):
            return
        for namespaces in kube.follow(
            "Namespace", field_selector=f"metadata.name={name}", deadline=deadline, tick_seconds=2
        ):
            if part(namespaces.get(name, {}), "metadata").get("uid") != uid:
                return
            force_delete_stuck_pods(kube, name)
            _remove_orphaned_finalizers(kube, namespaces[name])
    except DeadlineError as error:
        raise CleanupError(_stuck(kube, name, deadline)) from error
    except InfrastructureError as error:
        message = (
            f"namespace {name} could not be deleted: {error} Remove it with "
            f"`{kube.access.kubectl('delete namespace', name)}`."
        )
        raise CleanupError(message) from error


def force_delete_stuck_pods(
    kube: Kube, namespace: str, *, label_selector: str = "", only: Collection[str] | None = None
) -> None:
    """Force the deletion of pods that no kubelet ends: those on a node that is lost.

    A pod's timestamp of deletion is the end of its grace, by the API server's clock. The kubelet
    needs a moment more; one that has not answered well after that will not.

    Args:
        kube: The cluster.
        namespace: The pods' namespace.
        label_selector: Which pods.
        only: UIDs of those that may be deleted; None for all.
    """
    # Without the right to it the namespace goes all the same, as a rule.
    with contextlib.suppress(RefusedError):
        pods = kube.list("Pod", namespace=namespace, label_selector=label_selector)
        late = kube.now() - _PAST_GRACE
        for pod in pods:
            metadata = part(pod, "metadata")
            text, uid = metadata.get("deletionTimestamp"), str(metadata.get("uid", ""))
            is_late = text is not None and datetime.fromisoformat(text) < late
            if is_late and (only is None or uid in only):
                name = str(metadata["name"])
                kube.delete("Pod", name, namespace=namespace, grace_seconds=0, uid=uid)


def _remove_orphaned_finalizers(kube: Kube, namespace: JsonObject) -> None:
    """Remove the finalizers of custom resources whose operator went with the namespace.

    Kubernetes deletes a namespace's pods first, and the operator's is one of them. What it was to
    let go then stays for ever. An operator elsewhere has its time: all pods are gone, and what is
    left has been waiting for a while.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
    """
    conditions = {
        str(item.get("type")): item
        for item in parts(namespace, "status", "conditions")
        if item.get("status") == "True"
    }
    waiting = conditions.get("NamespaceFinalizersRemaining", {}).get("lastTransitionTime")
    content = str(conditions.get("NamespaceContentRemaining", {}).get("message", ""))
    if waiting is None or "pods. has" in content:
        return
    if datetime.fromisoformat(str(waiting)) > kube.now() - _PAST_GRACE:
        return
    name = str(namespace["metadata"]["name"])
    # Without the right to it the deletion ends with what keeps the namespace.
    with contextlib.suppress(RefusedError):
        for resource in _CUSTOM_RESOURCE.findall(content):
            kube.remove_finalizers(resource, namespace=name)


def _is_of(run_id: str, namespace: JsonObject | None) -> bool:
    return part(namespace or {}, "metadata", "labels").get(labels.RUN) == labels.label_value(run_id)


def _stuck(kube: Kube, name: str, deadline: Deadline) -> str:
    found = kube.get("Namespace", name) or {}
    conditions = parts(found, "status", "conditions")
    why = "; ".join(str(item.get("message")) for item in conditions if item.get("status") == "True")
    return (
        f"namespace {name} is still there {deadline.seconds:g} s after its deletion"
        f"{': ' + why if why else ''}. See `{kube.access.kubectl('get all --namespace', name)}`."
    )
