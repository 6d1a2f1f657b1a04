"""What the pods of a run's platform said, kept beside the run's results when its namespace goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from floe_tests import labels
from floe_tests.deadline import Deadline
from floe_tests.errors import FloeTestsError, first_line
from floe_tests.kube import Kube, part
from floe_tests.platform.scope import Scope
from floe_tests.platform.troubles import containers_of

Log = Callable[[str], None]

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
    release: str = "",
    since: datetime | None = None,
) -> None:
    """Write the log of every container that is no test's, and of its life before a restart.

    Nothing depends on it: what cannot be read is said, and left.

    Args:
        kube: The cluster.
        namespace: The platform's namespace.
        directory: The run's folder; the logs go below it, at most 4 MiB each, the end of them.
        log: Receives what was done.
        release: The release whose pods are meant, as helm knows them; all of the namespace's
            without one.
        since: Only what they said from then on (UTC): a platform that stays has said much before.
    """
    deadline = Deadline(_SECONDS)
    folder = directory / FOLDER
    written = 0
    try:
        for pod, container, previous in _lives(kube, namespace, release):
            if deadline.passed:
                log(f"logs of the platform: not all of them could be read in {_SECONDS:g} s")
                break
            text = kube.log_tail(
                pod,
                namespace=namespace,
                container=container,
                limit_bytes=_LIMIT_BYTES,
                previous=previous,
                since=since,
            )
            if text:
                folder.mkdir(parents=True, exist_ok=True)
                suffix = ".previous.log" if previous else ".log"
                (folder / f"{pod}-{container}{suffix}").write_bytes(text)
                written += 1
    except FloeTestsError as error:
        log(f"logs of the platform cannot be read: {first_line(error)}")
    if written:
        log(f"logs of the platform: {written} files in {folder}")


def _lives(kube: Kube, namespace: str, release: str) -> Iterator[tuple[str, str, bool]]:
    """Yield pod, container, and whether its life before the last restart is meant."""
    pods = kube.list("Pod", namespace=namespace)
    if release:
        scope = Scope(kube, release, namespace)
        scope.find_out()
        scope.refresh()
        pods = list(scope.pods(pods).values())
    for pod in pods:
        # The tests' own output is among the results.
        if labels.SUITE not in part(pod, "metadata", "labels"):
            name = str(pod["metadata"]["name"])
            for container in containers_of(pod):
                if int(container.get("restartCount") or 0) > 0:
                    yield name, str(container["name"]), True
                yield name, str(container["name"]), False
