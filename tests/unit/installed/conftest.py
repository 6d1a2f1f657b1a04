"""A cluster of a few lines that remembers, for what runs do beside an installed platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .small_cluster import Cluster, serving


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster with the namespace of an installed platform."""
    with serving(tmp_path) as made:
        yield made
