"""Fixtures of every suite that tests floe-platform; a suite's conftest.py imports what it uses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .dagster_answers import Location
from .dagster_api import DagsterApi
from .deadline import wait_for
from .run_watch import RunWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .cluster import Cluster, Pod

# A run takes about four seconds of two cores, and a dozen may be in the queue before it. Below the
# test's own timeout, so that a wait ends with the state it saw.
RUN_DEADLINE_SECONDS = 100.0
# From a warm start the platform is up already; after an install a location may still be loading.
PLATFORM_DEADLINE_SECONDS = 60.0


@pytest.fixture(scope="session")
def dagster_host() -> str:
    """The webserver's host name, as the Job names it."""
    host = os.environ.get("DAGSTER_HOST")
    if not host:
        pytest.fail(
            "DAGSTER_HOST is not set: these tests need a running platform. Run them through "
            "`floe-tests run TIER`, or apply the test-job.yaml of their suite.",
            pytrace=False,
        )
    return host


@pytest.fixture(scope="session")
def dagster(dagster_host: str) -> Iterator[DagsterApi]:
    """The API of the platform under test, with its code location loaded."""
    port = os.environ.get("DAGSTER_PORT", "80")
    api = DagsterApi(f"http://{dagster_host}:{port}")
    # /server_info answers before the location is loaded, and a launch before that is refused.
    wait_for(
        api.location,
        what=f"code location at {api.base_url}",
        deadline_seconds=PLATFORM_DEADLINE_SECONDS,
    )
    yield api
    api.close()


@pytest.fixture(scope="session")
def location(dagster: DagsterApi) -> Location:
    """The code location."""
    return dagster.location()


@pytest.fixture(scope="session")
def runs(dagster: DagsterApi) -> RunWatch:
    """The watch on all runs of this session."""
    return RunWatch(dagster, deadline_seconds=RUN_DEADLINE_SECONDS)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster around this pod, with the rights of the pod's own ServiceAccount."""
    # The Kubernetes client takes a second to import, which a laptop without a cluster can spare.
    from .cluster import Cluster

    return Cluster.of_this_pod()


@pytest.fixture(scope="session")
def policies(cluster: Cluster) -> tuple[Mapping[str, object], ...]:
    """The namespace's NetworkPolicies."""
    return cluster.network_policies()


@pytest.fixture
def own_pod(cluster: Cluster) -> Pod:
    """The pod that these tests run in."""
    return cluster.pod(os.environ["POD_NAME"])


@pytest.fixture
def roles(cluster: Cluster) -> Mapping[str, Pod]:
    """One ready pod of each role of the release, by role."""
    return {pod.component: pod for pod in cluster.release_pods() if pod.is_ready}
