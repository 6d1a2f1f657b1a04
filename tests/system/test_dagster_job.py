"""A tier as a CI runs it: the exit code is the gate, and nothing of the run is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube
from floe_tests.results.cases import Tally
from floe_tests.results.formats import junit

from .conftest import CLUSTER, job
from .dagster_job import DagsterJob, Place, write_project
from .kind_clusters import kind_clusters, no_container_left

# 30 tests, so that one broken one is a failure and not a suspicion against the environment.
SUITE = """
    import pytest
    @pytest.mark.parametrize("number", range(30))
    def test_number(number): pass
    @pytest.mark.broken
    def test_broken(): assert 1 == 2, "one is not two"
"""
IMAGES = ["ghcr.io/floe/test-runner:0.1.0", "ghcr.io/floe/test-exporter:0.1.0"]
OWN_CLUSTER = f"{CLUSTER}-own"


@pytest.mark.parametrize(
    ("excluded", "exit_code", "cause"),
    [
        pytest.param(["broken"], 0, "PASS", id="green without the broken group"),
        pytest.param([], 1, "TEST_FAILURE", id="red with it"),
    ],
)
def test_the_exit_code_is_the_verdict_and_the_junit_has_what_the_pod_saw(
    tmp_path: Path, kube: Kube, excluded: list[str], exit_code: int, cause: str
) -> None:
    project = write_project(tmp_path / "project", job(SUITE), kind={"cluster": CLUSTER})
    config = {"ops": {"small__cluster": {"config": {"excluded_groups": excluded}}}}
    with DagsterJob(
        "small_project.definitions",
        "small",
        directory=project,
        place=Place.below(tmp_path),
        config=config,
    ) as process:
        assert process.wait(timeout_seconds=120) == exit_code

    summary = process.summary()
    assert (summary.cause, summary.passed) == (cause, 30)
    assert Tally.of(junit.read(summary.junit)) == Tally.of(
        junit.read(process.received("suite", "junit.xml"))
    )
    remembered = process.remembered()
    assert (remembered.cause, remembered.provider) == (cause, "kind")
    assert remembered.suites[0].tally == Tally.of(junit.read(summary.junit))
    if exit_code:
        assert summary.failures == ("test_suite::test_broken",)
        assert "FAILED test_suite::test_broken" in process.output
        assert "one is not two" in summary.junit.read_text()
    else:
        assert "30 reported, checksums match: 30 passed" in " ".join(map(str, summary.evidence))
    assert kube.list("Namespace", label_selector=RUN) == []
    assert CLUSTER in kind_clusters(), "a cluster that was there before was deleted"


def test_two_runs_at_once_share_a_new_cluster_and_the_last_one_deletes_it(tmp_path: Path) -> None:
    assert OWN_CLUSTER not in kind_clusters()
    place = Place.below(tmp_path)
    kind = {"cluster": OWN_CLUSTER, "load_images": IMAGES}
    red = write_project(tmp_path / "red", job("def test_bad(): assert False"), kind=kind)
    green = write_project(tmp_path / "green", job("def test_good(): pass"), kind=kind)
    with (
        DagsterJob(
            "small_project.definitions",
            "small",
            directory=red,
            place=Place(place.home, tmp_path / "red-output"),
        ) as first,
        DagsterJob(
            "small_project.definitions",
            "small",
            directory=green,
            place=Place(place.home, tmp_path / "green-output"),
        ) as second,
    ):
        assert first.wait(timeout_seconds=240) == 1
        assert second.wait(timeout_seconds=240) == 0

    assert (first.summary().cause, second.summary().cause) == ("TEST_FAILURE", "PASS")
    both = first.output + second.output
    assert both.count(f"kind create cluster --name {OWN_CLUSTER}") == 1
    assert both.count(f"kind delete cluster --name {OWN_CLUSTER}") == 1
    assert OWN_CLUSTER not in kind_clusters()
    assert no_container_left(OWN_CLUSTER)
