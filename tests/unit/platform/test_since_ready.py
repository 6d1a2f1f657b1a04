"""What has become of a release's pods since it was ready."""

from __future__ import annotations

from typing import Any

from floe_tests.platform.since_ready import Look, SeenPod, look, seen
from tests.support.small_cluster import NAMESPACE, Cluster

READY = [{"type": "Ready", "status": "True"}]


def put_pod(
    cluster: Cluster, name: str = "web-1-x", *, uid: str = "", restarts: int = 0, **status: Any
) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "web-1", "uid": "uid-of-web-1"}
    return cluster.put(
        "pods",
        name,
        metadata={
            "uid": uid or f"uid-of-{name}",
            "labels": {"pod-template-hash": "1"},
            "ownerReferences": [owner],
        },
        status={
            "phase": "Running",
            "conditions": READY,
            "containerStatuses": [{"name": "web", "restartCount": restarts}],
            **status,
        },
    )


def remembered(cluster: Cluster) -> dict[str, tuple[SeenPod, ...]]:
    pods = [item for (plural, _), item in cluster.objects.items() if plural == "pods"]
    return {"r": seen(pods, namespace=NAMESPACE)}


def told(found: Look) -> list[str]:
    return [str(fact) for fact in found.found]


def crashed(restarts: int, *, reason: str = "Error") -> list[dict[str, Any]]:
    last = {"exitCode": 9, "reason": reason, "finishedAt": "2026-12-01T00:08:00Z"}
    return [
        {
            "name": "web",
            "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": last},
        }
    ]


UNREADY = [{"type": "Ready", "status": "False", "message": "containers with unready status: [web]"}]


def test_a_platform_that_is_as_it_was_is_nothing_to_tell_and_costs_one_request(
    cluster: Cluster,
) -> None:
    put_pod(cluster, restarts=2)
    before = remembered(cluster)

    found = look(cluster.kube(), before)

    assert told(found) == []
    assert dict(found.releases) == before
    assert cluster.requests == [("GET", "pods")]


def test_a_pod_that_crashed_is_told_with_exit_code_and_last_words(cluster: Cluster) -> None:
    put_pod(cluster, restarts=1)
    before = remembered(cluster)
    put_pod(cluster, containerStatuses=crashed(3), conditions=UNREADY)

    found = look(cluster.kube(), before)

    assert told(found) == [
        (
            "pod/web-1-x since it was ready: container web ended with exit code 9: its last words, "
            "restarted 2 times; is not ready now: CrashLoopBackOff at 2026-12-01T00:08:00Z"
        )
    ]


def test_a_pod_that_was_killed_for_its_memory_and_is_back_is_told(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    put_pod(cluster, containerStatuses=crashed(1, reason="OOMKilled"))

    (fact,) = told(look(cluster.kube(), before))

    assert "exit code 9 (OOMKilled): its last words, restarted once at" in fact


def test_the_next_look_tells_no_restart_again_and_a_dead_pod_again(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    put_pod(cluster, containerStatuses=crashed(1), conditions=UNREADY)

    first = look(cluster.kube(), before)
    second = look(cluster.kube(), dict(first.releases))

    assert told(second) == ["pod/web-1-x since it was ready: is not ready now: CrashLoopBackOff"]


def test_a_pod_that_was_replaced_is_told_once_with_the_one_in_its_place(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    del cluster.objects["pods", "web-1-x"]
    put_pod(cluster, "web-1-y")

    first = look(cluster.kube(), before)

    assert told(first) == [
        "pod/web-1-x since it was ready: gone; of its kind there is now pod/web-1-y"
    ]
    assert told(look(cluster.kube(), dict(first.releases))) == []


def test_a_pod_that_nothing_replaced_is_told_in_every_look(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    del cluster.objects["pods", "web-1-x"]
    gone = ["pod/web-1-x since it was ready: gone, and no pod took its place"]

    first = look(cluster.kube(), before)

    assert told(first) == gone
    assert told(look(cluster.kube(), dict(first.releases))) == gone


def test_a_pod_of_the_same_name_is_another_one(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    put_pod(cluster, uid="another")

    assert told(look(cluster.kube(), before)) == [
        "pod/web-1-x since it was ready: gone; another pod of that name took its place"
    ]


def test_pods_of_others_are_not_the_releases(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    cluster.put("pods", "of-a-test", metadata={}, status={"phase": "Failed"})

    assert told(look(cluster.kube(), before)) == []


def test_many_pods_are_summed_up_and_those_only_replaced_stand_last(cluster: Cluster) -> None:
    for number in range(12):
        put_pod(cluster, f"web-1-{number}")
    before = remembered(cluster)
    for number in range(11):
        del cluster.objects["pods", f"web-1-{number}"]
    put_pod(cluster, "web-1-11", conditions=UNREADY)

    facts = told(look(cluster.kube(), before))

    assert facts[0].startswith("pod/web-1-11 since it was ready: is not ready now")
    assert facts[-1] == "platform since it was ready: the same of 4 more pods"


def test_what_cannot_be_looked_at_is_said_and_ends_no_run(cluster: Cluster) -> None:
    put_pod(cluster)
    before = remembered(cluster)
    cluster.refused["GET", "pods"] = 403

    found = look(cluster.kube(), before)

    assert "not looked at: GET" in told(found)[0]
    assert dict(found.releases) == before
