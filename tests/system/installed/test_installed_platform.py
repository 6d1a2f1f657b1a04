"""Runs on a platform that others have installed: what they do there, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from floe_tests.environments.cluster_holder import held_by
from floe_tests.environments.cluster_lock import ClusterBusyError
from floe_tests.environments.lease import Lease
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.run import TierRun

from ..conftest import SmallTier, job  # noqa: TID252 - suites are folders
from .conftest import INSTALLED, NAMESPACE, RELEASE

TWO = """
    import os
    def test_reaches_the_platform():
        assert os.environ["FLOE_TESTS_PROVIDER"] == "context"
    def test_passes(): pass
"""


def pods_of_platform(kube: Kube) -> dict[str, tuple[str, int]]:
    pods = kube.list(
        "Pod", namespace=NAMESPACE, label_selector=f"app.kubernetes.io/instance={RELEASE}"
    )
    return {pod["metadata"]["name"]: (pod["metadata"]["uid"], _restarts(pod)) for pod in pods}


def _restarts(pod: JsonObject) -> int:
    return sum(item["restartCount"] for item in pod["status"].get("containerStatuses", []))


@pytest.mark.usefixtures("platform")
def test_a_run_uses_the_platform_and_leaves_it_as_it_was(
    small_tier: SmallTier, kube: Kube, lease_of: Callable[[TierRun], Lease]
) -> None:
    run = small_tier.prepare(job(TWO), installed=INSTALLED)
    with run.stage("cluster"):
        run.acquire()
    with run.stage("platform"):
        installed = run.install()
    before = pods_of_platform(kube)
    daemon = say_in_a_daemon(kube)
    with run.stage("test_job"):
        run.run_suites()
    published = publish(run.state())
    run.give_back()

    assert published.verdict.cause == "PASS", published.verdict
    assert [suite.results.tally.passed for suite in published.suites] == [2]
    assert pods_of_platform(kube) == before
    assert installed.fingerprint is not None
    assert installed.fingerprint.chart.startswith("floe-platform-")
    assert installed.fingerprint.digests
    assert held_by(kube, NAMESPACE) is None
    lease = lease_of(run)
    assert (lease.state, lease.namespace, lease.installed) == ("released", NAMESPACE, True)
    logs = {path.name: path.read_text() for path in published.directory.glob("platform-logs/*")}
    said = logs[f"{daemon}-daemon.log"]
    assert "said while the run went on" in said
    assert "Instance is configured" not in said, "that was before the run began"
    assert all(name.startswith("dagster-") for name in logs), "other pods are not its platform"


def say_in_a_daemon(kube: Kube) -> str:
    """Let the platform's daemon write a line, as if it had something to say."""
    names = [name for name in pods_of_platform(kube) if "daemon" in name]
    line = ["sh", "-c", "echo said while the run went on > /proc/1/fd/1"]
    list(kube.run_in(names[0], line, namespace=NAMESPACE, container="daemon", seconds=20))
    return names[0]


@pytest.mark.usefixtures("platform")
def test_of_two_runs_the_second_waits_and_is_told_who_has_the_cluster(
    small_tier: SmallTier, kube: Kube
) -> None:
    manifest = job(TWO)
    first = small_tier.prepare(manifest, installed=INSTALLED)
    second = small_tier.prepare(manifest, installed={**INSTALLED, "wait_seconds": 3})
    with first.stage("cluster"):
        first.acquire()
    try:
        with pytest.raises(ClusterBusyError), second.stage("cluster"):
            second.acquire()
        verdict = publish(second.state()).verdict
        assert verdict.fault == "infrastructure"
        assert f"small/{first.run_id}@" in str(verdict)
        second.give_back()
        holder = held_by(kube, NAMESPACE)
        assert holder is not None
        assert holder.run_id == first.run_id, "a run that waited in vain takes nothing away"
    finally:
        first.give_back()
    assert held_by(kube, NAMESPACE) is None
    third = small_tier.prepare(manifest, installed={**INSTALLED, "wait_seconds": 3})
    with third.stage("cluster"):
        third.acquire()
    third.give_back()
