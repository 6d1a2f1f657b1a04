"""A tier's kind cluster as doctor sees it: there, answering, or still to be created."""

from __future__ import annotations

import tempfile
from pathlib import Path

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.environments.provider import Sighting
from floe_tests.environments.providers.kind.settings import KindSettings
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

_SECONDS = 8.0


def look(settings: KindSettings) -> Sighting:
    """Look for a kind cluster.

    Args:
        settings: Which one.
    """
    name, version = settings.cluster, settings.kubernetes_version
    deadline = Deadline(_SECONDS)
    try:
        if name not in program.run(["kind", "get", "clusters"], deadline=deadline).split():
            found = f"kind cluster {name} is not there; a run creates it, and deletes it again"
            return Sighting(version=version, found=found)
        text = program.run(["kind", "get", "kubeconfig", "--name", name], deadline=deadline)
    except FloeTestsError as error:
        found = f"kind cannot tell: {first_line(error)}"
        return Sighting(version=version, state="unknown", found=found)
    found = f"kind cluster {name} is there and does not answer: "
    remedy = f"kind delete cluster --name {name}"
    try:
        # The client reads certificates when it is made; the file may go then.
        with tempfile.TemporaryDirectory(prefix="floe-doctor-") as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.touch(mode=0o600)
            kubeconfig.write_text(text)
            kube = Kube(ClusterAccess(kubeconfig=str(kubeconfig)))
    except FloeTestsError as error:
        return Sighting(state="failed", found=f"{found}{first_line(error)}", remedy=remedy)
    # For messages: the context that `kind export kubeconfig` writes.
    kube.access = ClusterAccess(context=f"kind-{name}")
    return Sighting(kube, found=found, remedy=remedy)
