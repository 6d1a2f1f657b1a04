"""What can befall the cluster around a pod: its API, its kubelet, its memory, its logs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from floe_tests.core.errors import InfrastructureError
from floe_tests.core.verdict import Cause

from ..conftest import job  # noqa: TID252 - suites are folders, not packages
from .bench import DEADLINES, FaultBench, RunningRun
from .test_faults_of_pods import WAITS, go

KUBELET = "/var/lib/kubelet/config.yaml"
NOISE_BYTES = 40 * 1024 * 1024


def node_of(bench: FaultBench) -> str:
    """The cluster's one node."""
    (node,) = bench.kube.list("Node")
    return str(node["metadata"]["name"])


def answers(bench: FaultBench) -> bool:
    """Whether the API answers."""
    try:
        bench.kube.server_version()
    except InfrastructureError:
        return False
    return True


def test_api_server_restarted(bench: FaultBench) -> None:
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    bench.on_node(node_of(bench), "pkill -KILL kube-apiserver")
    running.wait_until(lambda: not answers(bench), "the API is away")
    running.wait_until(lambda: answers(bench), "the API is back", seconds=90)
    go(bench, running)

    published = running.finish()
    bench.judge("API server restarted", published, Cause.PASS)
    assert published.suites[0].results.tally.passed == 2
    assert len(published.suites[0].attempts) == 1


def test_kubelet_restarted(bench: FaultBench) -> None:
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    bench.on_node(node_of(bench), "systemctl restart kubelet && systemctl is-active kubelet")
    go(bench, running)

    published = running.finish()
    bench.judge("kubelet restarted", published, Cause.PASS)
    assert published.suites[0].results.tally.passed == 2


@pytest.mark.thorough
def test_a_log_that_rotated_while_nobody_could_read_it(bench: FaultBench) -> None:
    """What the log has lost is asked for again, from the files in the pod."""
    code = f"""
        import os, pathlib, time
        def wait(name):
            while not pathlib.Path(name).exists(): time.sleep(0.05)
        def test_before(): pass
        def test_writes():
            wait("/tmp/write")
            pathlib.Path("/results/noise.bin").write_bytes(os.urandom({NOISE_BYTES}))
        def test_waits(): wait("/tmp/go")
    """
    running = bench.start(job(code), deadlines={**DEADLINES, "tests_seconds": 150, **LONGER})
    running.wait_for("test_before")
    node = node_of(bench)
    logs = f"/var/log/pods/{running.namespace}_*/floe-tests-exporter"
    in_pod = ["exec", running.pod(), "-n", running.namespace, "-c", "test-runner", "--"]
    # The order is given first: while nobody reaches the kubelet, none can be.
    bench.kubectl(*in_pod, "sh", "-c", "(sleep 2; touch /tmp/write) >/dev/null 2>&1 &")
    rule = "OUTPUT -p tcp --dport 10250 -j REJECT --reject-with tcp-reset"
    bench.on_node(node, f"iptables -I {rule}")
    try:
        # A second file: the first was full, and put aside.
        bench.on_node(
            node,
            f"for i in $(seq 600); do [ $(ls {logs} | wc -l) -ge 2 ] && exit; sleep 0.1; "
            "done; exit 1",
            seconds=90,
        )
    finally:
        bench.on_node(node, f"iptables -D {rule}")
    running.wait_for("asking for them again", seconds=60)
    running.wait_for("the lost frames have arrived again", seconds=90)
    go(bench, running)

    published = running.finish()
    attempt = bench.judge("log rotated unread", published, Cause.PASS)
    assert attempt is not None
    noise = attempt.directory / "results" / "noise.bin"
    assert noise.stat().st_size == NOISE_BYTES


LONGER = {"pod_seconds": 170, "job_seconds": 300}


# More than there is. A soft threshold: a hard one is taken off what pods may use, and that must not
# fall below nothing.
SOFT_EVICTION = (
    "evictionSoft: {memory.available: 900Gi}\\n"
    "evictionSoftGracePeriod: {memory.available: 1s}\\n"
    "evictionMaxPodGracePeriod: 5\\n"
)


@contextlib.contextmanager
def pressure(bench: FaultBench, node: str) -> Iterator[None]:
    """Have the kubelet want more free memory than there is."""
    bench.on_node(
        node,
        f"cp {KUBELET} {KUBELET}.before && sed -i 's/^evictionHard:/{SOFT_EVICTION}&/; "
        f"s/^evictionPressureTransitionPeriod:.*/evictionPressureTransitionPeriod: 1s/' {KUBELET} "
        f"&& grep -q evictionSoft {KUBELET} && systemctl restart kubelet",
    )
    try:
        yield
    finally:
        bench.on_node(node, f"mv {KUBELET}.before {KUBELET} && systemctl restart kubelet")


@pytest.mark.thorough
def test_evicted_for_the_nodes_memory(bench: FaultBench) -> None:
    """Of all pods the one that uses most beyond its request goes first."""
    code = WAITS.replace(
        "def test_waits():", "def test_waits():\n        hoard = b'x' * 150_000_000"
    )
    running = bench.start(job(code), deadlines={**DEADLINES, "tests_seconds": 150, **LONGER})
    running.wait_for("test_before")
    node = node_of(bench)
    with pressure(bench, node):
        running.wait_for("attempt 1: INFRA_DISRUPTED", seconds=90)
    running.wait_for_second_start(seconds=120)
    go(bench, running)

    bench.judge(
        "evicted for the node's memory",
        running.finish(),
        Cause.INFRA_DISRUPTED,
        "TerminationByKubelet",
        finally_seen=Cause.PASS,
    )


@pytest.mark.thorough
def test_api_away_for_minutes(bench: FaultBench) -> None:
    """Longer than a restart takes: the attempt is given up, and made again once it answers."""
    running = bench.start(
        job(WAITS),
        deadlines={"tests_seconds": 400, "pod_seconds": 450, "job_seconds": 700},
        budget={"minutes": 10},
    )
    running.wait_for("test_before")
    node = node_of(bench)
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    # Killed as well: asked to end, it may go on serving watches for a minute.
    bench.on_node(node, f"mv {manifest} /kube-apiserver.yaml; pkill -KILL kube-apiserver")
    try:
        running.wait_for("attempt 1: INFRA_CLUSTER", seconds=300)
    finally:
        bench.on_node(node, f"mv /kube-apiserver.yaml {manifest}")
    # Scheduler and controllers have crashed meanwhile, and come back with a back-off of minutes.
    running.wait_for_second_start(seconds=300)
    go(bench, running)

    bench.judge(
        "API away for minutes",
        running.finish(),
        Cause.INFRA_CLUSTER,
        "could not be reached",
        finally_seen=Cause.PASS,
    )


def pod_on(running: RunningRun) -> str:
    """The node of the run's one pod."""
    (pod,) = running.pods()
    return str(pod["spec"]["nodeName"])
