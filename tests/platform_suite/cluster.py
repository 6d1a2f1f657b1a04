"""What the suite asks of the Kubernetes API, typed; the untyped client stays in this module."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client, config

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENT_LABEL = "app.kubernetes.io/component"

_PROBES = ("readiness", "liveness", "startup")


@dataclass(frozen=True)
class Container:
    """One container of a pod, init containers included.

    Attributes:
        name: Its name in the pod.
        security_context: As in the manifest, empty without one.
        requests: Requested quantities by resource, `{"cpu": "100m"}`.
        limits: Limits by resource.
        probes: Which probes it has: `readiness`, `liveness`, `startup`.
        is_init: Whether it must end before the pod's own containers start.
        ended_because: Reasons of its ends so far, `OOMKilled` for one.
    """

    name: str
    image: str
    security_context: Mapping[str, Any]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    probes: frozenset[str]
    is_init: bool
    ended_because: tuple[str, ...]


@dataclass(frozen=True)
class Pod:
    """One pod; the security context is as in the manifest, and times are since the epoch."""

    name: str
    uid: str
    created_at: float
    address: str | None
    labels: Mapping[str, str]
    is_ready: bool
    is_going: bool
    security_context: Mapping[str, Any]
    containers: tuple[Container, ...]

    @property
    def component(self) -> str:
        """The role in the release, `webserver` for one."""
        return self.labels[COMPONENT_LABEL]


@dataclass(frozen=True)
class DisruptionBudget:
    """A PodDisruptionBudget: whom it selects, how many are healthy and how many must be."""

    selects: Mapping[str, str]
    healthy: int
    must_be_healthy: int


@dataclass(frozen=True)
class Quota:
    """A ResourceQuota: quantities by what it limits, `limits.memory` for one."""

    hard: Mapping[str, str]
    used: Mapping[str, str]


class Cluster:
    """The namespace around this pod, through the Kubernetes API.

    Args:
        api: The client.
        namespace: The namespace.
        chart: Name of the chart whose pods are the release's.
    """

    def __init__(self, api: client.ApiClient, namespace: str, chart: str) -> None:
        self.namespace = namespace
        self._selector = f"app.kubernetes.io/name={chart}"
        self._api = api
        self._core = client.CoreV1Api(api)

    @classmethod
    def of_this_pod(cls, chart: str = "floe-platform") -> Cluster:
        """Connect with the ServiceAccount that the kubelet mounted into this pod."""
        settings = client.Configuration()
        config.load_incluster_config(client_configuration=settings)
        return cls(client.ApiClient(settings), os.environ["POD_NAMESPACE"], chart)

    def release_pods(self, component: str | None = None) -> tuple[Pod, ...]:
        """List the release's pods, of one role or all of them; those that are going left out."""
        selector = self._selector
        if component is not None:
            selector += f",{COMPONENT_LABEL}={component}"
        listed = self._plain(
            self._core.list_namespaced_pod(self.namespace, label_selector=selector)
        )
        pods = (_pod(item) for item in listed["items"])
        return tuple(pod for pod in pods if not pod.is_going)

    def release_manifests(self) -> tuple[Mapping[str, Any], ...]:
        """List the release's pods as the API has them, status included."""
        listed = self._core.list_namespaced_pod(self.namespace, label_selector=self._selector)
        return tuple(self._plain(listed)["items"])

    def volume_claims(self) -> Mapping[str, str]:
        """Return the capacity of each bound PersistentVolumeClaim, by its name."""
        listed = self._core.list_namespaced_persistent_volume_claim(self.namespace)
        return {
            item["metadata"]["name"]: item["status"]["capacity"]["storage"]
            for item in self._plain(listed)["items"]
            if "capacity" in item.get("status", {})
        }

    def pod_metrics(self) -> tuple[Mapping[str, Any], ...]:
        """Read the namespace's pods from the metrics API, as it has them.

        Raises:
            client.ApiException: The cluster has none (404), or this pod may not read it (403).
        """
        api = client.CustomObjectsApi(self._api)
        found = api.list_namespaced_custom_object(
            "metrics.k8s.io", "v1beta1", self.namespace, "pods"
        )
        return tuple(cast("dict[str, Any]", found)["items"])

    def version(self) -> str:
        """Read the version of Kubernetes, `v1.34.2` for one."""
        return self._plain(client.VersionApi(self._api).get_code())["gitVersion"]

    def memory_limits(self, role: str) -> set[str]:
        """Collect the memory limits of a role's containers, those that only prepare left out."""
        containers = (c for pod in self.release_pods(role) for c in pod.containers)
        return {c.limits["memory"] for c in containers if not c.is_init}

    def pod(self, name: str) -> Pod:
        """Read one pod."""
        return _pod(self._plain(self._core.read_namespaced_pod(name, self.namespace)))

    def evict_pod(self, name: str) -> bool:
        """Take a pod away with its normal grace, as a drain does.

        Returns:
            Whether it goes: a budget may let no other pod of its role go yet.
        """
        eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name))
        try:
            self._core.create_namespaced_pod_eviction(name, self.namespace, eviction)
        except client.ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return True
            if error.status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return False
        return True

    def service_address(self, name: str) -> str:
        """Read the cluster address of a Service."""
        service = self._plain(self._core.read_namespaced_service(name, self.namespace))
        return service["spec"]["clusterIP"]

    def custom_object(self, api_version: str, plural: str, name: str) -> Mapping[str, Any]:
        """Read an object of a CustomResourceDefinition, as in its manifest.

        Args:
            api_version: `GROUP/VERSION`.
            plural: Its kind, as in paths of the API.
            name: Its name.
        """
        group, _, version = api_version.partition("/")
        api = client.CustomObjectsApi(self._api)
        found = api.get_namespaced_custom_object(group, version, self.namespace, plural, name)
        return cast("dict[str, Any]", found)

    def network_policies(self) -> tuple[Mapping[str, Any], ...]:
        """List the namespace's NetworkPolicies, as in their manifests."""
        api = client.NetworkingV1Api(self._api)
        listed = self._plain(api.list_namespaced_network_policy(self.namespace))
        return tuple(listed["items"])

    def disruption_budgets(self) -> tuple[DisruptionBudget, ...]:
        """List the PodDisruptionBudgets that select by labels."""
        api = client.PolicyV1Api(self._api)
        listed = self._plain(api.list_namespaced_pod_disruption_budget(self.namespace))
        return tuple(
            DisruptionBudget(
                selects=item["spec"]["selector"]["matchLabels"],
                healthy=item["status"]["currentHealthy"],
                must_be_healthy=item["status"]["desiredHealthy"],
            )
            for item in listed["items"]
        )

    def quotas(self) -> tuple[Quota, ...]:
        """List the ResourceQuotas."""
        listed = self._plain(self._core.list_namespaced_resource_quota(self.namespace))
        return tuple(
            Quota(hard=item["spec"]["hard"], used=item["status"]["used"])
            for item in listed["items"]
        )

    def container_limits(self) -> tuple[Mapping[str, Any], ...]:
        """List what LimitRanges say of containers: `default`, `defaultRequest`, `max` and so on."""
        listed = self._plain(self._core.list_namespaced_limit_range(self.namespace))
        limits = (limit for item in listed["items"] for limit in item["spec"]["limits"])
        return tuple(limit for limit in limits if limit["type"] == "Container")

    def user_name(self) -> str:
        """Ask the API server who this pod is."""
        review = client.AuthenticationV1Api(self._api).create_self_subject_review(
            client.V1SelfSubjectReview()
        )
        return self._plain(review)["status"]["userInfo"]["username"]

    def may(self, verb: str, resource: str, *, namespace: str | None = None) -> bool:
        """Ask the API server whether this pod may do something.

        Args:
            verb: A verb of the API, `list` for one.
            resource: `RESOURCE[.GROUP][/SUBRESOURCE]`, `deployments.apps/scale` for one.
            namespace: Where; None for the pod's own, the empty string for the whole cluster.
        """
        named, _, subresource = resource.partition("/")
        plural, _, group = named.partition(".")
        attributes = client.V1ResourceAttributes(
            verb=verb,
            group=group,
            resource=plural,
            subresource=subresource,
            namespace=self.namespace if namespace is None else namespace,
        )
        review = client.AuthorizationV1Api(self._api).create_self_subject_access_review(
            client.V1SelfSubjectAccessReview(
                spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
            )
        )
        return bool(self._plain(review)["status"]["allowed"])

    def refusal_of_secrets(self) -> str | None:
        """Try to read the namespace's Secrets.

        Returns:
            The API server's reason when it refuses with 403; None when it hands them out.
        """
        try:
            self._core.list_namespaced_secret(self.namespace)
        except client.ApiException as error:
            if error.status == 403:
                return str(error.body)
            raise
        return None

    def _plain(self, answer: object) -> dict[str, Any]:
        """Turn the client's objects back into the manifest's words."""
        return cast("dict[str, Any]", self._api.sanitize_for_serialization(answer))


def _pod(manifest: Mapping[str, Any]) -> Pod:
    metadata, spec, status = manifest["metadata"], manifest["spec"], manifest.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    statuses = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    ends = {s["name"]: _ends(s) for s in statuses}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]).timestamp(),
        address=status.get("podIP"),
        labels=metadata.get("labels", {}),
        is_ready=conditions.get("Ready") == "True",
        is_going="deletionTimestamp" in metadata,
        security_context=spec.get("securityContext", {}),
        containers=tuple(
            _container(container, is_init=is_init, ends=ends)
            for is_init, kind in ((True, "initContainers"), (False, "containers"))
            for container in spec.get(kind, [])
        ),
    )


def _container(
    manifest: Mapping[str, Any], *, is_init: bool, ends: Mapping[str, tuple[str, ...]]
) -> Container:
    resources = manifest.get("resources", {})
    return Container(
        name=manifest["name"],
        image=manifest["image"],
        security_context=manifest.get("securityContext", {}),
        requests=resources.get("requests", {}),
        limits=resources.get("limits", {}),
        probes=frozenset(kind for kind in _PROBES if f"{kind}Probe" in manifest),
        is_init=is_init,
        ended_because=ends.get(manifest["name"], ()),
    )


def _ends(status: Mapping[str, Any]) -> tuple[str, ...]:
    states = (status.get("lastState", {}), status.get("state", {}))
    return tuple(state["terminated"]["reason"] for state in states if "terminated" in state)
