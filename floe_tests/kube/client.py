"""The one door to the Kubernetes API.

Everything else in the package speaks to a cluster through this module, which maps every failure to
an error of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from floe_tests.core.deadline import Deadline
from floe_tests.kube.access import api_client
from floe_tests.kube.discovery import Discovery
from floe_tests.kube.errors import RefusedError
from floe_tests.kube.logs import PodLogs
from floe_tests.kube.watching import Watching

__all__ = ["Kube", "RefusedError"]


class Kube(Watching, Discovery, PodLogs):
    """A cluster: its objects, their changes, and the logs of its pods."""

    def run_in(
        self, pod: str, command: Sequence[str], *, namespace: str, container: str, seconds: float
    ) -> Iterator[bytes]:
        """Run a command in a container, and yield its standard output as it comes.

        Needs the right to create `pods/exec`.

        Args:
            pod: Name of the pod.
            command: Program and arguments.
            namespace: Its namespace.
            container: Name of the container, which must be running.
            seconds: When to give up.

        Raises:
            InfrastructureError: It could not be run, failed, or did not end in time.
        """
        from floe_tests.kube.exec import run_in_container

        # A client of its own: the library's web socket takes the place of its transport.
        yield from run_in_container(
            api_client(self.access),
            pod,
            command,
            namespace=namespace,
            container=container,
            deadline=Deadline(seconds),
        )
