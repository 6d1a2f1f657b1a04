"""The environment `context`: an existing cluster, in which each run creates its own namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.config.providers import Capabilities, TierOfProvider
from floe_tests.environments.provider import Provider
from floe_tests.environments.providers.context.settings import ContextSettings
from floe_tests.kube.access import ClusterAccess

if TYPE_CHECKING:
    from floe_tests.config.tier import TierSettings
    from floe_tests.core.ledger import Ledger
    from floe_tests.core.log import Log
    from floe_tests.environments.environment import Environment


class ContextProvider(Provider):
    """Runs tiers on a cluster that a kubeconfig names, or on the one around this pod."""

    name = "context"
    description = "on an existing cluster"
    capabilities = Capabilities(can_have_installed=True)
    settings = ContextSettings

    def access(self, tier: TierOfProvider) -> ClusterAccess:
        """Return how the tier's settings, or else KUBECONFIG, reach the cluster."""
        own = tier.settings_of(self.name, ContextSettings)
        return ClusterAccess(own.kubeconfig, own.context)

    def kube_version(self, tier: TierSettings) -> str | None:
        """Return the cluster's version."""
        from floe_tests.kube.client import Kube

        return Kube(self.access(tier)).server_version()

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        """Return the environment for runs."""
        from floe_tests.environments.existing_cluster import ExistingClusterEnvironment

        return ExistingClusterEnvironment(self, ledger=ledger, log=log)
