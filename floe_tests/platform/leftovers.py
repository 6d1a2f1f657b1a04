"""Objects outside of a run's namespace that an earlier run has left, and that helm does not take.

A run takes its namespace alone away. What a chart puts beside it, a ClusterRole for one, stays, and
helm refuses it to the next release of that chart: by its own words in a way that names no remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from floe_tests.core import labels
from floe_tests.core.errors import FloeTestsError
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"

# Source: the messages of Helm 3 and 4 (pkg/action/validate.go).
_EXISTS = re.compile(
    r"(?P<kind>\w+) \"(?P<name>[^\"]+)\" in namespace \"(?P<namespace>[^\"]*)\" exists and cannot "
    r"be imported into the current release"
)
_CURRENT = r"key \"%s\" must equal \"[^\"]*\": current value is \"(?P<value>[^\"]+)\""
# What is removed with its release and takes nothing else along, as a CustomResourceDefinition does.
_KINDS = (
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("apiregistration.k8s.io/v1", "APIService"),
)


@dataclass(frozen=True)
class Leftover:
    """An object that helm refuses to take over.

    Attributes:
        subject: The object, as kubectl takes it.
        namespace: Its namespace; empty for one of the whole cluster.
        owner: The release that it belongs to; None when helm has not made it, or does not say.
        owner_namespace: That release's namespace; None likewise.
    """

    subject: str
    namespace: str
    owner: str | None
    owner_namespace: str | None


def leftover_in(said: str, *, release: str) -> Leftover | None:
    """Return the object that helm's words are about; None when they are about something else.

    Args:
        said: What helm said.
        release: The release that it was to install: helm names another one only.
    """
    found = _EXISTS.search(said)
    if found is None:
        return None
    namespace = _current(said, RELEASE_NAMESPACE)
    name = _current(said, RELEASE_NAME) or (release if namespace else None)
    return Leftover(f"{found['kind'].lower()}/{found['name']}", found["namespace"], name, namespace)


def remedy_for(leftover: Leftover, kube: Kube) -> str:
    """Say whose an object is, and how to be rid of it.

    Args:
        leftover: The object.
        kube: The cluster.
    """
    where = leftover.owner_namespace
    if where is None:
        whose = f"release {leftover.owner}" if leftover.owner else "nobody that helm knows"
        return (
            f"It belongs to {whose}. Give it another name in the chart's values, or remove it, if "
            f"nobody needs it: `{_delete(leftover, (), kube)}`."
        )
    try:
        space = kube.get("Namespace", where)
        subjects = tuple(_of_same_release(leftover, kube)) if space is None else ()
    except FloeTestsError:  # the account sees namespaces of its own alone
        return (
            f"It belongs to release {leftover.owner} in namespace {where}. If that is gone, remove "
            f"it: `{_delete(leftover, (), kube)}`."
        )
    if space is None:
        return (
            f"It was left by release {leftover.owner} of namespace {where}, which is gone: a run "
            "takes its namespace alone away. Remove what it left: "
            f"`{_delete(leftover, subjects, kube)}`."
        )
    run_id = part(space, "metadata", "labels").get(labels.RUN)
    whose = f"run {run_id}" if run_id else f"release {leftover.owner}"
    return (
        f"It belongs to {whose}, whose namespace {where} is still there: two releases cannot have "
        "it at once. Give it a name of its own in the chart's values (by .Release.Namespace), or "
        f"wait for that one to be over, then remove it: `{_delete(leftover, (), kube)}`."
    )


def _of_same_release(leftover: Leftover, kube: Kube) -> Iterator[str]:
    """Yield what else the release of before has left: helm names one object at a time."""
    for version, kind in _KINDS:
        for item in kube.list_any(version, kind, namespace=""):
            said = part(item, "metadata", "annotations")
            if _is_of(said, leftover):
                yield f"{kind.lower()}/{item['metadata']['name']}"


def _is_of(annotations: JsonObject, leftover: Leftover) -> bool:
    return (annotations.get(RELEASE_NAME), annotations.get(RELEASE_NAMESPACE)) == (
        leftover.owner,
        leftover.owner_namespace,
    )


def _delete(leftover: Leftover, more: tuple[str, ...], kube: Kube) -> str:
    place = ("--namespace", leftover.namespace) if leftover.namespace else ()
    subjects = () if place else more
    return kube.access.kubectl("delete", *dict.fromkeys((leftover.subject, *subjects)), *place)


def _current(said: str, key: str) -> str | None:
    found = re.search(_CURRENT % re.escape(key), said)
    return found["value"] if found else None
