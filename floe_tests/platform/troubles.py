"""What keeps a pod of a release from being ready, and whether waiting helps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from floe_tests.core.deadline import Deadline
from floe_tests.core.evidence import Evidence
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.platform.admission import RefusedParty, meaning_of

_STEADY_SECONDS = 3.0
# A container that has died this often while its release comes up does not recover by waiting; once
# or twice is normal while what it depends on starts.
_CRASHES = 3
# The kubelet retries a pull; a registry that comes up a moment later is no failure.
_IMAGE_SECONDS = 45.0
# What refuses a pod for a reason that is not known here may be gone within a moment.
_REFUSED_SECONDS = 10.0
# Probes fail while a program starts, and volumes are bound after the first look at a pod.
_STARTING_SECONDS = 15.0
_BINDING_SECONDS = 3.0

# A Secret or ConfigMap that a container refers to is not there.
MISSING_REFERENCE = "CreateContainerConfigError"
_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff"})
_NEVER_STARTS = frozenset({"InvalidImageName", "ErrImageNeverPull", MISSING_REFERENCE})
# The runtime's errors, which a second try mends now and then.
_RARELY_STARTS = frozenset({"CreateContainerError", "RunContainerError"})
# What a registry says of an image that no second request will find.
# Source: the error codes of the OCI distribution spec, as
# containerd words them
_NO_SUCH_IMAGE = re.compile(
    r"not found|manifest unknown|name unknown|denied|unauthorized", re.IGNORECASE
)


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
        pod: The pod that has more to say, where there is one.
        party: Whose fault it is.
        remedy: What to do about it, where the reason does not say it.
        namespace: Where the object is; empty for the release's own namespace.
    """

    subject: str
    component: str
    why: str
    patience_seconds: float = math.inf
    quiet_seconds: float = 0
    pod: JsonObject | None = None
    party: RefusedParty = "platform"
    remedy: str = ""
    namespace: str = ""

    @property
    def evidence(self) -> Evidence:
        """The trouble as a fact."""
        return Evidence(self.subject, "status", self.why)

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same trouble at the next look: its numbers change meanwhile."""
        return self.subject, re.sub(r"\d+", "#", self.why)


@dataclass(frozen=True)
class Events:
    """The warnings of a release's namespaces.

    Attributes:
        found: The warnings, oldest first.
    """

    found: Sequence[JsonObject] = ()

    def last(self, item: JsonObject, reason: str) -> str | None:
        """Return what the newest event of a reason says of an object; None without one."""
        return self.last_of(str(item["metadata"]["name"]), reason, uid=item["metadata"].get("uid"))

    def last_of(self, name: str, reason: str, *, uid: str | None = None) -> str | None:
        """Return what the newest event of a reason says of a name.

        Args:
            name: Name of the object.
            reason: The event's reason.
            uid: The object's UID: the one of that name before it had events of its own.
        """
        for event in reversed(self.found):
            about = part(event, "involvedObject")
            is_same = uid is None or about.get("uid") in {None, uid}
            if about.get("name") == name and is_same and event.get("reason") == reason:
                return str(event.get("message"))
        return None


def refused(trouble: Trouble, message: str, *, namespace: str) -> Trouble:
    """Return a trouble with what an API server's refusal adds to it.

    Args:
        trouble: The object that is refused, or whose pods are.
        message: What the API server said.
        namespace: The release's namespace.
    """
    meaning = meaning_of(message, namespace=namespace)
    if meaning is None:
        why = f"{trouble.why}: {message}"
        return replace(trouble, why=why, patience_seconds=_REFUSED_SECONDS)
    return replace(
        trouble,
        why=f"{trouble.why} by {meaning.by}: {message}",
        patience_seconds=meaning.patience_seconds,
        party=meaning.party,
        remedy=meaning.remedy,
    )


def ready_pods(
    pods: Mapping[str, JsonObject], steady: dict[str, tuple[int, Deadline]]
) -> Iterator[str]:
    """Yield the names of the pods that are ready.

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


def troubles_of(pods: Mapping[str, JsonObject], events: Events) -> Iterator[Trouble]:
    """Yield what keeps pods from being ready, the gravest of each pod first.

    Args:
        pods: Pods that are not ready, by name.
        events: The warnings of their namespaces.
    """
    for pod in pods.values():
        metadata = pod["metadata"]
        for why, patience, quiet in _reasons(pod, events):
            yield Trouble(
                f"pod/{metadata['name']}",
                component_of(pod),
                why,
                patience,
                quiet,
                pod,
                namespace=str(metadata.get("namespace") or ""),
            )


def trouble_of(kind: str, item: JsonObject) -> Trouble:
    """Return a trouble of an object, for its reason to be filled in."""
    metadata = item["metadata"]
    return Trouble(
        f"{kind.lower()}/{metadata['name']}",
        component_of(item),
        "",
        namespace=str(metadata.get("namespace") or ""),
    )


def component_of(item: JsonObject) -> str:
    """Return the part of the release that an object belongs to.

    By Helm's common labels; a pod without them is called after what made it.
    """
    labels = part(item, "metadata", "labels")
    owners = parts(item, "metadata", "ownerReferences")
    suffix = f"-{labels.get('pod-template-hash')}"
    return str(
        labels.get("app.kubernetes.io/component")
        or labels.get("app.kubernetes.io/name")
        or (owners and str(owners[0].get("name")).removesuffix(suffix))
        or item["metadata"]["name"]
    )


def containers_of(pod: JsonObject) -> list[JsonObject]:
    """Return the statuses of a pod's containers, those of its init containers first."""
    return [
        *parts(pod, "status", "initContainerStatuses"),
        *parts(pod, "status", "containerStatuses"),
    ]


def images_of(pods: Sequence[JsonObject]) -> tuple[tuple[str, str], ...]:
    """Return image → digest of all containers, as their pods report them."""
    found = {
        str(container.get("image")): str(container.get("imageID", "")).rpartition("@")[2]
        for pod in pods
        for container in containers_of(pod)
    }
    return tuple(sorted(found.items()))


def condition(item: JsonObject, kind: str) -> JsonObject:
    """Return an object's condition of a type; empty when it has none."""
    for each in parts(item, "status", "conditions"):
        if each.get("type") == kind:
            return each
    return {}


def claims_of(pod: JsonObject) -> tuple[str, ...]:
    """Return the names of the PersistentVolumeClaims that a pod mounts."""
    name = str(part(pod, "metadata").get("name"))
    found: list[str] = []
    for volume in parts(pod, "spec", "volumes"):
        claim = part(volume, "persistentVolumeClaim").get("claimName")
        if claim:
            found.append(str(claim))
        elif "ephemeral" in volume:
            found.append(f"{name}-{volume.get('name')}")
    return tuple(found)


def is_of_job(pod: JsonObject) -> bool:
    """Return whether a Job has made a pod: such a pod ends."""
    return any(owner.get("kind") == "Job" for owner in parts(pod, "metadata", "ownerReferences"))


def _reasons(pod: JsonObject, events: Events) -> Iterator[tuple[str, float, float]]:
    """Yield why a pod is not ready, how long that may last, and how long it is no news."""
    status = part(pod, "status")
    starting = {str(one["name"]) for one in parts(status, "initContainerStatuses")}
    for container in containers_of(pod):
        what = "init container" if container["name"] in starting else "container"
        yield from _reasons_of_container(container, what, ends=is_of_job(pod))
    if status.get("phase") == "Failed" and not parts(pod, "metadata", "ownerReferences"):
        words = status.get("message") or status.get("reason") or "its containers have ended"
        yield f"it failed, and nothing replaces it: {words}", 0, 0
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        for claim in claims_of(pod):
            failed = events.last_of(claim, "ProvisioningFailed")
            if failed is not None:
                final = 0.0 if "not found" in failed else math.inf
                yield f"its volume {claim} cannot be had: {failed}", final, 0
        why = f"it cannot be scheduled: {scheduled.get('message')}"
        yield why, math.inf, _BINDING_SECONDS
    mount = events.last(pod, "FailedMount") or events.last(pod, "FailedAttachVolume")
    if mount is not None and not parts(pod, "status", "podIPs"):
        yield f"a volume cannot be mounted: {mount}", math.inf, _BINDING_SECONDS
    sandbox = events.last(pod, "FailedCreatePodSandBox")
    if sandbox is not None and not status.get("podIP"):
        yield f"its sandbox cannot be made: {sandbox}", math.inf, _STARTING_SECONDS
    unhealthy = events.last(pod, "Unhealthy")
    if unhealthy is not None and condition(pod, "Ready").get("status") != "True":
        yield unhealthy, math.inf, _STARTING_SECONDS


def _reasons_of_container(
    container: JsonObject, what: str, *, ends: bool
) -> Iterator[tuple[str, float, float]]:
    waiting = part(container, "state", "waiting")
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    named = f"{what} {container['name']}"
    why = f"{named}: {reason}: {message}".rstrip(": ")
    restarts = int(container.get("restartCount") or 0)
    last = part(container, "lastState", "terminated") or part(container, "state", "terminated")
    if reason in _NEVER_STARTS:
        yield why, 0, 0
    elif reason in _RARELY_STARTS:
        yield why, _REFUSED_SECONDS, 0
    elif reason in _IMAGE_REASONS:
        yield why, 0 if _NO_SUCH_IMAGE.search(message) else _IMAGE_SECONDS, 0
    elif last and (int(last.get("exitCode") or 0) != 0 or reason == "CrashLoopBackOff"):
        ended = f"{last.get('reason', 'ended')}, exit code {last.get('exitCode')}"
        # The pods of a Job are counted by the Job.
        loops = reason == "CrashLoopBackOff" and restarts >= _CRASHES and not ends
        times = f", {restarts} times" if restarts > 1 else ""
        yield f"{named} crashed: {ended}{times}", 0 if loops else math.inf, 0
    # A sidecar runs on as well, and says so by `started`.
    elif (
        what == "init container"
        and "running" in part(container, "state")
        and container.get("started") is not True
    ):
        yield f"{named} has not ended", math.inf, _STARTING_SECONDS
