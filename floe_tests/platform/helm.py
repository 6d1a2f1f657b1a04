"""Helm releases: installed by helm, watched by this project.

`helm --wait` says only that time is over. Here the release's own pods are watched while it comes
up, so a component that cannot start is named as soon as Kubernetes knows it, with its events and
its log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import yaml

from floe_tests import program
from floe_tests.deadline import Deadline
from floe_tests.errors import ConfigurationError, DeadlineError, PlatformError, ProgramError
from floe_tests.evidence import Evidence
from floe_tests.kube import ClusterAccess, JsonObject, Kube, part, parts
from floe_tests.settings import ReleaseSettings
from floe_tests.workspace import Workspace

Log = Callable[[str], None]

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_LOG_LINES = 50
_SHOWN_EVENTS = 8
# A container that has died this often while its release comes up does not recover by waiting; once
# or twice is normal while what it depends on starts.
_CRASHES = 3
# The kubelet retries a pull; a registry that comes up a moment later is no failure.
_IMAGE_SECONDS = 45.0
_TICK_SECONDS = 2.0
_STEADY_SECONDS = 3.0
_RENDER_SECONDS = 60.0

_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff"})
_NEVER_STARTS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})


@dataclass(frozen=True)
class InstalledRelease:
    """A release that is up.

    Attributes:
        name: Name of the release.
        chart: Name of its chart.
        version: Version of its chart.
        app_version: Version of what the chart installs.
        namespace: Where it is.
        images: Image → digest, as the pods report them.
        seconds: From `helm upgrade` to everything ready.
    """

    name: str
    chart: str
    version: str
    app_version: str
    namespace: str
    images: tuple[tuple[str, str], ...]
    seconds: float


def check(
    release: ReleaseSettings, *, kube_version: str | None, workspace: Workspace, directory: Path
) -> str:
    """Render a release, before any cluster is there for it.

    Args:
        release: The tier's settings for it.
        kube_version: Version of the cluster that it is for; None leaves it to helm.
        workspace: Folders and registry prefix.
        directory: Where its values are kept.

    Returns:
        Its manifests, YAML.

    Raises:
        ConfigurationError: Helm refuses the chart or its values.
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = _command(
        release,
        access=ClusterAccess(),
        namespace="default",
        workspace=workspace,
        directory=directory,
    )
    if kube_version is not None:
        command += ["--kube-version", kube_version]
    try:
        return program.run(["helm", "template", *command], deadline=Deadline(_RENDER_SECONDS))
    except ProgramError as error:
        message = (
            f"releases: {release.name}: helm refuses chart {release.chart} with these values:\n"
            f"{error.output_tail}\nThe command was `{error.command}`."
        )
        raise ConfigurationError(message) from error


def install(
    release: ReleaseSettings,
    *,
    access: ClusterAccess,
    namespace: str,
    workspace: Workspace,
    directory: Path,
    log: Log,
) -> InstalledRelease:
    """Install or upgrade a release and wait until everything in it is ready.

    Args:
        release: The tier's settings for it.
        access: The cluster.
        namespace: Where it goes.
        workspace: Folders and registry prefix.
        directory: Where its values and, if it fails, its pods' logs are kept.
        log: Receives progress.

    Returns:
        What was installed.

    Raises:
        PlatformError: A component did not come up; the message names it and says why.
    """
    started = monotonic()
    deadline = Deadline(release.ready_seconds)
    directory.mkdir(parents=True, exist_ok=True)
    command = _command(
        release, access=access, namespace=namespace, workspace=workspace, directory=directory
    )
    try:
        program.run(["helm", "upgrade", "--install", *command], deadline=deadline, log=log)
    except (ProgramError, DeadlineError) as error:
        message = f"release {release.name} could not be installed: {error}"
        raise PlatformError(message, evidence=error.evidence) from error
    kube = Kube(access)
    pods = _wait_until_ready(
        kube, release, namespace=namespace, deadline=deadline, directory=directory, log=log
    )
    seconds = monotonic() - started
    log(f"release {release.name}: ready in {seconds:.1f} s")
    name, version, app_version = _chart_of(
        release, access=access, namespace=namespace, deadline=deadline
    )
    return InstalledRelease(
        name=release.name,
        chart=name,
        version=version,
        app_version=app_version,
        namespace=namespace,
        images=_images(pods),
        seconds=seconds,
    )


def _command(
    release: ReleaseSettings,
    *,
    access: ClusterAccess,
    namespace: str,
    workspace: Workspace,
    directory: Path,
) -> list[str]:
    chart = (
        release.chart if release.chart.startswith("oci://") else str(workspace.root / release.chart)
    )
    values = directory / f"{release.name}-values.yaml"
    values.write_text(yaml.safe_dump(release.values))
    command = [release.name, chart, "--namespace", namespace]
    if release.version is not None:
        command += ["--version", release.version]
    for name in release.values_files:
        command += ["--values", str(workspace.root / name)]
    command += ["--values", str(values)]
    if workspace.image_registry_prefix:
        command += ["--set-string", f"global.imageRegistryPrefix={workspace.image_registry_prefix}"]
    if access.kubeconfig:
        command += ["--kubeconfig", access.kubeconfig]
    if access.context:
        command += ["--kube-context", access.context]
    return command


def _wait_until_ready(
    kube: Kube,
    release: ReleaseSettings,
    *,
    namespace: str,
    deadline: Deadline,
    directory: Path,
    log: Log,
) -> dict[str, JsonObject]:
    selector = f"app.kubernetes.io/instance={release.name}"
    image_failing: dict[str, Deadline] = {}
    steady: dict[str, tuple[int, Deadline]] = {}
    ready: set[str] = set()
    pods: dict[str, JsonObject] = {}
    try:
        for pods in kube.follow(
            "Pod",
            namespace=namespace,
            label_selector=selector,
            deadline=deadline,
            tick_seconds=_TICK_SECONDS,
        ):
            now_ready = _ready_names(pods, steady)
            for name in sorted(now_ready - ready):
                log(f"release {release.name}: {name} ready after {deadline.elapsed_seconds:.1f} s")
            ready = now_ready
            failure = _first_failure(pods, image_failing)
            if failure is not None:
                raise _failed(
                    kube,
                    release,
                    pods[failure[0]],
                    failure[1],
                    namespace=namespace,
                    directory=directory,
                )
            if pods and len(ready) == len(pods) and not any(_unready(kube, namespace, selector)):
                return pods
    except DeadlineError:
        waiting = [item.value for item in _unready(kube, namespace, selector)]
        unready = [pod for name, pod in pods.items() if name not in ready]
        why = f"not ready within {release.ready_seconds:g} s: {'; '.join(waiting)}"
        if unready:
            raise _failed(
                kube, release, unready[0], why, namespace=namespace, directory=directory
            ) from None
        message = f"release {release.name}: {why}."
        raise PlatformError(message, evidence=list(_unready(kube, namespace, selector))) from None
    message = f"release {release.name}: the watch of its pods ended."
    raise PlatformError(message)


def _ready_names(pods: dict[str, JsonObject], steady: dict[str, tuple[int, Deadline]]) -> set[str]:
    """Give the pods that are ready.

    Without a readiness probe Kubernetes calls a container ready once it runs, also one that is
    about to crash: it has to have run for a while.

    Args:
        pods: The pods by name.
        steady: For each such pod its restarts, and until when it has to stay as it is; kept here.
    """
    ready: set[str] = set()
    for name, pod in pods.items():
        if part(pod, "status").get("phase") == "Succeeded":
            ready.add(name)
        elif not _has_condition_ready(pod):
            steady.pop(name, None)
        elif all("readinessProbe" in item for item in parts(pod, "spec", "containers")):
            ready.add(name)
        else:
            restarts = sum(int(item.get("restartCount") or 0) for item in _containers(pod))
            if name not in steady or steady[name][0] != restarts:
                steady[name] = (restarts, Deadline(_STEADY_SECONDS))
            if steady[name][1].passed:
                ready.add(name)
    return ready


def _has_condition_ready(pod: JsonObject) -> bool:
    return any(
        item.get("type") == "Ready" and item.get("status") == "True"
        for item in parts(pod, "status", "conditions")
    )


def _unready(kube: Kube, namespace: str, selector: str) -> Iterator[Evidence]:
    """Give the release's workloads that lack ready pods, or show an older generation."""
    for kind in _WORKLOADS:
        for item in kube.list(kind, namespace=namespace, label_selector=selector):
            status, spec = part(item, "status"), part(item, "spec")
            wanted = int(status.get("desiredNumberScheduled", spec.get("replicas", 1)) or 0)
            have = int(status.get("numberReady", status.get("readyReplicas", 0)) or 0)
            current = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
            if have < wanted or not current:
                subject = f"{kind.lower()}/{item['metadata']['name']}"
                yield Evidence(subject, "status", f"{subject} has {have} of {wanted} pods ready")


def _first_failure(
    pods: dict[str, JsonObject], image_failing: dict[str, Deadline]
) -> tuple[str, str] | None:
    """Find a pod that will not come up, and why; pulls that only begin to fail are waited for."""
    for name, pod in pods.items():
        for container in _containers(pod):
            waiting = part(container, "state", "waiting")
            reason = str(waiting.get("reason", ""))
            detail = (
                f"container {container['name']}: {reason}: {waiting.get('message', '')}".rstrip(
                    ": "
                )
            )
            if reason in _NEVER_STARTS:
                return name, detail
            if reason in _IMAGE_REASONS:
                if image_failing.setdefault(name, Deadline(_IMAGE_SECONDS)).passed:
                    return name, detail
            elif (
                int(container.get("restartCount") or 0) >= _CRASHES and reason == "CrashLoopBackOff"
            ):
                last = part(container, "lastState", "terminated")
                ended = f"{last.get('reason', 'ended')}, exit code {last.get('exitCode')}"
                return name, f"{detail}; it {ended}, {container['restartCount']} times"
    return None


def _containers(pod: JsonObject) -> list[JsonObject]:
    return [
        *parts(pod, "status", "initContainerStatuses"),
        *parts(pod, "status", "containerStatuses"),
    ]


def _failed(
    kube: Kube,
    release: ReleaseSettings,
    pod: JsonObject,
    why: str,
    *,
    namespace: str,
    directory: Path,
) -> PlatformError:
    name = str(pod["metadata"]["name"])
    labels = part(pod, "metadata", "labels")
    component = (
        labels.get("app.kubernetes.io/component") or labels.get("app.kubernetes.io/name") or name
    )
    evidence = [Evidence(f"pod/{name}", "status", why)]
    evidence += [
        Evidence(
            f"pod/{name}",
            f"condition {item['type']}",
            str(item.get("message")),
            item.get("lastTransitionTime"),
        )
        for item in parts(pod, "status", "conditions")
        if item.get("type") == "PodScheduled" and item.get("status") == "False"
    ]
    events = kube.list("Event", namespace=namespace, field_selector=f"involvedObject.name={name}")
    evidence += [
        Evidence(
            f"pod/{name}",
            f"event {item.get('reason')}",
            str(item.get("message")),
            item.get("lastTimestamp"),
        )
        for item in events[-_SHOWN_EVENTS:]
        if item.get("type") == "Warning"
    ]
    lines = [f"release {release.name}: {component} did not come up: {why}", *map(str, evidence[1:])]
    for container in _containers(pod):
        restarted = int(container.get("restartCount") or 0) > 0
        text = kube.log(
            name,
            namespace=namespace,
            container=container["name"],
            previous=restarted,
            tail_lines=_LOG_LINES,
        )
        if text:
            (directory / f"{name}-{container['name']}.log").write_text(text)
            lines.append(f"last lines of {container['name']}:\n{text}")
    lines.append(f"More: `{kube.access.kubectl('describe pod', name, '--namespace', namespace)}`")
    return PlatformError("\n".join(lines), evidence=evidence)


def _images(pods: dict[str, JsonObject]) -> tuple[tuple[str, str], ...]:
    found = {
        str(container.get("image")): str(container.get("imageID", "")).rpartition("@")[2]
        for pod in pods.values()
        for container in _containers(pod)
    }
    return tuple(sorted(found.items()))


def _chart_of(
    release: ReleaseSettings, *, access: ClusterAccess, namespace: str, deadline: Deadline
) -> tuple[str, str, str]:
    command = [
        "helm",
        "list",
        "--namespace",
        namespace,
        "--filter",
        f"^{release.name}$",
        "--output",
        "json",
    ]
    if access.kubeconfig:
        command += ["--kubeconfig", access.kubeconfig]
    if access.context:
        command += ["--kube-context", access.context]
    found = json.loads(program.run(command, deadline=deadline))
    if not found:
        return release.chart, release.version or "unknown", "unknown"
    name, _, version = str(found[0]["chart"]).rpartition("-")
    return name, version, str(found[0].get("app_version", ""))
