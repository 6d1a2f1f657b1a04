"""Hundreds of shards: real pods through a window, fake nodes with faults, and two runs at once."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Self

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

from .conftest import SmallTier, job
from .fake_nodes import ENDLESS, FROZEN, LABELS, LOST, TAINT, fake_nodes
from .faults.bench import RunningRun, pod_of
from .test_shards import suite

pytestmark = pytest.mark.thorough

COUNT = 250
TINY = {"requests": {"cpu": "1m", "memory": "40Mi"}, "limits": {"cpu": "1", "memory": "96Mi"}}
TWO_THOUSAND = """
    import pytest
    @pytest.mark.parametrize("number", range(2000))
    def test_many(number): assert number != 1234, "one of them fails"
"""
SLOW = """
    import time
    import pytest
    @pytest.mark.parametrize("number", range(400))
    def test_slow(number): time.sleep(0.5)
"""


def memory_mib() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _descriptors() -> list[Path]:
    return [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


def active_pods(jobs: Iterable[JsonObject]) -> int:
    return max((int(part(each, "status").get("active") or 0) for each in jobs), default=0)


class Sampler:
    """Looks at this process, and at a cluster's Jobs, again and again while a test runs."""

    def __init__(self, kube: Kube, *, seconds: float = 0.5) -> None:
        self.before_mib = memory_mib()
        self.peak_mib = self.before_mib
        self.threads_before = threading.active_count()
        self.threads = self.threads_before
        self.sockets = 0
        self.jobs: list[tuple[float, dict[str, JsonObject]]] = []
        self._kube = kube
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        began = monotonic()
        while not self._over.wait(self._seconds):
            self.peak_mib = max(self.peak_mib, memory_mib())
            self.threads = max(self.threads, threading.active_count())
            links: list[str] = []
            for each in _descriptors():
                with contextlib.suppress(OSError):  # closed meanwhile
                    links.append(str(each.readlink()))
            self.sockets = max(self.sockets, sum(link.startswith("socket:") for link in links))
            jobs = self._kube.list("Job", label_selector="floe-tests/run")
            found = {
                str(each["metadata"]["namespace"]): each
                for each in jobs
                if part(each, "spec").get("completionMode") == "Indexed"
            }
            self.jobs.append((monotonic() - began, found))


def test_two_hundred_and_fifty_real_shards(small_tier: SmallTier, kube: Kube) -> None:
    began = monotonic()
    tier = small_tier.prepare(
        job(TWO_THOUSAND, resources=TINY),
        suites=suite(COUNT, parallelism=60),
        budget={"memory": "64Gi", "minutes": 30},
        deadlines={"tests_seconds": 300, "pod_seconds": 400, "job_seconds": 1500},
    )
    with Sampler(kube) as sampled:
        published = RunningRun(tier, small_tier.log, kube).finish(seconds=1600)

    (found,) = published.suites
    active = max(active_pods(jobs.values()) for _, jobs in sampled.jobs)
    seconds = sorted(shard.seconds for shard in found.attempts[0].shards)
    print(  # noqa: T201 - the numbers of docs/shards.md
        f"250 real shards: {monotonic() - began:.0f} s, up to {active} at once, memory "
        f"{sampled.before_mib:.0f} -> {sampled.peak_mib:.0f} MiB, threads "
        f"{sampled.threads_before} -> {sampled.threads}, sockets {sampled.sockets}, a shard "
        f"{seconds[len(seconds) // 2]:.1f} s (median), {seconds[-1]:.1f} s (longest), "
        f"to the verdict {found.attempts[0].timings.to_verdict} s"
    )
    assert found.verdict.cause is Cause.TEST_FAILURE, str(found.verdict)
    assert (found.results.collected, found.results.reported) == (2000, 2000)
    assert (found.results.tally.passed, found.results.tally.failed) == (1999, 1)
    assert {shard.shard for shard in found.attempts[0].shards} == set(range(COUNT))
    assert sampled.threads - sampled.threads_before <= 90
    assert sampled.peak_mib - sampled.before_mib < 150


def test_two_runs_share_a_cluster(tmp_path: Path, kubeconfig: Path, kube: Kube) -> None:
    """The second begins while the first has all of it: it gets its half, and nobody waits long."""
    resources = {
        "requests": {"cpu": "90m", "memory": "48Mi"},
        "limits": {"cpu": "1", "memory": "128Mi"},
    }
    tiers = [SmallTier(tmp_path / name, kubeconfig) for name in ("first", "second")]
    runs = [
        tier.prepare(
            job(SLOW, resources=resources),
            suites=suite(40),
            budget={"memory": "64Gi", "minutes": 30},
            deadlines={"tests_seconds": 120, "pod_seconds": 140, "job_seconds": 900},
        )
        for tier in tiers
    ]
    with Sampler(kube) as sampled:
        first = RunningRun(runs[0], tiers[0].log, kube)
        first.wait_until(
            lambda: any(active_pods(jobs.values()) >= 6 for _, jobs in list(sampled.jobs)),
            "six pods of the first run",
            seconds=120,
        )
        second = RunningRun(runs[1], tiers[1].log, kube)
        published = [first.finish(seconds=600), second.finish(seconds=600)]

    assert [each.verdict.cause for each in published] == [Cause.PASS, Cause.PASS]
    names = [first.namespace, second.namespace]
    both = [
        [part(jobs[name], "spec")["parallelism"] for name in names]
        for _, jobs in sampled.jobs
        if all(name in jobs for name in names)
    ]
    alone = max(
        part(jobs[names[0]], "spec")["parallelism"]
        for _, jobs in sampled.jobs
        if names[0] in jobs and names[1] not in jobs
    )
    print("parallelism of both, while both run:", alone, Counter(map(tuple, both)))  # noqa: T201
    nearest = min(abs(one - other) for one, other in both if one + other <= alone + 2)
    assert nearest <= 1, both
    for each in published:
        shards = each.suites[0].attempts[0].shards
        assert len(shards) == 40, "no shard was begun twice by taking its pod back"
    started = [
        min(shard.started_at for shard in each.suites[0].attempts[0].shards) for each in published
    ]
    ended = max(shard.started_at for shard in published[0].suites[0].attempts[0].shards)
    assert started[1] < ended, "the second began before the first's last shard"


@pytest.fixture
def cluster_of_fakes(kube: Kube, kubeconfig: Path, tmp_path: Path) -> Iterator[None]:
    if shutil.which("kwok") is None:
        pytest.skip("not on PATH: kwok (`airgap/programs build kwok`)")
    good = [f"fake-{number}" for number in range(4)]
    with fake_nodes(kube, kubeconfig, tmp_path, *good, FROZEN, ENDLESS, LOST):
        yield


@pytest.mark.usefixtures("cluster_of_fakes")
def test_two_hundred_and_fifty_shards_on_fake_nodes(small_tier: SmallTier, kube: Kube) -> None:
    """None is stuck: not on a node that goes, nor where pods never start, nor where none ends."""
    manifest = job("def test_never(): pass")
    pod = pod_of(manifest)
    pod["nodeSelector"] = LABELS
    pod["tolerations"] = [{"key": str(TAINT["key"]), "operator": "Exists", "effect": "NoSchedule"}]
    deadlines = {
        "start_seconds": 40,
        "tests_seconds": 90,
        "pod_seconds": 300,
        "job_seconds": 600,
    }
    tier = small_tier.prepare(
        manifest,
        suites=suite(COUNT),
        budget={"memory": "1000Gi", "minutes": 30},
        deadlines=deadlines,
    )
    began = monotonic()
    with Sampler(kube) as sampled:
        running = RunningRun(tier, small_tier.log, kube)
        running.wait_for("of 250 shards, ", seconds=120)
        kube.delete("Node", LOST)
        published = running.finish(seconds=700)
    seconds = monotonic() - began

    shards = published.suites[0].attempts[0].shards
    causes = Counter(shard.cause for shard in shards)
    longest = max(shards, key=lambda shard: shard.seconds)
    created = max(
        (shard.started_at - min(each.started_at for each in shards)).total_seconds()
        for shard in shards
        if shard.number == 1
    )
    print(  # noqa: T201 - the numbers of docs/shards.md
        f"250 shards on fake nodes: {seconds:.0f} s, all made within {created:.1f} s, "
        f"{dict(causes)}, longest attempt {longest.seconds:.1f} s ({longest.cause} on "
        f"{longest.node}), memory {sampled.before_mib:.0f} -> {sampled.peak_mib:.0f} MiB, threads "
        f"{sampled.threads}"
    )
    assert {shard.shard for shard in shards} == set(range(COUNT))
    # A fake node has no log to give: what completed there is lost, and said to be.
    assert causes["RESULT_LOST"] > 100
    assert causes["INFRA_START"] > 0, "on the node where no pod starts"
    assert causes["INFRA_NODE"] > 0, "on the node that went away"
    assert causes["TEST_TIMEOUT"] > 0, "on the node where no pod ends"
    limit = deadlines["start_seconds"] + deadlines["tests_seconds"] + 60
    assert longest.seconds < limit
    assert seconds < deadlines["job_seconds"] + 60
    assert not published.verdict.passed
