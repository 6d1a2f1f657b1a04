"""The StateFun tier as its users run it: from nothing, every image from where it was said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from floe_tests.results.cases import CaseOutcome
from floe_tests.results.formats import junit

from .conftest import ROOT
from .dagster_job import DagsterJob, Place
from .kind_clusters import enforcing_node_image, kind_clusters

OWN_CLUSTER = "floe-tests"
RUN_SECONDS = 900
# StateFun 3.3 knows no ARNs.
NO_ARNS = "test_streams_are_addressed_by_arn"
# The network of a plain kind cluster enforces no policies.
NO_POLICIES = "test_test_pods_cannot_reach_the_functions"
RESULT_TOPICS = {"counter.results", "ttl.results", "greeter.results", "dead-letters"}
KAFKA = "apache/kafka:3.9.0"


# The tier's own deadlines come first, also beside other clusters.
@pytest.mark.timeout(1800)
def test_both_suites_pass_from_nothing_and_leave_nothing(tmp_path: Path) -> None:
    assert OWN_CLUSTER not in kind_clusters(), (
        f"left over: kind delete cluster --name {OWN_CLUSTER}"
    )
    enforcing = enforcing_node_image()
    variables = {"FLOE_TESTS_CLUSTER": "kind"}
    if enforcing is not None:
        variables["FLOE_TESTS_KIND_IMAGE"] = enforcing
    with DagsterJob(
        "floe_tests.definitions",
        "statefun",
        directory=ROOT,
        place=Place.below(tmp_path),
        environment=variables,
    ) as process:
        process.wait_for("tests collected", timeout_seconds=RUN_SECONDS)
        topics = topics_from_outside(process)
        assert process.wait(timeout_seconds=RUN_SECONDS) == 0

    assert topics > RESULT_TOPICS
    summary = process.summary()
    assert (summary.cause, summary.failed) == ("PASS", 0)
    remembered = process.remembered()
    assert [suite.name for suite in remembered.suites] == ["kafka", "kinesis"]
    skipped = {
        # Both suites have it: the second is `... #2`.
        case.name.rpartition("::")[2].partition(" ")[0]
        for case in junit.read(summary.junit)
        if case.outcome is CaseOutcome.SKIPPED
    }
    assert skipped == {NO_ARNS} | ({NO_POLICIES} if enforcing is None else set())
    images = [
        image for release in remembered.platform["releases"] for image, _digest in release["images"]
    ]
    prefix = os.environ.get("IMAGE_REGISTRY_PREFIX", "")
    assert len(images) >= 5
    assert all(image.startswith(prefix) for image in images), images
    logs = summary.junit.parent / "runs" / process.run_id / "platform-logs"
    assert {log.name.split("-")[0] for log in logs.iterdir()} >= {
        "flink",
        "functions",
        "kafka",
        "localstack",
        "statefun",
    }
    assert OWN_CLUSTER not in kind_clusters()


def topics_from_outside(process: DagsterJob) -> set[str]:
    """Ask Kafka's external listener for its topics, as a program of this machine would."""
    image = f"{os.environ.get('IMAGE_REGISTRY_PREFIX', '')}{KAFKA}"
    client = ["docker", "run", "--rm", "--network", "host", image, "/opt/kafka/bin/kafka-topics.sh"]
    with port_forward(process, "service/kafka", 9094):
        listed = subprocess.run(
            [*client, "--bootstrap-server", "localhost:9094", "--list"],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    return set(listed.stdout.split())


@contextmanager
def port_forward(process: DagsterJob, target: str, port: int) -> Iterator[None]:
    """Forward a port of this machine to the run's cluster, for a while."""
    (kubeconfig,) = process.place.home.glob(f"**/{process.run_id}/kubeconfig")
    namespace = f"floe-test-{process.run_id[:8]}"
    kubectl = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", namespace]
    command = [*kubectl, "port-forward", target, f"{port}:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            # It says so once it listens.
            assert "Forwarding" in forwarding.stdout.readline()
            yield
        finally:
            forwarding.terminate()
