"""An API server that answers by a script, and a small cluster that remembers."""

from __future__ import annotations

from tests.support.kube_api import api, unreachable
from tests.support.small_cluster import cluster

__all__ = ["api", "cluster", "unreachable"]
