"""How a cluster is reached: kubeconfig and context, or the account of this pod."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from floe_tests.core.errors import ConfigurationError


@dataclass(frozen=True)
class ClusterAccess:
    """How a cluster is reached.

    Attributes:
        kubeconfig: Path of a kubeconfig; None for the default one or the in-cluster account.
        context: Context in it; None for its current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    def kubectl(self, *words: str) -> str:
        """Return the kubectl command that reaches the same cluster, for messages."""
        command = ["kubectl"]
        if self.kubeconfig:
            command += ["--kubeconfig", shlex.quote(self.kubeconfig)]
        if self.context:
            command += ["--context", shlex.quote(self.context)]
        return " ".join([*command, *words])

    @property
    def shown(self) -> str:
        """What it is, in words."""
        where = f" in {self.kubeconfig}" if self.kubeconfig else ""
        if self.context:
            return f"context {self.context}{where}"
        return "this pod's account" if not where and _is_in_cluster() else f"current context{where}"

    def pinned(self) -> ClusterAccess:
        """Name the context that is current now, so that a later reader means the same cluster."""
        if self.context is not None or (self.kubeconfig is None and _is_in_cluster()):
            return self
        import kubernetes  # pyright: ignore[reportMissingTypeStubs]

        loader: Any = kubernetes.config
        path = self.kubeconfig and str(Path(self.kubeconfig).expanduser())
        try:
            current: Any = loader.list_kube_config_contexts(config_file=path)[1]
        except (loader.ConfigException, *_UNREADABLE) as error:
            raise _no_cluster(error) from error
        variable = os.environ.get("KUBECONFIG", "")
        # A list of files stays what it is: `kubectl --kubeconfig` takes one.
        file = variable if variable and os.pathsep not in variable else None
        return ClusterAccess(self.kubeconfig or file, str(current["name"]))


# What the client raises on a kubeconfig that is none: no YAML, no mapping, no certificate.
_UNREADABLE = (TypeError, AttributeError, ValueError, OSError, yaml.YAMLError)


def api_client(access: ClusterAccess, connections: int | None = None) -> Any:
    """Return the official client's transport to a cluster; `connections` bounds its pool.

    Raises:
        ConfigurationError: No cluster is configured there.
    """
    import kubernetes  # pyright: ignore[reportMissingTypeStubs]

    loader: Any = kubernetes.config
    configuration: Any = kubernetes.client.Configuration()
    # Retries of single requests would hide an API server that is away; follow() has its own.
    configuration.retries = False
    if connections is not None:
        configuration.connection_pool_maxsize = connections
    try:
        if access.kubeconfig is None and access.context is None and _is_in_cluster():
            loader.load_incluster_config(client_configuration=configuration)
        else:
            path = access.kubeconfig and str(Path(access.kubeconfig).expanduser())
            loader.load_kube_config(
                config_file=path, context=access.context, client_configuration=configuration
            )
    except (loader.ConfigException, *_UNREADABLE) as error:
        raise _no_cluster(error) from error
    return kubernetes.client.ApiClient(configuration)


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def _no_cluster(error: Exception) -> ConfigurationError:
    message = (
        f"no cluster to speak to: {error}. Set the tier's context.kubeconfig and "
        "context.context, or KUBECONFIG; `kubectl config get-contexts` lists what there is."
    )
    return ConfigurationError(message)
