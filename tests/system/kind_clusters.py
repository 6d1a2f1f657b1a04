"""What kind and Docker say is there."""

from __future__ import annotations

import subprocess


def kind_clusters() -> list[str]:
    """The kind clusters of this machine."""
    command = ["kind", "get", "clusters"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def no_container_left(cluster: str) -> bool:
    """Whether Docker has no node of a cluster, not even a stopped one."""
    label = f"label=io.x-k8s.kind.cluster={cluster}"
    command = ["docker", "ps", "--all", "--quiet", "--filter", label]
    return not subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
