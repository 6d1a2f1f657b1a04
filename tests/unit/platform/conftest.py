"""A small cluster that remembers."""

from __future__ import annotations

from tests.support.small_cluster import cluster

__all__ = ["cluster"]
