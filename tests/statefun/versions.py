"""Which versions run: said by their images, as the pods have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster


def statefun_version(cluster: Cluster) -> str:
    """Return StateFun's version."""
    return image_version(cluster, "jobmanager")


def image_version(cluster: Cluster, role: str) -> str:
    """Return the tag of the image that a role's first pod runs."""
    (pod, *_) = cluster.release_pods(role)
    (image, *_) = (container.image for container in pod.containers if not container.is_init)
    return image.rpartition(":")[2]
