"""The integration tier on a real cluster: as one command, and by hand as the README has it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from floe_tests.deadline import Deadline
from floe_tests.kube import Kube, parts
from floe_tests.results import junit
from floe_tests.results.cases import Tally

from .conftest import ROOT
from .dagster_job import DagsterJob, Place
from .kind_clusters import kind_clusters, no_container_left

TIER_CLUSTER = "floe-tests"
NAMESPACE = "floe-test"
JOB = "floe-integration-tests"


def test_one_command_goes_from_no_cluster_to_a_verdict_and_leaves_no_cluster(
    tmp_path: Path,
) -> None:
    assert TIER_CLUSTER not in kind_clusters(), (
        f"the tier would use the cluster that is there and leave it: kind delete cluster --name {TIER_CLUSTER}"
    )
    with DagsterJob(
        "floe_tests.definitions",
        "integration",
        directory=ROOT,
        place=Place.below(tmp_path),
        environment={"FLOE_TESTS_CLUSTER": "kind"},
    ) as process:
        assert process.wait(timeout_seconds=420) == 0

    summary = process.summary()
    assert (summary.cause, summary.provider, summary.failed) == ("PASS", "kind", 0)
    exported, seen = (
        junit.read(path) for path in (summary.junit, process.received("integration", "junit.xml"))
    )
    assert Tally.of(exported) == Tally.of(seen)
    assert [case.name for case in exported] == [case.name for case in seen]
    assert summary.passed >= 15
    assert process.remembered().cause == "PASS"
    assert set(summary.stage_seconds) >= {"cluster", "platform", "test_job"}
    assert TIER_CLUSTER not in kind_clusters()
    assert no_container_left(TIER_CLUSTER)


@pytest.fixture
def minimal_platform(kubeconfig: Path) -> Iterator[Path]:
    """floe-platform in its minimal form, installed by hand; the kubeconfig that reaches it."""
    prefix = os.environ.get("IMAGE_REGISTRY_PREFIX", "")
    helm = ["helm", "--kubeconfig", str(kubeconfig), "--namespace", NAMESPACE]
    install = [*helm, "install", "floe-dev", str(ROOT / "charts" / "floe-platform")]
    values = ["--set", "minimal=true", "--set-string", f"global.imageRegistryPrefix={prefix}"]
    try:
        subprocess.run(
            [*install, *values, "--create-namespace", "--wait", "--timeout", "180s"],
            check=True,
            timeout=200,
        )
        yield kubeconfig
    finally:
        kubectl(kubeconfig, "delete", "namespace", NAMESPACE, "--wait", "--timeout=120s")


def kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> str:
    return subprocess.run(
        ["kubectl", "--kubeconfig", str(kubeconfig), *words],
        check=True,
        capture_output=True,
        input=stdin,
        text=True,
        timeout=330,
    ).stdout


def test_job_yaml_works_alone_with_kubectl_apply(minimal_platform: Path, kube: Kube) -> None:
    manifest = yaml.safe_load((ROOT / "tests" / "integration" / "test-job.yaml").read_text())
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    # The one thing that a mirror changes, as a kustomization's `images` would.
    container["image"] = os.environ.get("IMAGE_REGISTRY_PREFIX", "") + container["image"]

    kubectl(minimal_platform, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    logs = kubectl(
        minimal_platform, "logs", "-f", f"job/{JOB}", "-n", NAMESPACE, "--pod-running-timeout=120s"
    )

    for jobs in kube.follow("Job", namespace=NAMESPACE, deadline=Deadline(30)):
        ended = {
            item["type"]
            for item in parts(jobs[JOB], "status", "conditions")
            if item["status"] == "True"
        }
        if ended & {"Complete", "Failed"}:
            break
    assert "Complete" in ended, logs
    summary = re.search(r"=+ (?P<passed>\d+) passed.* in [\d.]+s", logs)
    assert summary, logs
    assert int(summary["passed"]) >= 15
    assert "failed" not in summary[0]
