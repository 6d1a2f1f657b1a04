"""Which existing cluster a tier runs on."""

from __future__ import annotations

from pydantic import Field

from floe_tests.config.providers import EnvironmentSettings


class ContextSettings(EnvironmentSettings):
    """An existing cluster."""

    kubeconfig: str | None = Field(
        default=None,
        description="Path of the kubeconfig; default: KUBECONFIG, then ~/.kube/config.",
    )
    context: str | None = Field(
        default=None,
        description="Context in it; default: the current one, or the in-cluster account.",
    )
