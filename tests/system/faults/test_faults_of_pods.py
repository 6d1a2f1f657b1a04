"""What can befall a pod: never started, taken away, its exporter killed."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.execution.manifest import EXPORTER

from ..conftest import job  # noqa: TID252 - suites are folders, not packages
from .bench import DEADLINES, FaultBench, RunningRun, pod_of

GREEN = "def test_passes(): pass"
# Ends by itself when the file is there: what is done to the pod comes in between.
WAITS = """
    import pathlib, time
    def test_before(): pass
    def test_waits():
        while not pathlib.Path("/tmp/go").exists(): time.sleep(0.05)
"""
SOON = {**DEADLINES, "start_seconds": 6}

# Memory that belongs to no process: the kernel takes the largest one for it, process 1, and with it
# the container. The file outlives the container, so it is made anew.
OUT_OF_MEMORY = "rm -f /dev/shm/fill; exec dd if=/dev/zero of=/dev/shm/fill bs=64k"


def go(bench: FaultBench, running: RunningRun) -> None:
    """Let the waiting test of the run's pod pass; a kubelet that restarts refuses for a moment."""
    container = ["-n", running.namespace, "-c", "test-runner"]
    touch = ["exec", running.pod(), *container, "--", "touch", "/tmp/go"]  # noqa: S108 - its own

    running.wait_until(lambda: bench.kubectl_succeeds(*touch), "the test was let go")


def test_image_missing(bench: FaultBench) -> None:
    published = bench.run(
        job(GREEN, image="ghcr.io/floe/no-such-image:9.9.9"),
        deadlines={**DEADLINES, "image_seconds": 5},
    )

    bench.judge("image missing", published, Cause.INFRA_IMAGE, "no-such-image:9.9.9")


@pytest.mark.thorough
def test_registry_down(bench: FaultBench) -> None:
    """Nothing listens at this port of the node."""
    published = bench.run(
        job(GREEN), prefix="localhost:5999/", deadlines={**DEADLINES, "image_seconds": 5}
    )

    bench.judge("registry down", published, Cause.INFRA_IMAGE, "localhost:5999")


@pytest.mark.parametrize(
    ("fault", "changes", "named"),
    [
        pytest.param(
            "image name invalid",
            {"image": "NOT A NAME"},
            "InvalidImageName",
            id="image",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "ConfigMap missing",
            {"envFrom": [{"configMapRef": {"name": "absent"}}]},
            "absent",
            id="ConfigMap",
        ),
        pytest.param(
            "command missing",
            {"command": ["/no/such/program"]},
            "/no/such/program",
            id="command",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "refused by Pod Security",
            {"securityContext": {"privileged": True}},
            "PodSecurity",
            id="Pod Security",
        ),
        pytest.param(
            "quota exceeded",
            {"resources": {"limits": {"cpu": "1", "memory": "20Gi"}}},
            "exceeded quota",
            id="quota",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_pod_that_can_never_run(
    bench: FaultBench, fault: str, changes: dict[str, object], named: str
) -> None:
    published = bench.run(job(GREEN, **changes))

    bench.judge(fault, published, Cause.CONFIG, named)


@pytest.mark.parametrize(
    ("what", "cause", "named"),
    [
        pytest.param("selector", Cause.INFRA_CAPACITY, "node affinity/selector", id="selector"),
        pytest.param(
            "CPU", Cause.INFRA_CAPACITY, "Insufficient cpu", id="CPU", marks=pytest.mark.thorough
        ),
        pytest.param(
            "PVC",
            Cause.CONFIG,
            'persistentvolumeclaim "absent" not found',
            id="PVC",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "node name", Cause.CONFIG, "no node 'ghost'", id="node", marks=pytest.mark.thorough
        ),
    ],
)
def test_a_pod_that_no_node_takes(bench: FaultBench, what: str, cause: Cause, named: str) -> None:
    manifest = job(GREEN)
    pod = pod_of(manifest)
    if what == "selector":
        pod["nodeSelector"] = {"floe-tests/no-such-node": "true"}
    elif what == "node name":
        pod["nodeName"] = "ghost"
    elif what == "CPU":
        pod["containers"][0]["resources"] = {
            "requests": {"cpu": "900"},
            "limits": {"cpu": "900", "memory": "64Mi"},
        }
    else:
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "absent"}})
    published = bench.run(manifest, deadlines=SOON)

    bench.judge(f"unschedulable: {what}", published, cause, named)


def with_init(command: str) -> dict[str, object]:
    """Return a suite that passes, behind an init container that runs a command."""
    manifest = job(GREEN)
    pod = pod_of(manifest)
    tests = pod["containers"][0]
    init = {key: tests[key] for key in ("image", "resources", "securityContext")}
    pod["initContainers"] = [{**init, "name": "migrate", "command": ["sh", "-c", command]}]
    return manifest


def test_an_init_container_that_fails(bench: FaultBench) -> None:
    published = bench.run(with_init("echo connecting; echo migration failed; exit 1"))

    bench.judge(
        "init container fails",
        published,
        Cause.INIT_FAILED,
        "migrate",
        "exit code 1",
        "migration failed",
    )
    assert published.verdict.retries == 0


@pytest.mark.thorough
def test_an_init_container_that_never_ends(bench: FaultBench) -> None:
    # Long enough for the image to be there first.
    deadlines = {**DEADLINES, "start_seconds": 20}
    published = bench.run(with_init("echo waiting for the lock; sleep 600"), deadlines=deadlines)

    bench.judge(
        "init container never ends",
        published,
        Cause.INIT_FAILED,
        "migrate",
        "still runs",
        "waiting for the lock",
    )
    assert len(published.suites[0].attempts) == 1, "it would hang again"


@pytest.mark.thorough
def test_an_init_container_whose_image_is_missing(bench: FaultBench) -> None:
    manifest = with_init("true")
    pod_of(manifest)["initContainers"][0]["image"] = "ghcr.io/floe/no-such-image:9.9.9"
    published = bench.run(manifest, deadlines={**DEADLINES, "image_seconds": 5})

    bench.judge(
        "image of an init container missing",
        published,
        Cause.INFRA_IMAGE,
        "migrate",
        "no-such-image:9.9.9",
    )


def test_suspended_by_somebody_else(bench: FaultBench) -> None:
    """A queue that does not admit the Job: it holds it from its creation on."""
    manifest = job(GREEN)
    manifest["spec"]["suspend"] = True  # type: ignore[index]
    manifest["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team-a"}  # type: ignore[index]
    published = bench.run(manifest, deadlines={**DEADLINES, "queue_seconds": 4})

    bench.judge(
        "Job suspended by a queue", published, Cause.INFRA_CAPACITY, "queue team-a of Kueue"
    )


@pytest.mark.thorough
def test_suspended_again_while_it_runs(bench: FaultBench) -> None:
    """A queue preempts the Job: the Job controller deletes its pod."""
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    (pod,) = running.pods()
    name = pod["metadata"]["labels"]["job-name"]
    bench.kubectl(
        "patch", "job", name, "-n", running.namespace, "-p", '{"spec": {"suspend": true}}'
    )
    running.wait_for_second_start(seconds=90)
    go(bench, running)

    bench.judge(
        "Job suspended while it runs",
        running.finish(),
        Cause.INFRA_DISRUPTED,
        "suspended",
        "kubectl-patch",
        finally_seen=Cause.PASS,
    )


def with_service(command: str, code: str = GREEN) -> dict[str, object]:
    """Return a suite with a service beside its tests, which is the first container of its pod."""
    manifest = job(code)
    pod = pod_of(manifest)
    tests = pod["containers"][0]
    same = {key: tests[key] for key in ("image", "resources", "securityContext")}
    service = {**same, "name": "broker", "command": ["sh", "-c", command]}
    pod["containers"] = [service, tests]
    return manifest


@pytest.mark.parametrize(
    ("fault", "command"),
    [
        pytest.param("a service beside the tests", "echo ready; exec sleep 600", id="ends"),
        pytest.param(
            "a service beside the tests that ignores SIGTERM",
            "trap '' TERM; echo ready; while :; do sleep 1; done",
            id="ignores SIGTERM",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_service_beside_the_tests(bench: FaultBench, fault: str, command: str) -> None:
    published = bench.run(with_service(command))

    attempt = bench.judge(fault, published, Cause.PASS)
    assert attempt is not None
    assert attempt.facts.results.passed == 1
    assert (attempt.directory / "container-broker.log").read_text() == "ready\n"
    assert attempt.timings.total < 60


@pytest.mark.thorough
def test_a_service_beside_the_tests_crashes(bench: FaultBench) -> None:
    published = bench.run(
        with_service("echo out of disk; exit 3", "def test_fails(): assert False")
    )

    bench.judge(
        "the service beside the tests crashes",
        published,
        Cause.TEST_FAILURE,
        "broker",
        "exit code 3",
        "out of disk",
    )


def test_a_webhook_that_does_not_answer(bench: FaultBench, tmp_path: Path) -> None:
    """Nobody listens where it is said to be; it is asked about this run's pods alone."""
    name = f"silent-{uuid4().hex[:8]}"
    manifest = job(GREEN)
    manifest["spec"]["template"]["metadata"] = {"labels": {"asks": name}}  # type: ignore[index]
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "silent.example.com",
                "clientConfig": {"url": "https://127.0.0.1:9/validate"},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
                "objectSelector": {"matchLabels": {"asks": name}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    path = tmp_path / "webhook.json"
    path.write_text(json.dumps(webhook))
    try:
        bench.kubectl("apply", "-f", str(path))
        published = bench.run(manifest, deadlines={**DEADLINES, "start_seconds": 20})
    finally:
        bench.kubectl("delete", "-f", str(path), "--ignore-not-found")

    bench.judge(
        "an admission webhook does not answer",
        published,
        Cause.INFRA_CLUSTER,
        "silent.example.com",
    )


def test_a_volume_that_cannot_be_mounted(bench: FaultBench) -> None:
    manifest = job(GREEN)
    pod = pod_of(manifest)
    pod["volumes"].append({"name": "key", "secret": {"secretName": "absent"}})
    pod["containers"][0]["volumeMounts"].append({"name": "key", "mountPath": "/key"})
    published = bench.run(manifest, deadlines={**SOON, "start_seconds": 10})

    bench.judge("Secret volume missing", published, Cause.INFRA_START, "absent")


def test_evicted_by_the_api(bench: FaultBench) -> None:
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    pod, namespace = running.pod(), running.namespace
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = bench.tier.root / "eviction.json"
    path.write_text(json.dumps(eviction))
    bench.kubectl(
        "create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", "-f", str(path)
    )
    running.wait_for_second_start(seconds=90)
    go(bench, running)

    bench.judge(
        "evicted by the API",
        running.finish(),
        Cause.INFRA_DISRUPTED,
        "EvictionByEvictionAPI",
        "test_waits",
        "1 of 2 reported",
        finally_seen=Cause.PASS,
    )


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        pytest.param("pod force-deleted", ["--grace-period=0", "--force"], id="by force"),
        pytest.param("pod deleted", [], id="with grace", marks=pytest.mark.thorough),
    ],
)
def test_deleted_by_somebody(bench: FaultBench, fault: str, options: list[str]) -> None:
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    bench.kubectl("delete", "pod", running.pod(), "-n", running.namespace, *options)
    running.wait_for_second_start(seconds=90)
    go(bench, running)

    bench.judge(
        fault,
        running.finish(),
        Cause.INFRA_NODE,
        "not by this run",
        "test_waits",
        finally_seen=Cause.PASS,
    )


@pytest.mark.thorough
def test_deleted_after_the_same_failure_in_each_attempt(bench: FaultBench) -> None:
    """As a suite does whose test takes its own pod away."""
    failing = WAITS.replace("def test_before(): pass", "def test_before(): assert False")
    running = bench.start(job(failing))
    running.wait_for("test_before")
    bench.kubectl("delete", "pod", running.pod(), "-n", running.namespace, "--now")
    running.wait_for_second_start(seconds=90)
    running.wait_until(
        lambda: "test_before" in "\n".join(running.lines).partition("Once more")[2],
        "the failure of the second attempt",
    )
    bench.kubectl("delete", "pod", running.pod(), "-n", running.namespace, "--now")
    published = running.finish()

    bench.judge(
        "pod deleted after the same failure, twice",
        published,
        Cause.INFRA_NODE,
        "not by this run",
        finally_seen=Cause.TEST_FAILURE,
    )
    assert len(published.suites[0].attempts) == 2
    assert "test_before outcome: failed in more than one attempt" in "\n".join(
        map(str, published.verdict.evidence)
    )


def test_preempted(bench: FaultBench) -> None:
    """A pod of a higher class takes the node's CPU."""
    manifest = job(WAITS)
    running = bench.start(manifest)
    running.wait_for("test_before")
    name = f"urgent-{running.run.run_id[:8]}"
    (node,) = bench.kube.list("Node")
    cores = int(node["status"]["allocatable"]["cpu"])
    urgent = f"""
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: {name}}}
value: 1000000
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  priorityClassName: {name}
  terminationGracePeriodSeconds: 0
  containers:
    - name: sleep
      image: {pod_image(running)}
      command: [sleep, "300"]
      resources: {{requests: {{cpu: {cores * 1000 - in_use(bench, running)}m}}}}
"""
    path = bench.tier.root / "urgent.yaml"
    path.write_text(urgent)
    try:
        bench.kubectl("apply", "-f", str(path))
        running.wait_for("attempt 1: INFRA_DISRUPTED", seconds=90)
        bench.kubectl("delete", "pod", name, "-n", "default", "--now")
        running.wait_for_second_start(seconds=90)
        go(bench, running)
        published = running.finish()
    finally:
        bench.kubectl("delete", "-f", str(path), "--ignore-not-found", "--now")

    bench.judge(
        "preempted",
        published,
        Cause.INFRA_DISRUPTED,
        "PreemptionByScheduler",
        finally_seen=Cause.PASS,
    )


def pod_image(running: RunningRun) -> str:
    """An image that the node has."""
    (pod,) = running.pods()
    return str(pod["spec"]["containers"][0]["image"])


def in_use(bench: FaultBench, running: RunningRun) -> int:
    """CPU that others than the run's pod have requested, in millicores."""
    total = 0
    for pod in bench.kube.list("Pod"):
        if pod["metadata"]["namespace"] == running.namespace:
            continue
        for container in pod["spec"]["containers"]:
            text = str(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
            total += int(text[:-1]) if text.endswith("m") else int(text) * 1000
    return total


def kill_exporter(bench: FaultBench, running: RunningRun) -> None:
    """Have the kernel kill the exporter for its memory."""
    command = ["exec", running.pod(), "-n", running.namespace, "-c", EXPORTER, "--", "sh", "-c"]
    # It ends with the container, and so in a failure.
    assert not bench.kubectl_succeeds(*command, OUT_OF_MEMORY)


def restarts(running: RunningRun) -> int:
    """How often the exporter was started again."""
    (pod,) = running.pods()
    (status,) = [
        item for item in pod["status"]["initContainerStatuses"] if item["name"] == EXPORTER
    ]
    return int(status["restartCount"]) if "running" in status["state"] else -1


@pytest.mark.thorough
def test_exporter_out_of_memory_once(bench: FaultBench) -> None:
    """It is started again and sends everything again: nothing is lost, and nobody to blame."""
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    kill_exporter(bench, running)
    running.wait_until(lambda: restarts(running) >= 1, "the exporter runs again")
    go(bench, running)

    published = running.finish()
    attempt = bench.judge("exporter out of memory, once", published, Cause.PASS)
    assert attempt is not None
    assert attempt.facts.results.passed == 2
    assert "the exporter was restarted" in " ".join(published.suites[0].results.notices)


def test_exporter_out_of_memory_at_the_end(bench: FaultBench) -> None:
    """A second time it has to wait before it is started, and the tests end meanwhile."""
    running = bench.start(job(WAITS))
    running.wait_for("test_before")
    kill_exporter(bench, running)
    running.wait_until(lambda: restarts(running) >= 1, "the exporter runs again")
    kill_exporter(bench, running)
    go(bench, running)

    bench.judge(
        "exporter out of memory at the end", running.finish(), Cause.HARNESS, "OOMKilled", EXPORTER
    )
