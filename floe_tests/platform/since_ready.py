"""What has become of a release's pods since it was ready: restarted, gone, not ready any more.

Looked at after each suite. A suite may kill pods on purpose, so what is found is no verdict; beside
a failed test it is what explains it, and a green run over a dead platform should not stay silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.evidence import Evidence
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts, pod_is_over
from floe_tests.platform.last_words import end_of, ended, exit_code, log_of
from floe_tests.platform.troubles import condition, containers_of

_FIELD = "since it was ready"
_GONE = "gone"
_LINES = 20
_SHOWN = 8
# Of so many containers that crashed the log is read: a look is to be cheap.
_READ_LOGS = 5


@dataclass(frozen=True)
class SeenPod:
    """A pod as it was when its release was ready.

    Attributes:
        name: Its name.
        namespace: Its namespace.
        uid: Its UID.
        owner: What made it, a Deployment by its own name; empty for a pod on its own.
        restarts: How often its containers had restarted, by name.
    """

    name: str
    namespace: str
    uid: str
    owner: str = ""
    restarts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Look:
    """What a look at releases has found.

    Attributes:
        releases: The pods that they have now, by release; the next look begins with them.
        found: What happened to their pods since the look before.
    """

    releases: tuple[tuple[str, tuple[SeenPod, ...]], ...] = ()
    found: tuple[Evidence, ...] = ()


def seen(pods: Iterable[JsonObject], *, namespace: str) -> tuple[SeenPod, ...]:
    """Return what is to be remembered of pods that serve; of those that have ended, nothing.

    Args:
        pods: The pods.
        namespace: Where they are, as far as they do not say it.
    """
    return tuple(_seen(_placed(pod, namespace)) for pod in pods if not pod_is_over(pod))


def look(kube: Kube, releases: Mapping[str, Sequence[SeenPod]]) -> Look:
    """Look at the pods of releases once, with one request a namespace.

    Args:
        kube: The cluster.
        releases: The pods that they had, by release.

    Returns:
        What they have now. Where that cannot be read, that is what was found.
    """
    try:
        namespaces = sorted({each.namespace for pods in releases.values() for each in pods})
        there = [
            _placed(pod, name) for name in namespaces for pod in kube.list("Pod", namespace=name)
        ]
        logs = _Logs(kube)
        looks = {name: _Comparison(before, there) for name, before in releases.items()}
        found = [fact for each in looks.values() for fact in each.found(logs)]
    except FloeTestsError as error:
        why = f"not looked at: {first_line(error)}"
        releases_now = tuple((name, tuple(pods)) for name, pods in releases.items())
        return Look(releases_now, (Evidence("platform", _FIELD, why),))
    return Look(tuple((name, each.seen_now()) for name, each in looks.items()), _shown(found))


def _shown(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return what is said of what was found: what was only replaced last, and not all of it."""
    ordered = sorted(found, key=lambda fact: fact.value.startswith(_GONE))
    more = len(ordered) - _SHOWN
    if more <= 0:
        return tuple(ordered)
    return (*ordered[:_SHOWN], Evidence("platform", _FIELD, f"the same of {more} more pods"))


class _Logs:
    """Reads the last words of containers that crashed, of a few of them."""

    def __init__(self, kube: Kube) -> None:
        """Keep the cluster."""
        self._kube = kube
        self._left = _READ_LOGS

    def end_of(self, pod: JsonObject, container: JsonObject) -> str:
        """Say how a container has ended."""
        text = None
        if self._left > 0:
            self._left -= 1
            text = log_of(self._kube, pod, container, lines=_LINES)
        return end_of(container, text or "")


class _Comparison:
    """A release's pods, as they were and as they are."""

    def __init__(self, before: Sequence[SeenPod], there: Sequence[JsonObject]) -> None:
        """Find the pods that were seen before, and those that took their places."""
        self._before = {each.uid: each for each in before}
        owners = {(each.namespace, each.owner) for each in before if each.owner}
        alone = {(each.namespace, each.name) for each in before if not each.owner}
        self._now = {
            str(pod["metadata"]["uid"]): pod
            for pod in there
            if "deletionTimestamp" not in pod["metadata"]
            and ((_namespace(pod), _owner(pod)) in owners or (_namespace(pod), _name(pod)) in alone)
        }
        # An evicted pod stays on the books beside the one that took its place.
        self._new = [
            pod
            for uid, pod in self._now.items()
            if uid not in self._before and not pod_is_over(pod)
        ]

    def found(self, logs: _Logs) -> Iterator[Evidence]:
        """Yield what happened to the pods."""
        for uid, before in self._before.items():
            pod = self._now.get(uid)
            if pod is None:
                yield Evidence(f"pod/{before.name}", _FIELD, f"{_GONE}{self._successor_of(before)}")
            else:
                yield from _changes(pod, dict(before.restarts), logs)
        for pod in self._new:
            yield from _changes(pod, {}, logs)

    def seen_now(self) -> tuple[SeenPod, ...]:
        """Return the pods that the next look begins with: one that nothing replaced, too."""
        missing = [
            each
            for uid, each in self._before.items()
            if uid not in self._now and not self._successors_of(each)
        ]
        stay = [pod for uid, pod in self._now.items() if uid in self._before]
        return (*map(_seen, [*stay, *self._new]), *missing)

    def _successors_of(self, before: SeenPod) -> list[JsonObject]:
        return [
            pod
            for pod in self._new
            if _namespace(pod) == before.namespace
            and (_owner(pod) == before.owner if before.owner else _name(pod) == before.name)
        ]

    def _successor_of(self, before: SeenPod) -> str:
        names = [_name(pod) for pod in self._successors_of(before)]
        if before.name in names:
            return "; another pod of that name took its place"
        shown = ", ".join(f"pod/{name}" for name in names)
        return f"; of its kind there is now {shown}" if names else ", and no pod took its place"


def _changes(pod: JsonObject, before: Mapping[str, int], logs: _Logs) -> Iterator[Evidence]:
    """Yield what happened to one pod: its containers' ends, and that it is not ready."""
    told: list[str] = []
    time: str | None = None
    for container in containers_of(pod):
        restarts = int(container.get("restartCount") or 0) - before.get(str(container["name"]), 0)
        is_over = bool(part(container, "state", "terminated")) and exit_code(container) != 0
        if restarts > 0 or is_over:
            times = f", restarted {'once' if restarts == 1 else f'{restarts} times'}"
            told.append(logs.end_of(pod, container) + (times if restarts > 0 else ""))
            time = ended(container).get("finishedAt") or time
    if condition(pod, "Ready").get("status") != "True":
        told.append(_unready(pod))
    if told:
        yield Evidence(f"pod/{_name(pod)}", _FIELD, "; ".join(told), time)


def _unready(pod: JsonObject) -> str:
    """Say that a pod is not ready, and why as far as its status says it."""
    status = part(pod, "status")
    if status.get("phase") == "Failed":
        return f"failed: {status.get('message') or status.get('reason') or 'its containers ended'}"
    reasons = [part(each, "state", "waiting").get("reason") for each in containers_of(pod)]
    why = next((str(reason) for reason in reasons if reason), "")
    why = why or str(condition(pod, "Ready").get("message") or "")
    return f"is not ready now: {why}".removesuffix(": ")


def _seen(pod: JsonObject) -> SeenPod:
    restarts = ((str(one["name"]), int(one.get("restartCount") or 0)) for one in containers_of(pod))
    return SeenPod(
        _name(pod), _namespace(pod), str(pod["metadata"].get("uid")), _owner(pod), tuple(restarts)
    )


def _owner(pod: JsonObject) -> str:
    """Return what made a pod: a ReplicaSet is named as its Deployment, which makes another one."""
    suffix = f"-{part(pod, 'metadata', 'labels').get('pod-template-hash')}"
    for each in parts(pod, "metadata", "ownerReferences"):
        return f"{each.get('kind')}/{str(each.get('name')).removesuffix(suffix)}"
    return ""


def _name(pod: JsonObject) -> str:
    return str(pod["metadata"]["name"])


def _namespace(pod: JsonObject) -> str:
    return str(pod["metadata"]["namespace"])


def _placed(pod: JsonObject, namespace: str) -> JsonObject:
    """Return a pod with its namespace, which lists of one namespace may leave out."""
    return {**pod, "metadata": {"namespace": namespace, **pod["metadata"]}}
