"""Settings of where a tier runs: its environments, and the platform that is there already."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from floe_tests.config.base import DnsLabel, Settings

EnvironmentName = Literal["local", "kind", "context"]
Keep = Literal["never", "on_failure", "always"]
# Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
PodSecurity = Literal["restricted", "baseline", "privileged"]

_KUBERNETES_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")


class KindSettings(Settings):
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

    @property
    def kubernetes_version(self) -> str | None:
        """The node image's version of Kubernetes; None when its tag does not say."""
        match = _KUBERNETES_VERSION.match(self.node_image.rpartition(":")[2])
        return match[0] if match else None


class ContextSettings(Settings):
    """An existing cluster."""

    kubeconfig: str | None = Field(
        default=None,
        description="Path of the kubeconfig; default: KUBECONFIG, then ~/.kube/config.",
    )
    context: str | None = Field(
        default=None,
        description="Context in it; default: the current one, or the in-cluster account.",
    )


class EmbeddedSettings(Settings):
    """The platform that `local` runs as processes of this machine."""

    code: str = Field(
        description="Folder with the platform's code location, relative to the project."
    )
    ready_seconds: float = Field(
        default=90, gt=0, description="Deadline until it answers, in seconds."
    )


class InstalledSettings(Settings):
    """A platform that is there before a run and stays after it: looked at, never installed."""

    release: DnsLabel = Field(
        description="Name of the Helm release. What belongs to it is read from helm's record, or, "
        "where the account may not read Secrets, from helm's annotations on its objects."
    )
    namespace: DnsLabel = Field(
        description="Where it is, and where the tier's Jobs run; neither created nor deleted."
    )
    ready_seconds: float = Field(
        default=120,
        gt=0,
        description="How long a rollout that is under way is waited for, in seconds.",
    )
    wait_seconds: float = Field(
        default=600,
        gt=0,
        description="How long a run waits for another that holds the cluster, in seconds.",
    )
