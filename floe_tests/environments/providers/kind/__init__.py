"""The environment `kind`: a kind cluster on this machine, created when it is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.config.providers import Capabilities, RequiredProgram
from floe_tests.environments.provider import Provider, Sighting
from floe_tests.environments.providers.kind.settings import KindSettings

if TYPE_CHECKING:
    from floe_tests.config.project import Workspace
    from floe_tests.config.tier import TierSettings
    from floe_tests.core.ledger import Ledger
    from floe_tests.core.log import Log
    from floe_tests.environments.environment import Environment
    from floe_tests.environments.providers.kind.clusters import KindClusters

_KIND = RequiredProgram(
    "kind",
    ("version",),
    # An older one cannot load images into nodes with containerd 2, as those since Kubernetes 1.32.
    # Source: https://github.com/kubernetes-sigs/kind/issues/3853
    (0, 27, 0),
)


class KindProvider(Provider):
    """Runs tiers on a kind cluster, which runs share and the last of them deletes."""

    name = "kind"
    description = "on a kind cluster that is created if absent"
    capabilities = Capabilities(
        creates_clusters=True, has_own_clock=False, needs_docker=True, programs=(_KIND,)
    )
    settings = KindSettings

    def settings_in(self, tier: TierSettings) -> KindSettings:
        """Return the tier's settings of its kind cluster."""
        return tier.settings_of(self.name, KindSettings)

    def kube_version(self, tier: TierSettings) -> str | None:
        """Return the version of the node image."""
        return self.settings_in(tier).kubernetes_version

    def look(self, tier: TierSettings) -> Sighting:
        """Look for the tier's kind cluster."""
        from floe_tests.environments.providers.kind.sighting import look

        return look(self.settings_in(tier))

    def docker_images(
        self, tier: TierSettings, workspace: Workspace, *, is_there: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the node's image where a run creates the cluster, and what is loaded into it."""
        own = self.settings_in(tier)
        node = () if is_there else (workspace.image(own.node_image),)
        return node, workspace.loaded_images(own.load_images)

    def created_clusters(self, ledger: Ledger) -> KindClusters:
        """Return the kind clusters of this machine's Docker."""
        from floe_tests.environments.providers.kind.clusters import KindClusters

        return KindClusters(ledger)

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        """Return the environment for runs."""
        from floe_tests.environments.providers.kind.environment import KindEnvironment

        return KindEnvironment(ledger=ledger, log=log)
