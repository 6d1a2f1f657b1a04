"""A cluster with pods, and runs of suites on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.config.suite import ShardSettings
from floe_tests.config.test_job import load_template
from floe_tests.core.labels import Owner
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.job_run import JobRun
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.resume import Resume
from floe_tests.execution.sharding.plan import balanced
from floe_tests.execution.sharding.sharded_run import ShardedRun
from floe_tests.execution.sharding.suite_job import ShardedSuite
from floe_tests.kube.access import ClusterAccess
from tests.support.kube_api import write_kubeconfig
from tests.support.pod_cluster import Handler, PodCluster, sent_by_exporter

JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: suite}
spec:
  template:
    spec:
      containers:
        - name: tests
          image: ghcr.io/team/tests:1
          command: [pytest]
          volumeMounts: [{name: results, mountPath: /results}]
      volumes: [{name: results, emptyDir: {}}]
"""
RUN = "01234567-run"
NAME = "suite-01234567-1"


@dataclass
class Clock:
    """A monotonic clock that a test can put forward, and that may run fast."""

    ahead_seconds: float = 0.0
    rate: float = 1.0

    def __call__(self) -> float:
        return self.rate * time.monotonic() + self.ahead_seconds

    def advance(self, seconds: float) -> None:
        self.ahead_seconds += seconds


@dataclass
class Runs:
    """Runs a suite on the cluster, each time as a process of its own would."""

    cluster: PodCluster
    folder: Path
    log: list[str] = field(default_factory=list)
    on_line: Callable[[str], object] = field(default=lambda _: None)
    clock: Clock = field(default_factory=Clock)

    def say(self, line: str) -> None:
        self.log.append(line)
        self.on_line(line)

    def spec(self, **deadlines: float) -> AttemptSpec:
        return AttemptSpec(
            owner=Owner(RUN, "tier", "main", "1", datetime.now(UTC) + timedelta(hours=1)),
            suite="suite",
            attempt=1,
            namespace="floe-staging",
            provider="context",
            image_registry_prefix="",
            groups=(),
            excluded_groups=(),
            deadlines=DeadlineSettings(**deadlines),
            clock=self.clock,
        )

    def make(self, *, resume: Resume | None = None, text: str = JOB, **seconds: float) -> JobRun:
        """Make an attempt at the suite in one pod."""
        file = self.folder / "test-job.yaml"
        file.write_text(text)
        return JobRun(
            self.cluster.kube(),
            load_template(file),
            self.spec(**seconds),
            directory=self.folder / "suite-1",
            log=self.say,
            resume=resume,
        )

    def make_sharded(
        self, count: int = 3, *, resume: Resume | None = None, text: str = JOB, **seconds: float
    ) -> ShardedRun:
        """Make an attempt at the suite in shards."""
        file = self.folder / "test-job.yaml"
        file.write_text(text)
        return ShardedRun(
            self.cluster.access,
            ShardedSuite(
                load_template(file),
                self.spec(**seconds),
                ShardSettings(count=count),
                lambda: balanced({}, count=count),
            ),
            directory=self.folder / "suite-1",
            log=self.say,
            resume=resume,
        )

    def advance_at(self, words: str, *, seconds: float) -> None:
        """Put the clock forward when the run says so."""
        self.on_line = lambda line: self.clock.advance(seconds) if words in line else None

    def run(self, **options: Any) -> Attempt:
        """Run the suite in one pod to its end."""
        return self.make(**options).run(record=lambda _: None)

    def run_sharded(self, count: int = 3, **options: Any) -> Attempt:
        """Run the suite in shards to its end."""
        return self.make_sharded(count, **options).run(record=lambda _: None)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PodCluster]:
    """Return a cluster with one namespace and one node."""
    kubeconfig = tmp_path / "kubeconfig"
    made = PodCluster(ClusterAccess(str(kubeconfig), "test"), watch_seconds=0.2)
    handler = type("PodHandler", (Handler,), {"cluster": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        write_kubeconfig(kubeconfig, f"http://127.0.0.1:{server.server_port}")
        made.put("nodes", "one", status={"conditions": [{"type": "Ready", "status": "True"}]})
        yield made
        with made.changed:
            made.closing = True
            made.changed.notify_all()
        server.shutdown()
        thread.join()


@pytest.fixture
def runs(cluster: PodCluster, tmp_path: Path) -> Runs:
    """Return what runs suites on the cluster."""
    return Runs(cluster, tmp_path)


@pytest.fixture(scope="session")
def passing(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return what the exporter of a suite that passes writes."""
    return sent_by_exporter(tmp_path_factory.mktemp("passing"))


@pytest.fixture(scope="session")
def failing(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return what the exporter of a suite with a failure writes."""
    return sent_by_exporter(tmp_path_factory.mktemp("failing"), failing=1)
