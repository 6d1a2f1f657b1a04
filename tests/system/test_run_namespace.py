"""The namespace that a run gets: restricted, within its budget, labelled for whoever cleans up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.core import labels
from floe_tests.environments.lease import Lease
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.pipeline.run import TierRun

from .conftest import SmallTier, job


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, kubeconfig: Path) -> Iterator[TierRun]:
    """A run that has its namespace and no tests yet."""
    tier = SmallTier(tmp_path_factory.mktemp("namespace") / "project", kubeconfig)
    run = tier.prepare(job(""), budget={"memory": "1Gi", "minutes": 5})
    try:
        with run.stage("cluster"):
            run.acquire()
        yield run
    finally:
        run.give_back()


@pytest.fixture(scope="module")
def lease(run: TierRun) -> Lease:
    return run.lease()


def pod(**container: object) -> dict[str, object]:
    spec = job("", **container)["spec"]["template"]["spec"]  # type: ignore[index]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "intruder"}, "spec": spec}


def test_everything_says_whose_it_is_and_when_it_may_go(
    kube: Kube, run: TierRun, lease: Lease
) -> None:
    namespace = kube.get("Namespace", lease.namespace)
    assert namespace is not None
    found = namespace["metadata"]["labels"]
    assert found[labels.RUN] == run.run_id
    assert found[labels.TIER] == "small"
    assert found[labels.REF] == "refs-heads-system"
    assert int(found[labels.EXPIRES]) > datetime.now(UTC).timestamp()


def test_a_privileged_pod_is_refused_by_pod_security(kube: Kube, lease: Lease) -> None:
    privileged = pod(securityContext={"privileged": True})
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        kube.create(privileged, namespace=lease.namespace)


def test_a_pod_beyond_the_budget_is_refused_by_the_quota(kube: Kube, lease: Lease) -> None:
    memory = {"requests": {"memory": "64Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
    with pytest.raises(RefusedError, match="exceeded quota: floe-tests-budget"):
        kube.create(pod(resources=memory), namespace=lease.namespace)
