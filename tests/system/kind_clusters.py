"""What kind and Docker say is there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from floe_tests.core.registry import ask

PREFIX = os.environ.get("IMAGE_REGISTRY_PREFIX", "")
TEST_IMAGE = "ghcr.io/floe/test-runner:0.1.0"
_BUILD = Path(__file__).resolve().parents[2] / "images" / "build"


def kind_clusters() -> list[str]:
    """The kind clusters of this machine."""
    command = ["kind", "get", "clusters"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def load_images(cluster: str, *names: str) -> None:
    """Build the project's images and load them, where nodes cannot pull them.

    Args:
        cluster: The kind cluster.
        names: Which images; all when none is named.
    """
    # A mirror of the world's registries does not have them; that of `airgap/run` does.
    if not PREFIX or ask(f"{PREFIX}{TEST_IMAGE}")[0] == "missing":
        subprocess.run([str(_BUILD), "--load", cluster, *names], check=True)


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
    image = f"{PREFIX}{name}"
    command = ["docker", "image", "inspect", image]
    return (
        name if subprocess.run(command, check=False, capture_output=True).returncode == 0 else None
    )
