"""The kind clusters of this machine: which of them runs created, and how those are deleted."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError, FloeTestsError, HarnessError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.provider import CreatedClusters
from floe_tests.environments.providers.kind import nodes
from floe_tests.environments.providers.kind.creator import creator_of
from floe_tests.environments.providers.kind.nodes import KindCluster
from floe_tests.environments.providers.kind.notes import CREATED, CreatedCluster
from floe_tests.kube.client import Kube


@dataclass(frozen=True)
class KindClusters(CreatedClusters[KindCluster]):
    """The kind clusters of this machine's Docker.

    Attributes:
        ledger: Where runs note the clusters that they create.
    """

    ledger: Ledger
    place = "this machine's Docker"

    def why_unseen(self) -> str:
        """Say which program is missing."""
        missing = [name for name in ("docker", "kind") if shutil.which(name) is None]
        return f"{' and '.join(missing)} not on PATH" if missing else ""

    def find(self, *, deadline: Deadline) -> tuple[KindCluster, ...]:
        """Find them by their containers."""
        return nodes.kind_clusters(deadline=deadline)

    def connect(self, cluster: KindCluster, *, deadline: Deadline) -> Kube:
        """Connect to one, by the name of its node."""
        return nodes.connect(cluster, deadline=deadline)

    def creator_of(
        self,
        cluster: KindCluster,
        *,
        leases: Mapping[str, Lease],
        marked: Collection[str],
        problem: Callable[[str], None],
    ) -> tuple[str | None, str]:
        """Return the run that its configuration, a note or a lease names."""
        note = None
        try:
            note = self.ledger.read(CREATED, cluster.name, CreatedCluster)
        except HarnessError as error:
            problem(str(error))
        return creator_of(cluster, note=note, leases=leases, marked=marked)

    def locked(self, name: str, *, timeout_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock under which runs begin to use a cluster."""
        return self.ledger.locked(lock_of(name), timeout_seconds=timeout_seconds)

    def delete(self, name: str, *, deadline: Deadline, log: Log) -> None:
        """Delete one, and what the ledger has of it."""
        delete_cluster(self.ledger, name, deadline=deadline, log=log)

    def deletion(self, name: str) -> str:
        """Return the command that deletes one by hand."""
        return f"kind delete cluster --name {shlex.quote(name)}"

    def forget_absent(self, there: Collection[str], *, begun: Collection[str]) -> None:
        """Forget the notes of clusters that are gone.

        Docker may still be making what a killed `kind create` asked it for; the next reaper then
        knows by the note whose it is.
        """
        for path in sorted((self.ledger.directory / CREATED).glob("*.json")):
            # One that cannot be read is no proof against anybody's cluster.
            with contextlib.suppress(HarnessError):
                note = self.ledger.read(CREATED, path.stem, CreatedCluster)
                if note and path.stem not in there and note.cluster_id not in begun:
                    self.ledger.forget(CREATED, path.stem)


def lock_of(name: str) -> str:
    """Return the name of the lock under which runs create, use and delete a kind cluster."""
    return f"kind-{name}"


def delete_cluster(ledger: Ledger, name: str, *, deadline: Deadline, log: Log) -> None:
    """Delete a kind cluster, and what the ledger has of it. The caller holds its lock.

    Raises:
        CleanupError: It stays.
    """
    started = monotonic()
    try:
        program.run(["kind", "delete", "cluster", "--name", name], deadline=deadline, log=log)
    except FloeTestsError as error:
        message = (
            f"kind cluster {name} could not be deleted: {error} Delete it by hand: "
            f"`kind delete cluster --name {name}`."
        )
        raise CleanupError(message) from error
    ledger.forget(CREATED, name)
    for run_id in ledger.runs(ENTRY):
        # One that cannot be read must not keep the others' credentials on disk.
        with contextlib.suppress(HarnessError):
            lease = ledger.read(run_id, ENTRY, Lease)
            if lease is not None and lease.cluster == name:
                (ledger.folder(run_id) / "kubeconfig").unlink(missing_ok=True)
    log(f"kind cluster {name} deleted in {monotonic() - started:.1f} s")
