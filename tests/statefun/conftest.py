"""Fixtures of the StateFun suites: the cluster, the job, and the ways into and out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.cluster import Cluster
from platform_suite.fixtures import own_pod, policies

from .aws import Objects, Streams
from .flink import Flink
from .kafka_records import Commands, Results

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["own_pod", "policies"]

RUNNING_SECONDS = 90.0


def pytest_configure(config: pytest.Config) -> None:
    """Register this suite's own markers."""
    for marker in (
        "kafka: Kafka, the functions behind it and the job around them",
        "kinesis: Kinesis, the functions behind it and the job around them",
    ):
        config.addinivalue_line("markers", marker)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The release `statefun` around this pod."""
    return Cluster.of_this_pod("statefun")


@pytest.fixture(scope="session")
def flink() -> Flink:
    """The job, with all of its tasks running."""
    job = Flink.of_this_pod()
    job.wait_until_running(deadline_seconds=RUNNING_SECONDS)
    return job


@pytest.fixture(scope="session")
def objects() -> Objects:
    """S3."""
    return Objects()


@pytest.fixture(scope="session")
def streams() -> Streams:
    """Kinesis."""
    return Streams()


@pytest.fixture(scope="session")
def commands() -> Commands:
    """Kafka's way into the job."""
    return Commands.of_this_pod()


@pytest.fixture(scope="session")
def results() -> Iterator[Results]:
    """Everything that the job has written to Kafka."""
    collected = Results.of_this_pod()
    collected.start()
    yield collected
    collected.stop()
