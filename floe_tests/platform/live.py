"""Objects of a release as they are now, and what an object says of its own origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from floe_tests.kube.objects import JsonObject, part, parts, pod_is_over
from floe_tests.platform.record import hook_events
from floe_tests.platform.troubles import is_of_job

# Kubernetes' own groups whose objects are in force once they are there. A Gateway or an APIService
# says more, as custom resources do.
# Source: https://kubernetes.io/docs/reference/kubernetes-api/
_PLAIN_GROUPS = frozenset(
    {"", "apps", "autoscaling", "batch", "policy"}
    | {
        f"{name}.k8s.io"
        for name in (
            "admissionregistration",
            "apiextensions",
            "certificates",
            "coordination",
            "discovery",
            "flowcontrol.apiserver",
            "networking",
            "node",
            "rbac.authorization",
            "resource",
            "scheduling",
            "storage",
        )
    }
)


@dataclass(frozen=True)
class Live:
    """An object of a release, as it is now.

    Attributes:
        kind: Its kind.
        item: The object; None when it is not there.
        manifest: What helm rendered; the object itself where somebody else made it.
        hook: When it runs, if it is a hook; empty for all else.
        made: Whether an operator or a controller has made it.
    """

    kind: str
    item: JsonObject | None
    manifest: JsonObject
    hook: str = ""
    made: bool = False

    @property
    def is_custom(self) -> bool:
        """Whether it is a custom resource, or says by conditions how it is as those do."""
        return not self.made and is_custom(self.manifest)

    @property
    def subject(self) -> str:
        """What messages call it."""
        return f"{self.kind.lower()}/{self.manifest['metadata']['name']}"


def to_stay(pods: Mapping[str, JsonObject]) -> dict[str, JsonObject]:
    """Choose the pods that a release is up with: none of a Job, and none that go.

    One that was evicted stays on the books as Failed beside the one that took its place.
    """
    return {
        name: pod
        for name, pod in pods.items()
        if "deletionTimestamp" not in pod["metadata"]
        and not is_of_job(pod)
        and not hook_events(pod)  # helm waits for those itself
        and not (owners_of(pod) and pod_is_over(pod))
    }


def is_custom(manifest: JsonObject) -> bool:
    """Return whether an object's group is none of those that are in force once they are there."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return group not in _PLAIN_GROUPS


def owners_of(item: JsonObject) -> set[str]:
    """Return the UIDs of an object's owners; kind and name for one that has none."""
    owners = parts(item, "metadata", "ownerReferences")
    return {str(owner.get("uid") or f"{owner.get('kind')}/{owner.get('name')}") for owner in owners}


def uid_of(item: JsonObject) -> str:
    """Return an object's UID."""
    return str(item["metadata"].get("uid"))


def deployment_of(pod: JsonObject) -> str:
    """Return the Deployment of a pod by its ReplicaSet's name; empty for what has none."""
    suffix = f"-{part(pod, 'metadata', 'labels').get('pod-template-hash')}"
    for owner in parts(pod, "metadata", "ownerReferences"):
        name = str(owner.get("name"))
        if owner.get("kind") == "ReplicaSet" and name.endswith(suffix):
            return name.removesuffix(suffix)
    return ""


def age_of(replica_set: JsonObject) -> tuple[int, str]:
    """Return what sorts ReplicaSets: a rollback takes an old one up again, with a new number."""
    metadata = replica_set["metadata"]
    number = part(metadata, "annotations").get("deployment.kubernetes.io/revision")
    return int(number or 0), str(metadata.get("creationTimestamp"))
