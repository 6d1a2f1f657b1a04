"""A bench for each fault, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube

from ..conftest import SmallTier  # noqa: TID252 - suites are folders, not packages
from ..fault_table import Row  # noqa: TID252
from .bench import FaultBench


@pytest.fixture
def bench(
    tmp_path: Path, kubeconfig: Path, kube: Kube, fault_table: list[Row]
) -> Iterator[FaultBench]:
    """The shared one-node cluster; nothing of a run may be left in it."""
    yield from bench_on(SmallTier(tmp_path / "project", kubeconfig), kube, fault_table)


def bench_on(tier: SmallTier, kube: Kube, table: list[Row]) -> Iterator[FaultBench]:
    """Return a bench, and count afterwards what its runs have left."""
    made = FaultBench(tier, kube, table)
    yield made
    made.abandon()
    left = [
        f"{kind} {item['metadata']['name']}"
        for kind in ("Namespace", "Job", "Pod")
        for item in kube.list(kind, label_selector=RUN)
    ]
    for row in made.own_rows:
        row.left = len(left)
    assert left == []
