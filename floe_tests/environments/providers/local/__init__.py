"""The environment `local`: processes of this machine, without Docker and Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.config.providers import Capabilities
from floe_tests.environments.provider import Provider

if TYPE_CHECKING:
    from floe_tests.core.ledger import Ledger
    from floe_tests.core.log import Log
    from floe_tests.environments.environment import Environment


class LocalProvider(Provider):
    """Runs tiers as processes of this machine."""

    name = "local"
    description = "as processes of this machine"
    capabilities = Capabilities(is_cluster=False, outlives_process=False, extras=("local",))

    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        """Return the environment for runs."""
        from floe_tests.environments.processes import ProcessEnvironment

        return ProcessEnvironment(ledger=ledger, log=log)
