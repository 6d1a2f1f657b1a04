"""What the pods of a run's platform said, kept beside the run's results when its namespace goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.log import Log
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform.scope import Scope
from floe_tests.platform.troubles import containers_of

FOLDER = "platform-logs"
# A run's environment waits for this, a cancelled one too, which must be gone after half a minute.
_SECONDS = 10.0
_LIMIT_BYTES = 4 * 1024 * 1024


def export_logs(
    kube: Kube,
    namespace: str,
    directory: Path,
    *,
    log: Log,
    releases: Sequence[str] = (),
    since: datetime | None = None,
) -> None:
    """Write the log of every container that is no test's, and of its life before a restart.

    Nothing depends on it: what cannot be read is said, and left.

    Args:
        kube: The cluster.
        namespace: The platform's namespace.
        directory: The run's folder; the logs go below it, at most 4 MiB each, the end of them.
        log: Receives what was done.
        releases: The platform's releases, whose pods in other namespaces are meant as well.
        since: Only what they said from then on (UTC): a platform that stays has said much before,
            and may share its namespace, so that only its releases' pods are meant.
    """
    deadline = Deadline(_SECONDS)
    folder = directory / FOLDER
    written = 0
    try:
        for pod, container, previous in _lives(kube, namespace, releases, stays=since is not None):
            name = str(pod["metadata"]["name"])
            if deadline.passed:
                log(f"logs of the platform: not all of them could be read in {_SECONDS:g} s")
                break
            text = kube.log_tail(
                name,
                namespace=str(pod["metadata"].get("namespace") or namespace),
                container=container,
                limit_bytes=_LIMIT_BYTES,
                previous=previous,
                since=since,
            )
            if text:
                folder.mkdir(parents=True, exist_ok=True)
                suffix = ".previous.log" if previous else ".log"
                (folder / f"{name}-{container}{suffix}").write_bytes(text)
                written += 1
    except FloeTestsError as error:
        log(f"logs of the platform cannot be read: {first_line(error)}")
    if written:
        log(f"logs of the platform: {written} files in {folder}")


def _lives(
    kube: Kube, namespace: str, releases: Sequence[str], *, stays: bool
) -> Iterator[tuple[JsonObject, str, bool]]:
    """Yield pod, container, and whether its life before the last restart is meant."""
    there = kube.list("Pod", namespace=namespace)
    pods = [] if stays else list(there)
    for name in releases:
        scope = Scope(kube, name, namespace)
        if stays:
            pods += _own(scope, there)
        elif scope.read_record() and scope.reaches_out:  # few charts do that
            pods += _own(scope, ())
    for pod in pods:
        # The tests' own output is among the results.
        if labels.SUITE not in part(pod, "metadata", "labels"):
            for container in containers_of(pod):
                if int(container.get("restartCount") or 0) > 0:
                    yield pod, str(container["name"]), True
                yield pod, str(container["name"]), False


def _own(scope: Scope, pods: Iterable[JsonObject]) -> Iterable[JsonObject]:
    """Choose a release's pods, those in other namespaces too."""
    scope.find_out()
    scope.refresh()
    return scope.pods(pods).values()
