"""Where releases go: what helm, the watch and the look at an installed platform need to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from floe_tests.config.project import Workspace
from floe_tests.core.log import Log
from floe_tests.kube.access import ClusterAccess


@dataclass(frozen=True)
class Target:
    """Where releases go.

    Attributes:
        access: The cluster.
        namespace: The namespace.
        workspace: Folders and registry prefix.
        directory: Where values and the logs of pods that did not come up are kept.
        log: Receives progress.
    """

    access: ClusterAccess
    namespace: str
    workspace: Workspace
    directory: Path
    log: Log
