"""A kind cluster: created if absent, shared by runs beside each other, deleted by the last of them.

A cluster that was there before is used and left alone. kind itself is called as a program; its node
carries the run's labels from its first second, so a reaper knows it even if this process is killed
while it comes up.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import yaml

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels, program
from floe_tests.core.clock import certain_now
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.environment import Environment
from floe_tests.environments.existing_cluster import extend_namespace, namespace_is_live
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.namespace import NamespaceRules, create_namespace, delete_namespace
from floe_tests.environments.ownership import mark
from floe_tests.environments.providers.kind import nodes
from floe_tests.environments.providers.kind.clusters import delete_cluster, lock_of
from floe_tests.environments.providers.kind.notes import CREATED, CreatedCluster
from floe_tests.environments.providers.kind.settings import KindSettings
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, parts


@dataclass(frozen=True)
class KindEnvironment(Environment):
    """A kind cluster, with a namespace for one run.

    Attributes:
        ledger: Where created clusters and leases are written down.
        log: Receives one line a step, and kind's own output.
    """

    ledger: Ledger
    log: Log

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Create the cluster if it is absent, and the run's namespace in it."""
        program.require("docker", "kind", *(["helm"] if settings.releases else []))
        own = settings.settings_of("kind", KindSettings)
        name = own.cluster
        deadline = Deadline(settings.deadlines.cluster_seconds)
        kubeconfig = self.ledger.folder(lease.run_id) / "kubeconfig"
        with self.ledger.locked(lock_of(name), timeout_seconds=settings.deadlines.cluster_seconds):
            if name in self._clusters(deadline):
                created = self._created(name, deadline=deadline)
                cluster_id = created.cluster_id if created else None
                self.log(
                    f"kind cluster {name} is there"
                    f"{'' if created else ', and is left alone afterwards'}"
                )
                lease = replace(lease, cluster=name, cluster_id=cluster_id)
                _private_file(
                    kubeconfig,
                    program.run(["kind", "get", "kubeconfig", "--name", name], deadline=deadline),
                )
            else:
                lease = replace(lease, cluster=name, cluster_id=lease.run_id)
                self.ledger.write(lease.run_id, ENTRY, lease)
                note = CreatedCluster(cluster_id=lease.run_id, created_at=datetime.now(UTC))
                self.ledger.write(CREATED, name, note)
                self._create(lease, own, workspace, kubeconfig=kubeconfig, deadline=deadline)
                node_id = nodes.node_id_of(name, deadline=deadline)
                self.ledger.write(CREATED, name, replace(note, node_id=node_id))
            lease = replace(lease, access=ClusterAccess(kubeconfig=str(kubeconfig)))
            self.ledger.write(lease.run_id, ENTRY, lease)
            kube = Kube(ClusterAccess(kubeconfig=str(kubeconfig)))
            self._wait_for_nodes(kube, name, deadline=deadline)
            if lease.cluster_id == lease.run_id:
                for node in kube.list("Node"):
                    mark(kube, "Node", node)
            if lease.cluster_id and not _is_labelled(kube, lease.cluster_id):
                # The note outlived its cluster, and somebody made another of that name.
                self.log(f"kind cluster {name} is not the one that a run created: it is left alone")
                self.ledger.forget(CREATED, name)
                lease = replace(lease, cluster_id=None)
                self.ledger.write(lease.run_id, ENTRY, lease)
            uid = create_namespace(
                kube,
                lease.namespace,
                owner=lease.owner,
                rules=NamespaceRules.of(settings),
                deadline=deadline,
            )
        self._load_images(own, workspace, deadline=deadline)
        self.log(f"namespace {lease.namespace} created, quota {settings.budget.memory}")
        return replace(lease, state="held", namespace_uid=uid)

    def is_live(self, lease: Lease) -> bool:
        """Return whether the cluster answers and the run's namespace stands."""
        return namespace_is_live(lease)

    def release(self, lease: Lease) -> None:
        """Delete the cluster if runs of ours created it and no other needs it, or the namespace."""
        name = lease.cluster
        if name is None:
            return
        deadline = Deadline(lease.release_seconds)
        with self.ledger.locked(lock_of(name), timeout_seconds=lease.release_seconds):
            if name not in self._clusters(deadline):
                self.ledger.forget(CREATED, name)
                return
            created = self._created(name, deadline=deadline)
            ours = created is not None and created.cluster_id == lease.cluster_id
            others = self._other_runs(lease) if ours else ()
            if ours and not others:
                delete_cluster(self.ledger, name, deadline=deadline, log=self.log)
                return
            if others:
                self.log(f"kind cluster {name} stays: {', '.join(others)} use it")
            # Still under the lock: of two runs that end at once, the later must find the other's
            # namespace gone, or each leaves the cluster to the other.
            if lease.access is not None:
                delete_namespace(
                    Kube(lease.access),
                    lease.namespace,
                    run_id=lease.run_id,
                    uid=lease.namespace_uid,
                    deadline=deadline,
                )
                self.log(f"namespace {lease.namespace} gone")

    def extend(self, lease: Lease) -> None:
        """Write the new expiry on the run's namespace, and on the nodes of a cluster of ours."""
        extend_namespace(lease)
        if lease.access is None or lease.cluster_id is None:
            return
        kube = Kube(lease.access)
        for node in kube.list("Node", label_selector=labels.RUN):
            kube.patch(
                "Node",
                str(node["metadata"]["name"]),
                {"metadata": {"labels": labels.kept_labels(lease.owner.expires_at)}},
            )

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the commands to look into the cluster, and to delete it."""
        access = lease.access or ClusterAccess()
        return (
            access.kubectl("get pods --namespace", lease.namespace),
            access.kubectl("logs --namespace", lease.namespace, "deployment/NAME"),
            f"kind delete cluster --name {lease.cluster}",
        )

    def _created(self, name: str, *, deadline: Deadline) -> CreatedCluster | None:
        """Return what the ledger has of a cluster that is there; None for somebody else's."""
        note = self.ledger.read(CREATED, name, CreatedCluster)
        if note is None or not note.node_id:
            return note
        return note if note.is_of(nodes.node_id_of(name, deadline=deadline)) else None

    @staticmethod
    def _clusters(deadline: Deadline) -> list[str]:
        return program.run(["kind", "get", "clusters"], deadline=deadline).split()

    def _create(
        self,
        lease: Lease,
        settings: KindSettings,
        workspace: Workspace,
        *,
        kubeconfig: Path,
        deadline: Deadline,
    ) -> None:
        image = workspace.image(settings.node_image)
        started = monotonic()
        self.log(f"kind cluster {settings.cluster}: creating, node image {image}")
        command = ["kind", "create", "cluster", "--name", settings.cluster, "--image", image]
        program.run(
            [*command, "--config", "-", "--kubeconfig", str(kubeconfig)],
            stdin=kind_config(lease.owner, workers=settings.workers),
            deadline=deadline,
            log=self.log,
            remedy="Check that Docker has memory and disk left, and that the node image is there "
            f"(`docker image inspect {image}`).",
        )
        self.log(f"kind cluster {settings.cluster}: up in {monotonic() - started:.1f} s")

    def _wait_for_nodes(self, kube: Kube, name: str, *, deadline: Deadline) -> None:
        try:
            for nodes in kube.follow("Node", deadline=deadline, tick_seconds=2):
                if nodes and all(_is_ready(node) for node in nodes.values()):
                    return
        except (DeadlineError, InfrastructureError) as error:
            message = (
                f"kind cluster {name} has no ready node after {deadline.elapsed_seconds:.0f} s: "
                f"{error} If a stopped Docker left it behind, "
                f"`kind delete cluster --name {name}` removes it; else see "
                f"`docker logs {name}-control-plane`."
            )
            raise InfrastructureError(message) from error

    def _load_images(
        self, settings: KindSettings, workspace: Workspace, *, deadline: Deadline
    ) -> None:
        """Copy the images that the local Docker has; the node pulls the others."""
        for image in workspace.loaded_images(settings.load_images):
            try:
                program.run(
                    ["docker", "image", "inspect", "--format", "{{.Id}}", image], deadline=deadline
                )
            except FloeTestsError:
                self.log(f"{image} is not in the local Docker: the node pulls it")
                continue
            with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
                # By way of an archive: `kind load docker-image` fails on Docker's containerd store.
                program.run(["docker", "save", "--output", archive.name, image], deadline=deadline)
                program.run(
                    ["kind", "load", "image-archive", archive.name, "--name", settings.cluster],
                    deadline=deadline,
                    log=self.log,
                )

    def _other_runs(self, lease: Lease) -> tuple[str, ...]:
        if lease.access is None:
            return ()
        try:
            namespaces = Kube(lease.access).list("Namespace", label_selector=labels.RUN)
        except InfrastructureError:
            return ()
        now = certain_now()
        return tuple(
            str(item["metadata"]["name"])
            for item in namespaces
            if (run := item["metadata"]["labels"][labels.RUN]) != labels.label_value(lease.run_id)
            and not labels.has_expired(item["metadata"]["labels"], now=now)
            and not self._is_abandoned(run)
        )

    def _is_abandoned(self, run_id: str) -> bool:
        other = self.ledger.read(run_id, ENTRY, Lease)
        return other is not None and other.state != "kept" and other.holder.liveness == "dead"


def kind_config(owner: labels.Owner, *, workers: int) -> str:
    """Return kind's configuration: the nodes, each with the run's labels.

    Source: https://kind.sigs.k8s.io/docs/user/configuration/
    """
    roles = ["control-plane", *["worker"] * workers]
    # The kubelet refuses to set labels of kubernetes.io on its own node.
    own = {name: text for name, text in owner.labels().items() if "kubernetes.io/" not in name}
    return yaml.safe_dump(
        {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "nodes": [{"role": role, "labels": own} for role in roles],
        }
    )


def _is_labelled(kube: Kube, run_id: str) -> bool:
    selector = f"{labels.RUN}={labels.label_value(run_id)}"
    return bool(kube.list("Node", label_selector=selector))


def _is_ready(node: JsonObject) -> bool:
    return any(
        item.get("type") == "Ready" and item.get("status") == "True"
        for item in parts(node, "status", "conditions")
    )


def _private_file(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
