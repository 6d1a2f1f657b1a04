"""A platform that is there already: what it is, and whether all of it is up. Nothing is changed.

It is read from the labels of its workloads and the status of its pods. Helm's own record of a
release lies in a Secret, and no run may read Secrets.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import TypeGuard

from floe_tests.deadline import Deadline
from floe_tests.errors import PlatformError
from floe_tests.evidence import Evidence
from floe_tests.kube import JsonObject, Kube, part, parts, pod_is_over
from floe_tests.platform import rollout
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.rollout import Target
from floe_tests.settings import InstalledSettings

_CHART = "helm.sh/chart"
_VERSION = "app.kubernetes.io/version"
# NAME-VERSION, where both may have hyphens: a version begins with its number.
_CHART_LABEL = re.compile(r"(?P<name>.+?)-(?P<version>v?\d+\.\d+\.\d+.*)")
_OWNERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet"})


@dataclass(frozen=True)
class Fingerprint:
    """What an installed platform is: with another, results are of another platform.

    Attributes:
        chart: Its chart with the version, as `helm.sh/chart` has it; several are joined with `, `.
        version: Version of what the chart installs; several are joined.
        digests: Digests of its pods' images, sorted, without repetition.
    """

    chart: str
    version: str
    digests: tuple[str, ...]

    @property
    def key(self) -> str:
        """A short name of it: 16 hexadecimal digits."""
        text = "\n".join((self.chart, self.version, *self.digests))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        """Name it as messages do."""
        return f"{self.chart}, app {self.version} ({self.key})"


@dataclass(frozen=True)
class InstalledState:
    """How an installed platform is right now.

    Attributes:
        fingerprint: What it is; None when there is no such release.
        lacking: What keeps it from being complete, a sentence each; empty when all of it is up.
    """

    fingerprint: Fingerprint | None
    lacking: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether it is there, rolled out, and ready."""
        return self.fingerprint is not None and not self.lacking


def state_of(kube: Kube, installed: InstalledSettings) -> InstalledState:
    """Look at an installed platform once.

    Args:
        kube: The cluster.
        installed: Release and namespace.

    Raises:
        InfrastructureError: It cannot be seen.
    """
    selector = rollout.selector_of(installed.release)
    workloads = _workloads(kube, installed)
    pods = kube.list("Pod", namespace=installed.namespace, label_selector=selector)
    if not workloads:
        return InstalledState(None, (f"{_named(installed)} is not there",))
    serving = _serving(pods)
    lacking = [
        trouble.why for kind, item in workloads for trouble in rollout.lacking(kind, item, ())
    ]
    unready = {
        name: pod
        for name, pod in serving.items()
        if rollout.condition(pod, "Ready").get("status") != "True"
    }
    told = [f"{each.subject}: {each.why}" for each in rollout.troubles_of(unready, ())]
    lacking += told or [f"pod/{name} is not ready" for name in unready]
    if len(serving) < sum(not pod_is_over(pod) for pod in _owned(pods)):
        lacking.append("pods of before a change are still going")
    return InstalledState(
        fingerprint_of((item for _, item in workloads), serving.values()), tuple(lacking)
    )


def wait_until_complete(
    installed: InstalledSettings, target: Target
) -> tuple[InstalledRelease, Fingerprint]:
    """Give what an installed platform is, once all of it is up.

    Args:
        installed: Release and namespace, and how long a rollout under way is waited for.
        target: Where it is.

    Returns:
        The release as if it had been installed just now, and its fingerprint.

    Raises:
        PlatformError: It is not there, or something in it is not ready; the message says what.
    """
    started = monotonic()
    kube = Kube(target.access)
    if not _workloads(kube, installed):
        message = (
            f"{_named(installed)} is not there: no workload carries "
            f"{rollout.selector_of(installed.release)}. Install it, or set installed.release; "
            f"`helm list --namespace {installed.namespace}` lists what there is."
        )
        raise PlatformError(
            message, evidence=[Evidence(f"release/{installed.release}", "workloads", "none")]
        )
    target.directory.mkdir(parents=True, exist_ok=True)
    pods = rollout.watch_until_ready(
        installed.release, target, deadline=Deadline(installed.ready_seconds), serving=_serving
    )
    workloads = [item for _, item in _workloads(kube, installed)]
    fingerprint = fingerprint_of(workloads, pods)
    name, version = _name_and_version(fingerprint.chart)
    release = InstalledRelease(
        name=installed.release,
        chart=name,
        version=version,
        app_version=fingerprint.version,
        namespace=installed.namespace,
        images=rollout.images_of(pods),
        seconds=monotonic() - started,
    )
    target.log(f"{_named(installed)} is up: {fingerprint}")
    return release, fingerprint


def fingerprint_of(workloads: Iterable[JsonObject], pods: Iterable[JsonObject]) -> Fingerprint:
    """Give what a platform is.

    Args:
        workloads: Its Deployments, StatefulSets and DaemonSets.
        pods: Their pods.
    """
    labels = [part(item, "metadata", "labels") for item in workloads]
    images = rollout.images_of(list(pods))
    return Fingerprint(
        chart=_joined(found.get(_CHART) for found in labels),
        version=_joined(found.get(_VERSION) for found in labels),
        digests=tuple(sorted({digest for _, digest in images if digest})),
    )


def _workloads(kube: Kube, installed: InstalledSettings) -> list[tuple[str, JsonObject]]:
    selector = rollout.selector_of(installed.release)
    return [
        (kind, item)
        for kind in rollout.WORKLOADS
        for item in kube.list(kind, namespace=installed.namespace, label_selector=selector)
    ]


def _serving(pods: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Give the pods that workloads have now: not those of Jobs and `helm test`, and none that go.

    One that was evicted stays on the books as Failed beside the one that took its place.
    """
    return {
        str(pod["metadata"]["name"]): pod
        for pod in _owned(pods)
        if "deletionTimestamp" not in pod["metadata"] and not pod_is_over(pod)
    }


def _owned(pods: Iterable[JsonObject]) -> list[JsonObject]:
    return [
        pod
        for pod in pods
        if any(item.get("kind") in _OWNERS for item in parts(pod, "metadata", "ownerReferences"))
    ]


def _joined(values: Iterable[object]) -> str:
    return ", ".join(sorted({value for value in values if _is_text(value)})) or "unknown"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _name_and_version(chart: str) -> tuple[str, str]:
    found = _CHART_LABEL.fullmatch(chart)
    return (found["name"], found["version"]) if found else (chart, "unknown")


def _named(installed: InstalledSettings) -> str:
    return f"release {installed.release} in namespace {installed.namespace}"
