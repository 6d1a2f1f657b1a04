"""What kind and Docker say is there."""

from __future__ import annotations

import os
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


def enforcing_node_image() -> str | None:
    """A node image whose network enforces NetworkPolicies, without the prefix.

    Returns:
        None when Docker does not have it: `airgap/run node --cilium` builds it.
    """
    name = "kindest/node:v1.34.2-cilium"
    image = f"{os.environ.get('IMAGE_REGISTRY_PREFIX', '')}{name}"
    command = ["docker", "image", "inspect", image]
    return (
        name if subprocess.run(command, check=False, capture_output=True).returncode == 0 else None
    )
