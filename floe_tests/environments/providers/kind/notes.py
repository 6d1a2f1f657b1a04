"""What a run notes of a kind cluster that it creates: later it proves whose the cluster is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

CREATED = "_kind"


@dataclass(frozen=True)
class CreatedCluster:
    """A kind cluster that a run of ours created.

    Attributes:
        cluster_id: The run that created it.
        created_at: When (UTC).
        node_id: Docker's id of its node; empty until it was up.
    """

    cluster_id: str
    created_at: datetime
    node_id: str = ""

    def is_of(self, node_id: str) -> bool:
        """Return whether a cluster of that name is the one that was created, as far as is known.

        Args:
            node_id: Docker's id of the cluster's node.
        """
        return not self.node_id or self.node_id == node_id
