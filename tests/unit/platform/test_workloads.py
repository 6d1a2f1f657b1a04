"""What a workload lacks: ready pods, pods of the template that was installed, or pods at all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from floe_tests.platform import workloads
from floe_tests.platform.troubles import Events


def event(name: str, reason: str, message: str) -> dict[str, Any]:
    return {"involvedObject": {"name": name}, "reason": reason, "message": message}


def workload(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "engine", "generation": 2},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 2, **status},
    }


COMPLETE = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


@pytest.mark.parametrize(
    ("kind", "found", "why"),
    [
        pytest.param(
            "Deployment",
            workload(**{**COMPLETE, "readyReplicas": 0}),
            "deployment/engine has 0 of 1 pods ready",
            id="no pod is ready",
        ),
        pytest.param(
            "Deployment",
            workload(**{**COMPLETE, "replicas": 2}),
            "deployment/engine still has pods of before the change",
            id="the old pod still serves",
        ),
        pytest.param(
            "Deployment",
            workload(**{**COMPLETE, "observedGeneration": 1}),
            "deployment/engine still has pods of before the change",
            id="the controller has not seen the change",
        ),
        pytest.param(
            "StatefulSet",
            workload(**COMPLETE, currentRevision="a", updateRevision="b"),
            "statefulset/engine still has pods of before the change",
            id="a stateful set in the middle of its update",
        ),
    ],
)
def test_a_workload_lacks_pods_of_its_newest_generation(
    kind: str, found: dict[str, Any], why: str
) -> None:
    assert [each.why for each in workloads.lacking(kind, found, Events())] == [why]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_that_is_complete_lacks_nothing(kind: str) -> None:
    assert list(workloads.lacking(kind, workload(**COMPLETE), Events())) == []


def test_pods_that_are_refused_are_told_with_the_reason() -> None:
    message = "exceeded quota: budget, requested: limits.memory=64Gi"
    refused = {"type": "ReplicaFailure", "status": "True", "message": message}
    deployment = workload(conditions=[refused])
    stateful = event("engine", "FailedCreate", 'violates PodSecurity "restricted:latest": x')

    *_, of_deployment = workloads.lacking("Deployment", deployment, Events())
    *_, of_stateful = workloads.lacking("StatefulSet", workload(), Events([stateful]))

    assert of_deployment.why == f"its pods are refused by quota budget: {message}"
    assert of_stateful.why.startswith('its pods are refused by Pod Security "restricted:latest":')
    assert {of_deployment.party, of_stateful.party} == {"configuration"}
    assert of_deployment.patience_seconds <= 5
    assert of_stateful.patience_seconds == 0


def whys(kind: str, found: dict[str, Any], **options: Any) -> list[str]:
    return [each.why for each in workloads.lacking(kind, found, Events(), **options)]


def test_a_deployment_is_judged_by_its_newest_replica_set_alone() -> None:
    """The Deployment repeats what the one of before the change has said."""
    old = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: budget"}
    found = workload(**{**COMPLETE, "readyReplicas": 0}, conditions=[old])

    assert len(whys("Deployment", found)) == 2
    assert len(whys("Deployment", found, makers=[{"metadata": {"name": "engine-2"}}])) == 1


def test_a_refusal_of_a_pod_that_is_there_now_is_over() -> None:
    """The event stays for an hour."""
    said = event("engine", "FailedCreate", "create Pod engine-0 in StatefulSet engine failed: x")
    found = {**workload(readyReplicas=0, replicas=1), "spec": {"replicas": 3}}

    def told(*pods: dict[str, Any]) -> int:
        return len(list(workloads.lacking("StatefulSet", found, Events([said]), pods=pods)))

    assert told() == 2
    assert told({"metadata": {"name": "engine-0"}}) == 1


def spec(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**found, "spec": {**found["spec"], **changes}}


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        pytest.param("Deployment", spec(workload(), replicas=0), id="zero replicas"),
        pytest.param(
            "Deployment",
            spec(workload(**COMPLETE), paused=True),
            id="a paused Deployment with its pods",
        ),
        pytest.param(
            "Deployment",
            spec(workload(**COMPLETE), strategy={"type": "Recreate"}),
            id="Recreate, and its pod is the new one",
        ),
        pytest.param(
            "StatefulSet",
            spec(
                workload(**COMPLETE, currentRevision="a", updateRevision="b"),
                updateStrategy={"type": "OnDelete"},
            ),
            id="OnDelete, and somebody has replaced its pods",
        ),
        pytest.param(
            "StatefulSet",
            spec(
                workload(
                    replicas=3,
                    readyReplicas=3,
                    updatedReplicas=1,
                    currentRevision="a",
                    updateRevision="b",
                ),
                replicas=3,
                updateStrategy={"rollingUpdate": {"partition": 2}},
            ),
            id="a partition: the pods below it stay",
        ),
        pytest.param(
            "DaemonSet",
            spec(
                workload(desiredNumberScheduled=2, numberReady=2, updatedNumberScheduled=2),
                updateStrategy={"type": "OnDelete"},
            ),
            id="a DaemonSet with OnDelete, all new",
        ),
        pytest.param("DaemonSet", workload(desiredNumberScheduled=0), id="no node for it"),
        pytest.param("ReplicaSet", workload(**COMPLETE), id="a bare ReplicaSet"),
    ],
)
def test_what_is_as_its_author_wants_it_lacks_nothing(kind: str, found: dict[str, Any]) -> None:
    assert whys(kind, found) == []


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        pytest.param(
            "StatefulSet",
            spec(
                workload(replicas=3, readyReplicas=3, currentRevision="a", updateRevision="b"),
                replicas=3,
                updateStrategy={"rollingUpdate": {"partition": 2}},
            ),
            id="a partition whose pod is not replaced yet",
        ),
        pytest.param("Deployment", workload(), id="without a status yet"),
        pytest.param(
            "DaemonSet", {**workload(), "spec": {}, "status": {}}, id="a DaemonSet without a status"
        ),
        pytest.param(
            "Deployment",
            spec(workload(**{**COMPLETE, "replicas": 0, "readyReplicas": 0})),
            id="Recreate: the old pod is gone, the new one not there",
        ),
    ],
)
def test_what_is_on_its_way_is_waited_for(kind: str, found: dict[str, Any]) -> None:
    assert len(whys(kind, found)) == 1


OLD = {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 0}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("kind", "found", "why", "remedy"),
    [
        pytest.param(
            "Deployment",
            spec(workload(), paused=True),
            "deployment/engine is paused, 0 of 1 pods updated",
            "kubectl rollout resume deployment/engine",
            id="paused before its first pod",
        ),
        pytest.param(
            "Deployment",
            spec(workload(**{**COMPLETE, "updatedReplicas": 0}), paused=True),
            "deployment/engine is paused, 0 of 1 pods updated",
            "kubectl rollout resume deployment/engine",
            id="paused, with pods of before the change",
        ),
        pytest.param(
            "StatefulSet",
            spec(workload(**OLD), replicas=3, **ON_DELETE, selector={"matchLabels": {"app": "e"}}),
            "statefulset/engine has 0 of 3 pods updated (OnDelete)",
            "kubectl delete pod --selector app=e",
            id="a StatefulSet with OnDelete",
        ),
        pytest.param(
            "DaemonSet",
            spec(
                workload(
                    desiredNumberScheduled=2,
                    currentNumberScheduled=2,
                    numberReady=2,
                    updatedNumberScheduled=1,
                ),
                **ON_DELETE,
            ),
            "daemonset/engine has 1 of 2 pods updated (OnDelete)",
            "updateStrategy.type to RollingUpdate",
            id="a DaemonSet with OnDelete",
        ),
        pytest.param(
            "StatefulSet",
            spec(
                workload(**OLD),
                replicas=3,
                updateStrategy={"rollingUpdate": {"partition": 3}},
            ),
            "statefulset/engine has 0 of 3 pods updated (partition 3)",
            "Lower updateStrategy.rollingUpdate.partition",
            id="a partition above every pod",
        ),
    ],
)
def test_pods_of_before_the_change_are_not_what_was_installed(
    kind: str, found: dict[str, Any], why: str, remedy: str
) -> None:
    """helm calls it ready, and the tests would run against the template of before."""
    (settled,) = workloads.lacking(kind, found, Events(), is_settled=True)
    (unsettled,) = workloads.lacking(kind, found, Events())

    assert settled.why == why
    assert remedy in settled.remedy
    assert settled.patience_seconds <= 10
    assert unsettled.patience_seconds == math.inf, "a hook or an operator may still do it"


def test_pods_that_are_on_their_way_out_are_waited_for() -> None:
    going = {"metadata": {"name": "engine-2", "deletionTimestamp": "2026-11-24T09:00:00Z"}}
    found = spec(workload(**OLD), replicas=2, **ON_DELETE)

    (told,) = workloads.lacking("StatefulSet", found, Events(), pods=[going], is_settled=True)

    assert told.patience_seconds == math.inf


@pytest.mark.parametrize(
    ("kind", "found", "why"),
    [
        pytest.param(
            "StatefulSet",
            spec(workload(replicas=0, readyReplicas=0), **ON_DELETE),
            "statefulset/engine has 0 of 1 pods ready",
            id="OnDelete, before its first pod",
        ),
        pytest.param(
            "Deployment",
            spec(
                workload(**{**COMPLETE, "readyReplicas": 0}),
                strategy={"rollingUpdate": {"maxUnavailable": "100%"}},
            ),
            "deployment/engine has 0 of 1 pods ready",
            id="maxUnavailable 100 %: helm takes none for enough",
        ),
        pytest.param(
            "Deployment",
            spec(workload(**COMPLETE), minReadySeconds=30),
            "deployment/engine has 0 of 1 pods available: each has to be ready for 30 s "
            "(minReadySeconds)",
            id="ready, and not for long enough",
        ),
        pytest.param(
            "StatefulSet",
            spec(
                workload(
                    replicas=3,
                    readyReplicas=3,
                    updatedReplicas=2,
                    currentRevision="a",
                    updateRevision="a",
                ),
                replicas=3,
            ),
            "statefulset/engine still has pods of before the change",
            id="rolled back in the middle of an update",
        ),
        pytest.param(
            "DaemonSet",
            workload(desiredNumberScheduled=0, observedGeneration=1),
            "daemonset/engine still has pods of before the change",
            id="a DaemonSet whose new nodeSelector nobody has seen",
        ),
        pytest.param(
            "ReplicationController",
            workload(replicas=1, readyReplicas=1, observedGeneration=1),
            "replicationcontroller/engine still has pods of before the change",
            id="a ReplicationController whose change nobody has seen",
        ),
    ],
)
def test_ready_is_not_said_too_early(kind: str, found: dict[str, Any], why: str) -> None:
    assert whys(kind, found) == [why]


def bare_replica_set(*, written_at: str = "10") -> dict[str, Any]:
    wrote = {"time": written_at, "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}}
    scaled = {"time": "99", "fieldsV1": {"f:status": {}}, "subresource": "status"}
    template = {
        "spec": {"containers": [{"name": "c", "image": "engine:2", "env": [{"name": "A"}]}]}
    }
    found = spec(workload(**COMPLETE), template=template, selector={"matchLabels": {"app": "e"}})
    return {**found, "metadata": {**found["metadata"], "managedFields": [wrote, scaled]}}


def pod_of(image: str, *, created_at: str) -> dict[str, Any]:
    container = {"name": "c", "image": image, "env": [{"name": "A"}, {"name": "INJECTED"}]}
    return {
        "metadata": {"name": "engine-x", "creationTimestamp": created_at},
        "spec": {"containers": [container]},
    }


def test_a_bare_replica_set_keeps_pods_of_before_its_change_or_takes_anothers() -> None:
    (told,) = workloads.lacking(
        "ReplicaSet",
        bare_replica_set(),
        Events(),
        pods=[pod_of("engine:1", created_at="09")],
        is_settled=True,
    )

    assert told.why == (
        "replicaset/engine has 0 of 1 pods updated: the others were made from another template"
    )
    assert "kubectl delete pod --selector app=e" in told.remedy


@pytest.mark.parametrize(
    "pod",
    [
        pod_of("engine:2", created_at="09"),
        pod_of("mirror/engine:2", created_at="11"),
    ],
    ids=["only its number of replicas was changed", "admission has changed its image"],
)
def test_a_pod_of_the_template_is_no_other_for_what_admission_adds(pod: dict[str, Any]) -> None:
    assert whys("ReplicaSet", bare_replica_set(), pods=[pod]) == []
