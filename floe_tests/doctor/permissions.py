"""What the account may do, asked of the API server: one question for each right that a run uses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import cast

from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs
from floe_tests.environments.cluster_holder import LEASE
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts

_THREADS = 8

_READ = ("get", "list", "watch")
# What a run does itself: cluster-wide, to have a namespace of its own, then in whichever it uses.
_CLUSTER_WIDE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "namespaces", ("create", "delete", "patch", *_READ)),
)
_OWN_NAMESPACE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "resourcequotas", ("create",)),
    ("", "serviceaccounts", ("list", "watch")),
)
_NAMESPACED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("batch", "jobs", ("create", "delete", "get", "list", "patch")),
    ("", "pods", ("delete", *_READ)),
    ("", "pods/log", ("get",)),
    # A WebSocket is opened by a get, which from Kubernetes 1.35 on needs create as well.
    # Source: https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
    ("", "pods/exec", ("create", "get")),
    ("", "events", ("list",)),
)
# What a run on an installed platform does, in that platform's namespace and nowhere else.
_BESIDE_A_PLATFORM: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # One namespace by its name is read with a right in that namespace.
    ("", "namespaces", ("get",)),
    ("", "resourcequotas", ("list",)),
    ("", "configmaps", ("delete", "list")),
    ("coordination.k8s.io", "leases", ("create",)),
)
_ON_THE_LEASE = (("coordination.k8s.io", "leases", ("patch", *_READ)),)
# What a run brings to its pods: the exporter, a suite, the plan of its shards.
_BRINGS: tuple[tuple[str, str, tuple[str, ...]], ...] = (("", "configmaps", ("create",)),)
# A suite in shards: the room that it may take, and a watch of its Job's own account.
_SHARDED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "resourcequotas", ("list",)),
    ("batch", "jobs", ("watch",)),
)
# Helm keeps each release in a Secret, and reads the ones before.
# Source: https://helm.sh/docs/topics/advanced/#storage-backends
_HELM: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "secrets", ("create", "get", "list", "update")),
)
_LOOK: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("apps", "deployments", ("list",)),
    ("apps", "statefulsets", ("list",)),
    ("apps", "daemonsets", ("list",)),
    # A Deployment's pods are its ReplicaSets'.
    ("apps", "replicasets", ("list",)),
)
_INSTALLED = ("create", "get", "patch")
# Kind → resource, where the plural is not the kind with an s.
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
_OF_THE_CLUSTER = frozenset(
    {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace", "StorageClass"}
)


@dataclass(frozen=True, order=True)
class Right:
    """A right that a run uses.

    Attributes:
        resource: What, with its subresource, such as `pods/log`.
        verb: What is done to it.
        group: Its API group; empty for the core.
        is_cluster_wide: Whether it lies outside namespaces.
        object_name: The one object that it is needed on; empty for all of the resource.
    """

    resource: str
    verb: str
    group: str = ""
    is_cluster_wide: bool = False
    object_name: str = ""


_OF_THE_NODES = (
    Right("nodes", "get", is_cluster_wide=True),
    Right("nodes", "list", is_cluster_wide=True),
)


def rights_of(needs: Needs) -> tuple[Right, ...]:
    """Return all rights that a tier's run uses.

    A chart that grants rights (a Role) needs them itself: nobody may give what he has not.

    Args:
        needs: What the tier brings.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
    """
    rights = _expanded(_NAMESPACED)
    if needs.tier.exporter.image is None or any(
        suite.shards or suite.mounted for suite in needs.tier.suites
    ):
        rights += _expanded(_BRINGS)
    if needs.tier.installed is not None:
        rights += _expanded((*_LOOK, *_BESIDE_A_PLATFORM))
        rights += _expanded(_ON_THE_LEASE, object_name=LEASE)
        return tuple(sorted(set(rights)))
    rights += [*_expanded(_CLUSTER_WIDE, is_cluster_wide=True), *_expanded(_OWN_NAMESPACE)]
    if needs.tier.releases:
        rights += _expanded((*_HELM, *_LOOK))
    if any(suite.shards for suite in needs.tier.suites):
        rights += _expanded(_SHARDED)
    if needs.tier.budget.container_memory is not None:
        rights += _expanded((("", "limitranges", ("create",)),))
    for item in needs.manifests:
        kind, version = str(item.get("kind")), str(item.get("apiVersion"))
        group = version.rpartition("/")[0]
        resource = _PLURALS.get(kind, f"{kind.lower()}s")
        rights += _expanded(
            ((group, resource, _INSTALLED),), is_cluster_wide=kind in _OF_THE_CLUSTER
        )
        if kind in {"Role", "ClusterRole"}:
            rights += _granted(item, is_cluster_wide=kind == "ClusterRole")
    return tuple(sorted(set(rights)))


def check_permissions(kube: Kube, needs: Needs) -> tuple[Check, ...]:
    """Ask for every right of a run.

    Args:
        kube: The cluster, with the account that runs will have.
        needs: What the tier brings.
    """
    rights = rights_of(needs)
    asked = (*rights, *_OF_THE_NODES)

    def ask(right: Right) -> bool:
        return _is_allowed(kube, right, needs.namespace)

    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            allowed = dict(zip(asked, pool.map(ask, asked), strict=True))
    except FloeTestsError as error:
        return (Check("permissions", "unknown", f"nobody answers: {first_line(error)}"),)
    missing = [right for right in rights if not allowed[right]]
    if missing:
        # All of them: pasted again for another missing one, it must not take the first away.
        installed = needs.tier.installed
        remedy = _grant(
            kube,
            rights,
            role=f"floe-tests-{needs.tier.name}",
            namespace=installed.namespace if installed else "",
        )
        check = Check("permissions", "failed", f"missing: {_named(missing)}", remedy)
    else:
        check = Check("permissions", "ok", f"all {len(rights)} rights that a run uses")
    unseen = [right for right in _OF_THE_NODES if not allowed[right]]
    if not unseen:
        return (check,)
    found = (
        f"missing: {_named(unseen)}. Runs do without; a lost node is not told from a lost pod, and "
        "room stays unknown"
    )
    remedy = _grant(kube, _OF_THE_NODES, role="floe-tests-nodes")
    return (check, Check("permissions (nodes)", "warning", found, remedy))


def _expanded(
    table: Iterable[tuple[str, str, tuple[str, ...]]],
    *,
    is_cluster_wide: bool = False,
    object_name: str = "",
) -> list[Right]:
    return [
        Right(resource, verb, group, is_cluster_wide, object_name)
        for group, resource, verbs in table
        for verb in verbs
    ]


def _granted(role: JsonObject, *, is_cluster_wide: bool) -> Iterator[Right]:
    for rule in parts(role, "rules"):
        groups, resources, verbs = (
            cast("list[str]", rule.get(key) or []) for key in ("apiGroups", "resources", "verbs")
        )
        for group, resource, verb in product(groups, resources, verbs):
            yield Right(resource, verb, group, is_cluster_wide)


def _is_allowed(kube: Kube, right: Right, namespace: str) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource}
    if subresource:
        attributes["subresource"] = subresource
    if not right.is_cluster_wide:
        attributes["namespace"] = namespace
    if right.object_name:
        attributes["name"] = right.object_name
    review = kube.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
    )
    return part(review, "status").get("allowed") is True


def _by_resource(rights: Iterable[Right]) -> dict[tuple[str, str, str], list[str]]:
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        key = right.group, right.resource, right.object_name
        verbs.setdefault(key, []).append(right.verb)
    return verbs


def _named(rights: Iterable[Right]) -> str:
    return "; ".join(
        f"{', '.join(verbs)} {resource}{f'.{group}' if group else ''}{f' {name}' if name else ''}"
        for (group, resource, name), verbs in _by_resource(rights).items()
    )


def _grant(kube: Kube, rights: Sequence[Right], *, role: str, namespace: str = "") -> str:
    """Return the commands with which an administrator gives rights to this account.

    Args:
        kube: The cluster.
        rights: All of the rights, which may be in a namespace alone.
        role: Name of the role.
        namespace: Where they are to be in force; everywhere without one.
    """
    kind = "Role" if namespace else "ClusterRole"
    manifest: JsonObject = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": role, **({"namespace": namespace} if namespace else {})},
        "rules": [
            {
                "apiGroups": [group],
                "resources": [resource],
                "verbs": verbs,
                **({"resourceNames": [name]} if name else {}),
            }
            for (group, resource, name), verbs in _by_resource(rights).items()
        ],
    }
    where = f" --namespace={namespace}" if namespace else ""
    return (
        f"echo '{json.dumps(manifest)}' | kubectl apply -f - && kubectl create "
        f"{kind.lower()}binding {role} --{kind.lower()}={role} --user={_account(kube)}{where}"
        "   # as an administrator"
    )


def _account(kube: Kube) -> str:
    """Return the account's own name; a placeholder where the API server does not tell."""
    try:
        review = kube.create(
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        )
    except FloeTestsError:
        return "ACCOUNT"
    return str(part(review, "status", "userInfo").get("username") or "ACCOUNT")
