"""What proves that a run of this project created an object: labels alone prove nothing.

Anybody can write labels, and exports of manifests carry them into other namespaces and clusters. An
object's UID is Kubernetes' own, given anew to each object. Who creates one writes its UID into the
object itself: a copy carries the UID of another, and is known by it.

The rules: docs/decisions/0008-what-may-be-reaped.md
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.signals import deferred_signals
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts

# Of Kubernetes itself, of its distributions, and of what clusters are commonly furnished with.
_SYSTEM = frozenset(
    {
        *("default", "local-path-storage", "flux-system", "cert-manager", "ingress-nginx"),
        *("argocd", "gatekeeper-system", "istio-system", "knative-serving", "kyverno", "linkerd"),
        *("longhorn-system", "metallb-system", "monitoring", "rook-ceph", "velero"),
    }
)
_SYSTEM_PREFIXES = (
    *("kube-", "openshift", "gke-", "gmp-", "aks-", "amazon-", "azure-", "eks-", "cattle-"),
    *("calico-", "tigera-"),
)
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_RUN_CHARACTERS = 8


def create_owned(
    kube: Kube, manifest: Mapping[str, Any], *, namespace: str | None = None
) -> JsonObject:
    """Create an object and write into it that this project has created it.

    Args:
        kube: The cluster.
        manifest: The object.
        namespace: Its namespace; None for one that has none.

    Raises:
        RefusedError: The API refused it, or the mark.
    """
    kind = str(manifest["kind"])
    # A signal between the two would leave a namespace that nobody may remove. What lies in one has
    # somebody who removes it by its name; there a signal need not wait for an API that is away.
    with deferred_signals() if namespace is None else contextlib.nullcontext():
        made = kube.create(manifest, namespace=namespace)
        return mark(kube, kind, made, namespace=namespace)


def mark(kube: Kube, kind: str, made: JsonObject, *, namespace: str | None = None) -> JsonObject:
    """Write into an object that this project has created it; give it as it is then.

    Returns:
        The object with its mark; as it was where somebody has deleted it meanwhile.

    Raises:
        RefusedError: It is another by now, or the mark was refused.
    """
    name, uid = str(made["metadata"]["name"]), str(made["metadata"]["uid"])
    # With the UID Kubernetes refuses the change of another object of that name.
    changes = {"metadata": {"uid": uid, "annotations": {labels.CREATED_UID_ANNOTATION: uid}}}
    marked = kube.patch(kind, name, changes, namespace=namespace)
    return made if marked is None else marked


def why_not_proved(
    item: JsonObject, *, run_id: str, recorded: Collection[str] = (), owners: Collection[str] = ()
) -> str:
    """Say why an object may not be removed as a run's, whatever its labels are.

    Args:
        item: The object, as the API gives it.
        run_id: The run that its labels name.
        recorded: UIDs of objects that a run created, as the ledger has them.
        owners: UIDs of objects that are proved: what they own is proved with them.

    Returns:
        The reason; empty where it is proved that the run created it.
    """
    metadata = part(item, "metadata")
    uid, name = str(metadata.get("uid", "")), str(metadata.get("name", ""))
    if not names_run(name, run_id):
        return f"its name is none that run {run_id[:_RUN_CHARACTERS]} gives"
    owned = any(str(each.get("uid")) in owners for each in parts(metadata, "ownerReferences"))
    if owned or is_marked(item) or (uid and uid in recorded):
        return ""
    if labels.CREATED_UID_ANNOTATION in part(metadata, "annotations"):
        return f"its mark {labels.CREATED_UID_ANNOTATION} is another object's: it is a copy"
    return f"it has a run's labels and no mark of its creator ({labels.CREATED_UID_ANNOTATION})"


def why_protected(namespace: str, protected: Collection[str] = ()) -> str:
    """Say why a namespace is never removed; empty for one that may be a run's.

    Args:
        namespace: Its name.
        protected: Further ones: of platforms, and of the orchestrator.
    """
    if namespace in _SYSTEM or namespace.startswith(_SYSTEM_PREFIXES):
        return "it is a namespace of the system, which no run creates"
    if namespace in protected or namespace == _own_namespace():
        return "it is the namespace of a platform or of the orchestrator, which no run creates"
    return ""


def platform_namespaces(tiers: Iterable[TierSettings]) -> frozenset[str]:
    """Return the namespaces in which tiers expect a platform that is installed already."""
    return frozenset(tier.installed.namespace for tier in tiers if tier.installed is not None)


def names_run(name: str, run_id: str) -> bool:
    """Return whether a run gives such names: its id at the end, or before an attempt's number.

    Args:
        name: Name of an object.
        run_id: The run, or its label.
    """
    run = run_id[:_RUN_CHARACTERS]
    if len(run) < _RUN_CHARACTERS:
        return False
    return re.search(rf".-{re.escape(run)}(?:-|$)", name) is not None


def is_marked(item: JsonObject) -> bool:
    """Return whether an object carries its creator's mark, with its own UID."""
    metadata = part(item, "metadata")
    uid = metadata.get("uid")
    marked = part(metadata, "annotations").get(labels.CREATED_UID_ANNOTATION)
    return bool(uid) and uid == marked


def _own_namespace() -> str:
    """Return the namespace of the pod that this process runs in; empty outside of a cluster."""
    try:
        return _OWN_NAMESPACE.read_text().strip()
    except OSError:
        return ""
