"""A Helm release on its way up: what of it is ready, what is not, and why not.

helm says only that time is over. Here the release's pods and workloads are watched while helm
works, so whatever holds it up is told as soon as Kubernetes knows it, and what cannot mend itself
ends the wait at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from floe_tests.deadline import Deadline
from floe_tests.errors import DeadlineError, PlatformError, ProgramError
from floe_tests.evidence import Evidence
from floe_tests.kube import ClusterAccess, JsonObject, Kube, part, parts
from floe_tests.program import Program
from floe_tests.workspace import Workspace

Log = Callable[[str], None]

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_LOG_LINES = 50
_SAID_LINES = 5
_SHOWN_EVENTS = 8
_TICK_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_STEADY_SECONDS = 3.0

# A container that has died this often while its release comes up does not recover by waiting; once
# or twice is normal while what it depends on starts.
_CRASHES = 3
# The kubelet retries a pull; a registry that comes up a moment later is no failure.
_IMAGE_SECONDS = 45.0
# A quota is counted anew, and an admission webhook comes back, within a moment or not at all.
_REFUSED_SECONDS = 10.0
# Probes fail while a program starts, and volumes are bound after the first look at a pod.
_STARTING_SECONDS = 15.0
_BINDING_SECONDS = 3.0
# A controller replaces the broken pods of an earlier revision first, once it has the new one.
_REPLACING_SECONDS = 10.0

_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff"})
_NEVER_STARTS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
# What a registry says of an image that no second request will find.
# Source: the error codes of the OCI distribution spec, as
# containerd words them
_NO_SUCH_IMAGE = re.compile(
    r"not found|manifest unknown|name unknown|denied|unauthorized", re.IGNORECASE
)


@dataclass(frozen=True)
class Target:
    """Where releases go.

    Attributes:
        access: The cluster.
        namespace: The namespace.
        workspace: Folders and registry prefix.
        directory: Where values and the logs of pods that did not come up are kept.
        log: Receives progress.
    """

    access: ClusterAccess
    namespace: str
    workspace: Workspace
    directory: Path
    log: Log


@dataclass(frozen=True)
class Trouble:
    """Something that keeps a release from being ready.

    Attributes:
        subject: The object that shows it, `pod/cube-7d9` for one.
        component: The part of the release that it belongs to.
        why: What Kubernetes says of it.
        patience_seconds: How long it may last before the release has failed; infinite for what
            may still mend itself until the deadline.
        quiet_seconds: How long it may last before it is worth a line in the log.
        pod: The pod, where it is one.
    """

    subject: str
    component: str
    why: str
    patience_seconds: float = math.inf
    quiet_seconds: float = 0
    pod: JsonObject | None = None

    @property
    def evidence(self) -> Evidence:
        """The trouble as a fact."""
        return Evidence(self.subject, "status", self.why)


def pods_before(release: str, target: Target) -> frozenset[str]:
    """Give the names of a release's pods before helm changes it; none before it is installed.

    Args:
        release: Name of the release.
        target: Where it is.
    """
    found = Kube(target.access).list(
        "Pod", namespace=target.namespace, label_selector=selector_of(release)
    )
    return frozenset(str(pod["metadata"]["name"]) for pod in found)


def wait_until_ready(
    release: str,
    target: Target,
    helm: Program,
    *,
    deadline: Deadline,
    before: frozenset[str] = frozenset(),
) -> tuple[JsonObject, ...]:
    """Watch a release while helm installs or changes it, until everything in it is ready.

    Args:
        release: Name of the release, which its objects carry as app.kubernetes.io/instance.
        target: Where it is.
        helm: The running helm; whoever started it ends it when the release has failed.
        deadline: When everything must be ready.
        before: The pods that helm found. What is wrong with them may be what it mends, and counts
            only when they are still there after it.

    Returns:
        Its pods.

    Raises:
        PlatformError: A component did not come up; the message names it and says why.
    """
    rollout = _Rollout(Kube(target.access), release, target)

    def look(found: Mapping[str, JsonObject]) -> bool:
        if helm.has_ended:
            rollout.expect_replaced()
        rollout.look(found, forgiven=before)
        if not helm.has_ended:
            return False
        helm.output()
        return rollout.is_ready

    try:
        return rollout.watch(look, deadline=deadline)
    except ProgramError as error:
        raise rollout.refused(error) from error


def watch_until_ready(
    release: str,
    target: Target,
    *,
    deadline: Deadline,
    serving: Callable[[Iterable[JsonObject]], Mapping[str, JsonObject]],
) -> tuple[JsonObject, ...]:
    """Watch a release that others have installed, until everything in it is ready.

    Args:
        release: Name of the release.
        target: Where it is.
        deadline: When everything must be ready.
        serving: Chooses, by name, the pods that count.

    Returns:
        Those pods.

    Raises:
        PlatformError: A component is not ready; the message names it and says why.
    """
    rollout = _Rollout(Kube(target.access), release, target)

    def look(found: Mapping[str, JsonObject]) -> bool:
        rollout.look(serving(found.values()))
        return rollout.is_ready

    return rollout.watch(look, deadline=deadline)


def selector_of(release: str) -> str:
    """Give the label that a release's objects carry."""
    return f"app.kubernetes.io/instance={release}"


@dataclass
class _Rollout:
    """What has been seen of a release so far."""

    kube: Kube
    release: str
    target: Target
    pods: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    _started: Deadline = field(default_factory=lambda: Deadline(math.inf))
    _next_look: Deadline = field(default_factory=lambda: Deadline(0))
    _lacking: tuple[Trouble, ...] = ()
    _events: tuple[JsonObject, ...] = ()
    _ready: frozenset[str] = frozenset()
    _steady: dict[str, tuple[int, Deadline]] = field(
        default_factory=dict[str, tuple[int, Deadline]]
    )
    _since: dict[tuple[str, str], Deadline] = field(default_factory=dict[tuple[str, str], Deadline])
    _said: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _replaced: Deadline | None = None

    def expect_replaced(self) -> None:
        """Note that helm has ended: what it found broken is replaced soon, or stays so."""
        self._replaced = self._replaced or Deadline(_REPLACING_SECONDS)

    @property
    def selector(self) -> str:
        """The label that the release's objects carry."""
        return selector_of(self.release)

    @property
    def is_ready(self) -> bool:
        """Whether every workload has the pods that it wants, and each is ready."""
        return self._ready == frozenset(self.pods) and not self._look_at_workloads()

    def watch(
        self, look: Callable[[Mapping[str, JsonObject]], bool], *, deadline: Deadline
    ) -> tuple[JsonObject, ...]:
        """Look at the pods at each change of them until there is no more to wait for.

        Args:
            look: Takes the pods, by name; true when all is as it should be.
            deadline: When it must be.

        Returns:
            The pods.

        Raises:
            PlatformError: It was not.
        """
        try:
            for found in self.kube.follow(
                "Pod",
                namespace=self.target.namespace,
                label_selector=self.selector,
                deadline=deadline,
                tick_seconds=_TICK_SECONDS,
            ):
                if look(found):
                    return tuple(self.pods.values())
        except DeadlineError:
            raise self.late(deadline) from None
        message = f"release {self.release}: the watch of its pods ended."
        raise PlatformError(message)

    def look(
        self, found: Mapping[str, JsonObject], *, forgiven: frozenset[str] = frozenset()
    ) -> None:
        """Take in the pods as they are, say what changed, and fail on what cannot mend itself.

        Args:
            found: The pods, by name.
            forgiven: Those that are not judged until they should have been replaced.
        """
        if self._replaced is not None and self._replaced.passed:
            forgiven = frozenset()
        going = {name for name, pod in found.items() if "deletionTimestamp" in pod["metadata"]}
        serving = {name: pod for name, pod in found.items() if name not in going}
        # A Job's pods end; helm waits for those of its hooks.
        self.pods = {name: pod for name, pod in serving.items() if not _is_of_job(pod)}
        ready = frozenset(ready_pods(self.pods, self._steady))
        for name in sorted(ready - self._ready):
            self.target.log(
                f"release {self.release}: {name} ready after {self._started.elapsed_seconds:.1f} s"
            )
        self._ready = ready
        if self._next_look.passed:
            self._events = self._warnings()
            self._lacking = self._look_at_workloads()
            self._next_look = Deadline(_LOOK_SECONDS)
        unready = {name: pod for name, pod in serving.items() if name not in ready | forgiven}
        self._judge([*troubles_of(unready, self._events), *self._lacking])

    def refused(self, error: ProgramError) -> PlatformError:
        """Give the error of a helm that failed, with the log of a hook that did."""
        lines = [f"release {self.release} could not be installed: {error}"]
        evidence = list(error.evidence)
        for pod in self.kube.list(
            "Pod", namespace=self.target.namespace, label_selector=self.selector
        ):
            if _is_of_job(pod) and part(pod, "status").get("phase") == "Failed":
                name = str(pod["metadata"]["name"])
                evidence.append(Evidence(f"pod/{name}", "status.phase", "Failed"))
                lines += self._logs(pod)
        return PlatformError("\n".join(lines), evidence=evidence)

    def late(self, deadline: Deadline) -> PlatformError:
        """Give the error of a release that was not ready in time."""
        lacking = self._look_at_workloads()
        unready = {name: pod for name, pod in self.pods.items() if name not in self._ready}
        troubles = [*troubles_of(unready, self._events), *lacking]
        why = "; ".join(item.why for item in lacking) or "its pods are not ready"
        why = f"not ready within {deadline.seconds:g} s: {why}"
        named = next((item for item in troubles if item.pod is not None), None)
        if named is not None:
            return self._failure(named, why=f"{named.why}; {why}")
        if unready:
            name, pod = next(iter(unready.items()))
            return self._failure(Trouble(f"pod/{name}", component_of(pod), why, pod=pod), why=why)
        message = f"release {self.release}: {why}."
        return PlatformError(message, evidence=[item.evidence for item in lacking])

    def _judge(self, troubles: Sequence[Trouble]) -> None:
        now = {(item.subject, _kind_of(item.why)) for item in troubles}
        self._since = {key: since for key, since in self._since.items() if key in now}
        for item in troubles:
            key = (item.subject, _kind_of(item.why))
            since = self._since.setdefault(key, Deadline(math.inf))
            lasted = since.elapsed_seconds
            if lasted >= item.patience_seconds:
                raise self._failure(item, why=item.why)
            if lasted >= item.quiet_seconds and key not in self._said:
                self._said.add(key)
                self.target.log(
                    f"release {self.release}: {item.component} is not ready: {item.why}"
                )
                for line in self._last_words(item.pod):
                    self.target.log(f"  {line}")

    def _last_words(self, pod: JsonObject | None) -> Iterator[str]:
        """Give the last lines of the containers of a pod that have crashed."""
        for container in containers_of(pod or {}):
            if int(container.get("restartCount") or 0) > 0:
                text = self._log_of(pod or {}, container, lines=_SAID_LINES)
                yield from (text or "").splitlines()

    def _warnings(self) -> tuple[JsonObject, ...]:
        found = self.kube.list(
            "Event", namespace=self.target.namespace, field_selector="type=Warning"
        )
        return tuple(sorted(found, key=lambda item: str(item.get("lastTimestamp") or "")))

    def _look_at_workloads(self) -> tuple[Trouble, ...]:
        return tuple(
            trouble
            for kind in WORKLOADS
            for item in self.kube.list(
                kind, namespace=self.target.namespace, label_selector=self.selector
            )
            for trouble in lacking(kind, item, self._events)
        )

    def _failure(self, trouble: Trouble, *, why: str) -> PlatformError:
        evidence = [Evidence(trouble.subject, "status", why)]
        kind, _, name = trouble.subject.partition("/")
        subjects = {name, *(_claims_of(trouble.pod) if trouble.pod else ())}
        evidence += [
            Evidence(
                f"{str(part(item, 'involvedObject').get('kind')).lower()}/"
                f"{part(item, 'involvedObject').get('name')}",
                f"event {item.get('reason')}",
                str(item.get("message")),
                item.get("lastTimestamp"),
            )
            for item in self._warnings()
            if part(item, "involvedObject").get("name") in subjects
        ][-_SHOWN_EVENTS:]
        lines = [f"release {self.release}: {trouble.component} did not come up: {why}"]
        lines += map(str, evidence[1:])
        if trouble.pod is not None:
            lines += self._logs(trouble.pod)
        more = self.kube.access.kubectl(
            "describe", kind, name, "--namespace", self.target.namespace
        )
        lines.append(f"More: `{more}`")
        return PlatformError("\n".join(lines), evidence=evidence)

    def _logs(self, pod: JsonObject) -> Iterator[str]:
        name = str(pod["metadata"]["name"])
        for container in containers_of(pod):
            text = self._log_of(pod, container, lines=_LOG_LINES)
            if text:
                (self.target.directory / f"{name}-{container['name']}.log").write_text(text)
                yield f"last lines of {container['name']}:\n{text}"

    def _log_of(self, pod: JsonObject, container: JsonObject, *, lines: int) -> str | None:
        """Read the end of a container's log, of its life before if it has crashed."""
        return self.kube.log(
            str(pod["metadata"]["name"]),
            namespace=self.target.namespace,
            container=container["name"],
            previous=int(container.get("restartCount") or 0) > 0,
            tail_lines=lines,
        )


def ready_pods(
    pods: Mapping[str, JsonObject], steady: dict[str, tuple[int, Deadline]]
) -> Iterator[str]:
    """Give the pods that are ready.

    Without a readiness probe Kubernetes calls a container ready once it runs, also one that is
    about to crash: it has to have run for a while.

    Args:
        pods: The pods by name.
        steady: For each such pod its restarts, and until when it has to stay as it is; kept here.
    """
    for name, pod in pods.items():
        if part(pod, "status").get("phase") == "Succeeded":
            yield name
        elif condition(pod, "Ready").get("status") != "True":
            steady.pop(name, None)
        elif all("readinessProbe" in item for item in parts(pod, "spec", "containers")):
            yield name
        else:
            restarts = sum(int(item.get("restartCount") or 0) for item in containers_of(pod))
            if name not in steady or steady[name][0] != restarts:
                steady[name] = (restarts, Deadline(_STEADY_SECONDS))
            if steady[name][1].passed:
                yield name


def troubles_of(pods: Mapping[str, JsonObject], events: Sequence[JsonObject]) -> Iterator[Trouble]:
    """Give what keeps pods from being ready, the gravest of each pod first.

    Args:
        pods: Pods that are not ready, by name.
        events: The namespace's warnings, oldest first.
    """
    for name, pod in pods.items():
        for why, patience, quiet in _reasons(name, pod, events):
            yield Trouble(f"pod/{name}", component_of(pod), why, patience, quiet, pod)


def lacking(kind: str, workload: JsonObject, events: Sequence[JsonObject]) -> Iterator[Trouble]:
    """Give what a workload lacks: ready pods, pods of its newest generation, or pods at all.

    Source: what `kubectl rollout status` looks at.

    Args:
        kind: Deployment, StatefulSet or DaemonSet.
        workload: The object.
        events: The namespace's warnings, oldest first.
    """
    status, spec = part(workload, "status"), part(workload, "spec")
    name = str(workload["metadata"]["name"])
    subject = f"{kind.lower()}/{name}"
    component = component_of(workload)
    wanted = int(status.get("desiredNumberScheduled", spec.get("replicas", 1)) or 0)
    have = int(status.get("numberReady", status.get("readyReplicas", 0)) or 0)
    if have < wanted:
        yield Trouble(
            subject, component, f"{subject} has {have} of {wanted} pods ready", math.inf, math.inf
        )
    elif not _is_current(kind, workload, wanted=wanted):
        yield Trouble(
            subject, component, f"{subject} still has pods of before the change", math.inf, math.inf
        )
    refusal = condition(workload, "ReplicaFailure")
    why = str(refusal.get("message")) if refusal.get("status") == "True" else None
    if why is None and int(status.get("replicas", 0) or 0) < wanted:
        why = _last_message(events, name, "FailedCreate")
    if why is not None and have < wanted:
        yield Trouble(subject, component, f"its pods are refused: {why}", _REFUSED_SECONDS)


def component_of(item: JsonObject) -> str:
    """Give the part of the release that an object belongs to, by Helm's common labels."""
    labels = part(item, "metadata", "labels")
    return str(
        labels.get("app.kubernetes.io/component")
        or labels.get("app.kubernetes.io/name")
        or item["metadata"]["name"]
    )


def containers_of(pod: JsonObject) -> list[JsonObject]:
    """Give the statuses of a pod's containers, those of its init containers first."""
    return [
        *parts(pod, "status", "initContainerStatuses"),
        *parts(pod, "status", "containerStatuses"),
    ]


def images_of(pods: Sequence[JsonObject]) -> tuple[tuple[str, str], ...]:
    """Give image → digest of all containers, as their pods report them."""
    found = {
        str(container.get("image")): str(container.get("imageID", "")).rpartition("@")[2]
        for pod in pods
        for container in containers_of(pod)
    }
    return tuple(sorted(found.items()))


def _reasons(
    name: str, pod: JsonObject, events: Sequence[JsonObject]
) -> Iterator[tuple[str, float, float]]:
    """Give why a pod is not ready, how long that may last, and how long it is no news."""
    for container in containers_of(pod):
        yield from _reasons_of_container(container, ends=_is_of_job(pod))
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        for claim in _claims_of(pod):
            failed = _last_message(events, claim, "ProvisioningFailed")
            if failed is not None:
                final = 0.0 if "not found" in failed else math.inf
                yield f"its volume {claim} cannot be had: {failed}", final, 0
        why = f"it cannot be scheduled: {scheduled.get('message')}"
        yield why, math.inf, _BINDING_SECONDS
    mount = _last_message(events, name, "FailedMount")
    if mount is not None and not parts(pod, "status", "podIPs"):
        yield f"a volume cannot be mounted: {mount}", math.inf, _BINDING_SECONDS
    unhealthy = _last_message(events, name, "Unhealthy")
    if unhealthy is not None and condition(pod, "Ready").get("status") != "True":
        yield unhealthy, math.inf, _STARTING_SECONDS


def _reasons_of_container(
    container: JsonObject, *, ends: bool
) -> Iterator[tuple[str, float, float]]:
    waiting = part(container, "state", "waiting")
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    why = f"container {container['name']}: {reason}: {message}".rstrip(": ")
    restarts = int(container.get("restartCount") or 0)
    last = part(container, "lastState", "terminated") or part(container, "state", "terminated")
    if reason in _NEVER_STARTS:
        yield why, 0, 0
    elif reason in _IMAGE_REASONS:
        yield why, 0 if _NO_SUCH_IMAGE.search(message) else _IMAGE_SECONDS, 0
    elif last and int(last.get("exitCode") or 0) != 0:
        ended = f"{last.get('reason', 'ended')}, exit code {last.get('exitCode')}"
        # The pods of a Job are counted by the Job.
        loops = reason == "CrashLoopBackOff" and restarts >= _CRASHES and not ends
        yield (
            f"container {container['name']} crashed: {ended}"
            + (f", {restarts} times" if restarts > 1 else ""),
            0 if loops else math.inf,
            0,
        )


def _is_current(kind: str, workload: JsonObject, *, wanted: int) -> bool:
    status = part(workload, "status")
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    if kind == "StatefulSet":
        return status.get("updateRevision") == status.get("currentRevision")
    if kind == "DaemonSet":
        return int(status.get("updatedNumberScheduled", 0) or 0) >= wanted
    # A Deployment's old pods stay until the new ones serve.
    updated, pods = (int(status.get(key, 0) or 0) for key in ("updatedReplicas", "replicas"))
    return updated >= wanted and pods == wanted


def _last_message(events: Sequence[JsonObject], name: str, reason: str) -> str | None:
    for event in reversed(events):
        about = part(event, "involvedObject").get("name")
        # A Deployment's pods are made by its ReplicaSet, which carries its name.
        mine = about == name or (reason == "FailedCreate" and str(about).startswith(f"{name}-"))
        if mine and event.get("reason") == reason:
            return str(event.get("message"))
    return None


def _kind_of(why: str) -> str:
    """Give a reason without its numbers, which change while it stays the same."""
    return re.sub(r"\d+", "#", why)


def condition(item: JsonObject, kind: str) -> JsonObject:
    """Give an object's condition of a type; empty when it has none."""
    for each in parts(item, "status", "conditions"):
        if each.get("type") == kind:
            return each
    return {}


def _claims_of(pod: JsonObject) -> tuple[str, ...]:
    claims = (part(item, "persistentVolumeClaim") for item in parts(pod, "spec", "volumes"))
    return tuple(str(claim["claimName"]) for claim in claims if claim)


def _is_of_job(pod: JsonObject) -> bool:
    return any(owner.get("kind") == "Job" for owner in parts(pod, "metadata", "ownerReferences"))
