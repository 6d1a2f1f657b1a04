"""A platform that is there already: what it is, and whether all of it is up. Nothing is changed.

What belongs to it is what helm installed (`scope.py`), as far as the account may see it; its
version is read from the labels of its workloads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import TypeGuard

from floe_tests.config.environment import InstalledSettings
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import PlatformError
from floe_tests.core.evidence import Evidence
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform import rollout
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.inspection import Inspection
from floe_tests.platform.live import to_stay
from floe_tests.platform.scope import Scope
from floe_tests.platform.since_ready import seen
from floe_tests.platform.target import Target
from floe_tests.platform.troubles import condition, images_of, is_of_job, troubles_of
from floe_tests.platform.workloads import WORKLOADS

_CHART = "helm.sh/chart"
_VERSION = "app.kubernetes.io/version"
# NAME-VERSION, where both may have hyphens: a version begins with its number.
_CHART_LABEL = re.compile(r"(?P<name>.+?)-(?P<version>v?\d+\.\d+\.\d+.*)")


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
    scope = _scope_of(kube, installed)
    workloads = _workloads(scope)
    if not workloads:
        return InstalledState(None, (f"{_named(installed)} is not there",))
    pods = scope.pods(kube.list("Pod", namespace=installed.namespace))
    serving = to_stay(pods)
    lacking = [
        trouble.why
        for trouble in Inspection(scope, status_seconds=0).lacking(pods, helm_has_ended=True)
    ]
    unready = {
        name: pod
        for name, pod in serving.items()
        if condition(pod, "Ready").get("status") != "True"
    }
    told = [f"{each.subject}: {each.why}" for each in troubles_of(unready, scope.events)]
    lacking += told or [f"pod/{name} is not ready" for name in unready]
    if any("deletionTimestamp" in pod["metadata"] and not is_of_job(pod) for pod in pods.values()):
        lacking.append("pods of before a change are still going")
    return InstalledState(fingerprint_of(workloads, serving.values()), tuple(lacking))


def wait_until_complete(
    installed: InstalledSettings, target: Target
) -> tuple[InstalledRelease, Fingerprint]:
    """Return what an installed platform is, once all of it is up.

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
    scope = _scope_of(kube, installed)
    if not _workloads(scope):
        message = (
            f"{_named(installed)} is not there: {scope.told_by} names no workload. Install it, or "
            f"set installed.release; `helm list --namespace {installed.namespace}` lists what "
            "there is."
        )
        raise PlatformError(
            message, evidence=[Evidence(f"release/{installed.release}", "workloads", "none")]
        )
    target.log(f"{_named(installed)} is known by {scope.told_by}")
    target.directory.mkdir(parents=True, exist_ok=True)
    up = rollout.watch_until_ready(scope, target, deadline=Deadline(installed.ready_seconds))
    fingerprint = fingerprint_of(_workloads(scope), up.pods)
    name, version = _name_and_version(fingerprint.chart)
    release = InstalledRelease(
        name=installed.release,
        chart=name,
        version=version,
        app_version=fingerprint.version,
        namespace=installed.namespace,
        images=images_of(up.pods),
        seconds=monotonic() - started,
        notes=up.notes,
        pods=seen(up.pods, namespace=installed.namespace),
    )
    target.log(f"{_named(installed)} is up: {fingerprint}")
    for note in up.notes:
        target.log(f"{_named(installed)}: {note}")
    return release, fingerprint


def fingerprint_of(workloads: Iterable[JsonObject], pods: Iterable[JsonObject]) -> Fingerprint:
    """Return what a platform is.

    Args:
        workloads: Its Deployments, StatefulSets and DaemonSets.
        pods: Their pods.
    """
    labels = [part(item, "metadata", "labels") for item in workloads]
    images = images_of(list(pods))
    return Fingerprint(
        chart=_joined(found.get(_CHART) for found in labels),
        version=_joined(found.get(_VERSION) for found in labels),
        digests=tuple(sorted({digest for _, digest in images if digest})),
    )


def _scope_of(kube: Kube, installed: InstalledSettings) -> Scope:
    scope = Scope(kube, installed.release, installed.namespace)
    scope.find_out()
    scope.refresh()
    return scope


def _workloads(scope: Scope) -> list[JsonObject]:
    """Return what has pods that stay: Deployments and their like."""
    return [
        each.item
        for each in scope.objects
        if each.item is not None and each.kind in WORKLOADS and not each.hook
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
