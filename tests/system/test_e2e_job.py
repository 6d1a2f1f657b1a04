"""The e2e tier as its users run it, on a cluster whose network enforces the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.cases import CaseOutcome
from floe_tests.results.formats import junit

from .conftest import ROOT
from .dagster_job import DagsterJob, Place
from .kind_clusters import enforcing_node_image, kind_clusters

OWN_CLUSTER = "floe-tests"


@pytest.fixture
def node_image() -> str:
    """A node image whose network enforces NetworkPolicies."""
    image = enforcing_node_image()
    if image is None:
        pytest.skip("no node with Cilium here: `airgap/run node --cilium` builds it")
    return image


# The tier's own deadlines come first, also beside other clusters.
@pytest.mark.timeout(1800)
def test_the_whole_platform_passes_from_nothing_and_leaves_nothing(
    tmp_path: Path, node_image: str
) -> None:
    assert OWN_CLUSTER not in kind_clusters(), "left over: kind delete cluster --name floe-tests"
    variables = {"FLOE_TESTS_CLUSTER": "kind", "FLOE_TESTS_KIND_IMAGE": node_image}
    with DagsterJob(
        "floe_tests.definitions",
        "e2e",
        directory=ROOT,
        place=Place.below(tmp_path),
        environment=variables,
    ) as process:
        assert process.wait(timeout_seconds=900) == 0

    summary = process.summary()
    assert (summary.cause, summary.failed) == ("PASS", 0)
    remembered = process.remembered()
    assert [suite.name for suite in remembered.suites] == ["e2e", "upgraded", "rolled-back"]
    assert all(suite.tally.passed >= 10 for suite in remembered.suites)
    cases = {case.name: case for case in junit.read(summary.junit)}
    assert len(cases) >= 25
    skipped = {name: case for name, case in cases.items() if case.outcome is CaseOutcome.SKIPPED}
    # What only Polaris has, where it cannot be had; nothing of the network, which enforces here.
    assert {name.split("::")[0].rpartition(".")[2] for name in skipped} <= {
        "test_polaris",
    }
    received = summary.junit.parent / "runs" / process.run_id
    assert {log.name.split("-")[0] for log in (received / "platform-logs").iterdir()} >= {
        "catalog",
        "cube",
        "dagster",
        "object",
        "postgres",
    }
    assert OWN_CLUSTER not in kind_clusters()
