"""The kind clusters of this machine, and whose each is, also of one that never came up.

What a run of ours wrote into kind's configuration stands on the node's disk from the moment its
container starts, before any API answers.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError
from floe_tests.environments.provider import FoundCluster
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

_CLUSTER = "io.x-k8s.kind.cluster"
_CONTROL_PLANE = "control-plane"
_CONTAINER = (
    f'{{{{.Label "{_CLUSTER}"}}}}\t{{{{.Label "io.x-k8s.kind.role"}}}}\t'
    "{{.Names}}\t{{.CreatedAt}}\t{{.ID}}"
)
_LIST = (
    *("docker", "ps", "--all", "--no-trunc", "--filter", f"label={_CLUSTER}"),
    *("--format", _CONTAINER),
)
# Source: https://github.com/kubernetes-sigs/kind/blob/v0.30.0/pkg/cluster/internal/create/actions/config/config.go
_CONFIGURATION = "/kind/kubeadm.conf"
_LABEL = re.compile(r"(floe-tests/[a-z-]+)=([A-Za-z0-9_.-]*)")


@dataclass(frozen=True)
class KindCluster(FoundCluster):
    """A kind cluster as Docker knows it; it is created when its first container is.

    Attributes:
        node: Container of a control plane; of any node when there is none yet.
        node_id: Docker's own id of that container: its name may be another's later.
    """

    node: str = ""
    node_id: str = ""

    @property
    def access(self) -> KindAccess:
        """How it is reached by hand."""
        return KindAccess(cluster=self.name, node=self.node)


@dataclass(frozen=True)
class KindAccess(ClusterAccess):
    """A kind cluster reached by its name: whose kubeconfig it was, and where, does not matter.

    Attributes:
        cluster: Name of the kind cluster.
        node: Container of its control plane.
    """

    cluster: str = ""
    node: str = ""

    def kubectl(self, *words: str) -> str:
        """Return a command that needs no kubeconfig on this machine."""
        command = ["docker exec", self.node, "kubectl --kubeconfig /etc/kubernetes/admin.conf"]
        return " ".join([*command, *words])


def kind_clusters(*, deadline: Deadline) -> tuple[KindCluster, ...]:
    """Find the kind clusters of this machine's Docker, also stopped and half-made ones.

    Raises:
        ConfigurationError: docker is not on PATH.
        InfrastructureError: Docker does not answer.
    """
    containers = program.run(
        _LIST,
        deadline=deadline,
    )
    return tuple(
        replace(cluster, labels=_labels_of(cluster.node, deadline=deadline))
        for cluster in clusters_in(containers)
    )


def node_id_of(name: str, *, deadline: Deadline) -> str:
    """Return Docker's id of a kind cluster's control plane; empty when there is no such cluster.

    Raises:
        ConfigurationError: docker is not on PATH.
        InfrastructureError: Docker does not answer.
    """
    found = clusters_in(program.run(_LIST, deadline=deadline))
    return next((cluster.node_id for cluster in found if cluster.name == name), "")


def clusters_in(containers: str) -> tuple[KindCluster, ...]:
    """Return the clusters that nodes belong to, by name; whose they are is not looked up.

    Args:
        containers: A line a container: cluster, role, name, when it was created, id.
    """
    nodes: dict[str, list[tuple[bool, str, datetime, str]]] = {}
    for line in containers.splitlines():
        cluster, role, name, created, container = line.split("\t")
        node = (role != _CONTROL_PLANE, name, _time(created), container)
        nodes.setdefault(cluster, []).append(node)
    return tuple(
        KindCluster(
            name=cluster,
            node=min(found)[1],
            created_at=min(node[2] for node in found),
            node_id=min(found)[3],
        )
        for cluster, found in sorted(nodes.items())
    )


def labels_in(configuration: str) -> Mapping[str, str]:
    """Return the labels of this project that kind's configuration of a node sets."""
    return dict(cast("list[tuple[str, str]]", _LABEL.findall(configuration)))


def connect(cluster: KindCluster, *, deadline: Deadline) -> Kube:
    """Connect to a kind cluster, whoever created it.

    Raises:
        InfrastructureError: It has no API yet, or kind is not there.
    """
    kubeconfig = program.run(
        ["kind", "get", "kubeconfig", "--name", cluster.name], deadline=deadline
    )
    with tempfile.NamedTemporaryFile("w", prefix="floe-tests-") as file:
        file.write(kubeconfig)
        file.flush()
        kube = Kube(ClusterAccess(kubeconfig=file.name))
    # The file is gone, and messages are to name a command that works.
    kube.access = cluster.access
    return kube


def _labels_of(node: str, *, deadline: Deadline) -> Mapping[str, str] | None:
    try:
        # An archive of one file; `docker exec cat` would need the node to run.
        configuration = program.run(
            ["docker", "cp", f"{node}:{_CONFIGURATION}", "-"], deadline=deadline
        )
    except FloeTestsError:
        return None
    return labels_in(configuration)


def _time(text: str) -> datetime:
    # `2026-11-24 08:53:45 +0000 UTC`: the name of the zone says nothing that the offset does not.
    return datetime.strptime(" ".join(text.split()[:3]), "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
