"""How the kind cluster of a tier is created."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from pydantic import Field

from floe_tests.config.base import DnsLabel
from floe_tests.config.providers import EnvironmentSettings

_KUBERNETES_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")


class KindSettings(EnvironmentSettings):
    """The kind cluster of a tier."""

    cluster: DnsLabel = Field(default="floe-tests", description="Name of the kind cluster.")
    node_image: str = Field(
        default="kindest/node:v1.34.2",
        description="Image of the node; the registry prefix goes before it.",
    )
    workers: int = Field(
        default=0, ge=0, le=10, description="Worker nodes beside the control plane."
    )
    load_images: tuple[str, ...] = Field(
        default=(),
        description="Images loaded into the node when the local Docker has them, unless the "
        "registry prefix is a registry of this machine.",
    )

    def with_variables(self, variables: Mapping[str, str]) -> Self:
        """Return the settings with the node image that FLOE_TESTS_KIND_IMAGE names."""
        image = variables.get("FLOE_TESTS_KIND_IMAGE")
        return self.model_copy(update={"node_image": image}) if image else self

    @property
    def kubernetes_version(self) -> str | None:
        """The node image's version of Kubernetes; None when its tag does not say."""
        match = _KUBERNETES_VERSION.match(self.node_image.rpartition(":")[2])
        return match[0] if match else None
