"""What is done with a pod whose tests have ended: its log is kept, its exporter may go."""

from __future__ import annotations

import contextlib
from pathlib import Path

from floe_tests.errors import InfrastructureError
from floe_tests.jobs.facts import PodFacts
from floe_tests.jobs.manifest import EXPORTER, EXPORTER_COMMAND
from floe_tests.jobs.receiver import Receiver
from floe_tests.jobs.waits import LINGERING_BYTES
from floe_tests.kube import Kube

_DISMISS_SECONDS = 5.0


def save_pod_log(
    kube: Kube, pod: str, *, namespace: str, container: str, directory: Path, limit_bytes: int
) -> None:
    """Keep the end of a container's log as `pod.log`.

    Args:
        kube: The cluster.
        pod: Name of the pod.
        namespace: Its namespace.
        container: Name of the test container.
        directory: Where it goes.
        limit_bytes: How much of it.

    Raises:
        InfrastructureError: It cannot be read.
    """
    log = kube.log_tail(pod, namespace=namespace, container=container, limit_bytes=limit_bytes)
    if log is not None:
        (directory / "pod.log").write_bytes(log)


def exporter_lingers(facts: PodFacts | None, receiver: Receiver) -> bool:
    """Tell whether the exporter stays for questions, as one does that wrote much."""
    return facts is not None and facts.exporter_runs and receiver.received_bytes >= LINGERING_BYTES


def dismiss_exporter(kube: Kube, pod: str, *, namespace: str) -> None:
    """Tell an exporter that stayed for questions that there are none left."""
    # It has ended by itself, or will: it does not stay for long.
    with contextlib.suppress(InfrastructureError):
        for _ in kube.run_in(
            pod,
            [*EXPORTER_COMMAND, "done"],
            namespace=namespace,
            container=EXPORTER,
            seconds=_DISMISS_SECONDS,
        ):
            pass
