"""The last lines of containers that fail, kept while they can still be read.

helm takes some hooks away once they have failed, and a controller its pods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform.target import Target
from floe_tests.platform.troubles import containers_of

_LINES = 50
_SAID_LINES = 5
_LINE_CHARACTERS = 200
_NO_LOG = "unable to retrieve container logs"


def exit_code(container: JsonObject) -> int:
    """Return the exit code that a container has ended with, now or before its last restart."""
    return int(ended(container).get("exitCode") or 0)


def ended(container: JsonObject) -> JsonObject:
    """Return how a container has ended, now or before its last restart; empty when it has not."""
    return part(container, "state", "terminated") or part(container, "lastState", "terminated")


def end_of(container: JsonObject, log: str) -> str:
    """Say in a line how a container has ended: exit code, reason and the last line of its log."""
    reason = str(ended(container).get("reason") or "")
    shown = f" ({reason})" if reason not in {"", "Error", "Completed"} else ""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    words = f": {lines[-1][-_LINE_CHARACTERS:]}" if lines else ""
    return (
        f"container {container['name']} ended with exit code {exit_code(container)}{shown}{words}"
    )


def log_of(kube: Kube, pod: JsonObject, container: JsonObject, *, lines: int) -> str | None:
    """Read the end of a container's log, of its life before if it has crashed.

    Args:
        kube: The cluster.
        pod: The pod, with its namespace.
        container: The status of its container.
        lines: How many lines of it.
    """
    has_crashed = int(container.get("restartCount") or 0) > 0
    for previous in (True, False) if has_crashed else (False,):
        text = kube.log(
            str(pod["metadata"]["name"]),
            namespace=str(pod["metadata"]["namespace"]),
            container=container["name"],
            previous=previous,
            tail_lines=lines,
        )
        # What the kubelet says where it has put the log of the life before away.
        if text and not text.startswith(_NO_LOG):
            return text
    return None


@dataclass
class LastWords:
    """What the containers of a release's pods have said last.

    Attributes:
        kube: The cluster.
        target: Where the release is, and where its logs are kept.
    """

    kube: Kube
    target: Target
    _kept: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def remember_once(self, pod: JsonObject) -> None:
        """Keep the end of a pod's logs, unless they were read before: the pod may go."""
        if pod["metadata"]["name"] not in self._kept:
            self._read(pod)

    def lines(self, pod: JsonObject) -> Iterator[str]:
        """Read the end of a pod's logs, write them into files, and yield them for an error."""
        name = str(pod["metadata"]["name"])
        self._read(pod)
        for container, text in self._kept[name].items():
            (self.target.directory / f"{name}-{container}.log").write_text(text)
            yield f"last lines of {container}:\n{text}"

    def ends_of(self, pod: JsonObject) -> str:
        """Say how a pod's failed containers have ended, each with the last line that it wrote."""
        return ", ".join(self._end_of(pod, each) for each in containers_of(pod) if exit_code(each))

    def _end_of(self, pod: JsonObject, container: JsonObject) -> str:
        name = str(container["name"])
        text = self._kept.get(str(pod["metadata"]["name"]), {}).get(name, "")
        return end_of(container, text)

    def of_crash(self, pod: JsonObject | None) -> Iterator[str]:
        """Yield the last lines of the containers of a pod that have crashed, for the log."""
        for container in containers_of(pod or {}):
            if int(container.get("restartCount") or 0) > 0:
                text = self._log_of(pod or {}, container, lines=_SAID_LINES)
                yield from (text or "").splitlines()

    def _read(self, pod: JsonObject) -> None:
        kept = self._kept.setdefault(str(pod["metadata"]["name"]), {})
        for container in containers_of(pod):
            text = self._log_of(pod, container, lines=_LINES)
            if text:
                kept[str(container["name"])] = text

    def _log_of(self, pod: JsonObject, container: JsonObject, *, lines: int) -> str | None:
        namespace = pod["metadata"].get("namespace") or self.target.namespace
        placed = {**pod, "metadata": {**pod["metadata"], "namespace": namespace}}
        return log_of(self.kube, placed, container, lines=lines)
