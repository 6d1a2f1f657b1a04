"""What an object of a release lacks to be up, by the rules of its kind."""

from __future__ import annotations

import math
from typing import Any

import pytest

from floe_tests.platform import readiness
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
    assert [each.why for each in readiness.lacking(kind, found, Events())] == [why]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_that_is_complete_lacks_nothing(kind: str) -> None:
    assert list(readiness.lacking(kind, workload(**COMPLETE), Events())) == []


def test_pods_that_are_refused_are_told_with_the_reason() -> None:
    message = "exceeded quota: budget, requested: limits.memory=64Gi"
    refused = {"type": "ReplicaFailure", "status": "True", "message": message}
    deployment = workload(conditions=[refused])
    stateful = event("engine", "FailedCreate", 'violates PodSecurity "restricted:latest": x')

    *_, of_deployment = readiness.lacking("Deployment", deployment, Events())
    *_, of_stateful = readiness.lacking("StatefulSet", workload(), Events([stateful]))

    assert of_deployment.why == f"its pods are refused by quota budget: {message}"
    assert of_stateful.why.startswith('its pods are refused by Pod Security "restricted:latest":')
    assert {of_deployment.party, of_stateful.party} == {"configuration"}
    assert of_deployment.patience_seconds <= 5
    assert of_stateful.patience_seconds == 0


def whys(kind: str, found: dict[str, Any], **options: Any) -> list[str]:
    return [each.why for each in readiness.lacking(kind, found, Events(), **options)]


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
        return len(list(readiness.lacking("StatefulSet", found, Events([said]), pods=pods)))

    assert told() == 2
    assert told({"metadata": {"name": "engine-0"}}) == 1


def spec(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**found, "spec": {**found["spec"], **changes}}


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        pytest.param("Deployment", spec(workload(), replicas=0), id="zero replicas"),
        pytest.param("Deployment", spec(workload(), paused=True), id="a paused Deployment"),
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
            id="OnDelete: nobody replaces its pods",
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
                workload(desiredNumberScheduled=2, numberReady=2, updatedNumberScheduled=0),
                updateStrategy={"type": "OnDelete"},
            ),
            id="a DaemonSet with OnDelete",
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


def job(*conditions: str, **more: Any) -> dict[str, Any]:
    told = [{"type": each, "status": "True", "reason": "R", "message": "m"} for each in conditions]
    return {"metadata": {"name": "migrate"}, "spec": {}, "status": {"conditions": told}, **more}


def of_job(found: dict[str, Any], **options: Any) -> list[tuple[str, float]]:
    return [
        (each.why, each.patience_seconds)
        for each in readiness.lacking_of_job(found, Events(), **options)
    ]


def test_a_job_of_a_release_is_waited_for_and_its_failure_is_final() -> None:
    assert of_job(job()) == [("job/migrate has not ended", math.inf)]
    assert of_job(job("Complete")) == []
    assert of_job(job("SuccessCriteriaMet")) == []
    assert of_job(job("Failed")) == [("job/migrate failed: R: m", 0)]
    assert of_job(job(spec={"suspend": True})) == []


def test_helm_itself_has_the_first_word_of_a_hook() -> None:
    ((why, patience),) = of_job(job("Failed"), hook="post-install")

    assert why == "hook job/migrate (post-install) failed: R: m"
    assert 0 < patience < math.inf


def test_a_job_that_serves_by_its_own_probe_is_up() -> None:
    probed = {"containers": [{"name": "c", "readinessProbe": {}}]}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    serving = {"metadata": {"name": "p"}, "spec": probed, "status": ready}
    silent = {**serving, "spec": {"containers": [{"name": "c"}]}}

    assert of_job(job(), pods=[serving]) == []
    assert len(of_job(job(), pods=[silent])) == 1


def custom(*conditions: tuple[str, str], **status: Any) -> dict[str, Any]:
    told = [
        {"type": each, "status": is_so, "reason": "R", "message": "m"} for each, is_so in conditions
    ]
    return {
        "kind": "Cache",
        "metadata": {"name": "c", "generation": 3},
        "spec": {},
        "status": {"conditions": told, **status},
    }


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(custom(("Ready", "False")), "cache/c is not Ready: R: m", id="not ready"),
        pytest.param(custom(("Ready", "Unknown")), "cache/c is not Ready: R: m", id="not known"),
        pytest.param(
            custom(("Available", "False")), "cache/c is not Available: R: m", id="not available"
        ),
        pytest.param(
            custom(("Ready", "True"), observedGeneration=2),
            "cache/c: its controller has not taken up its newest generation",
            id="ready as it was before",
        ),
        pytest.param(
            custom(("Stalled", "True")), "cache/c is stalled: R: m", id="its controller gave up"
        ),
        pytest.param(
            custom(("Reconciling", "True")), "cache/c is being reconciled: R: m", id="on its way"
        ),
    ],
)
def test_a_custom_resource_says_what_it_lacks(found: dict[str, Any], why: str) -> None:
    assert [each.why for each in readiness.lacking_of_custom(found)] == [why]


@pytest.mark.parametrize(
    "found",
    [
        custom(("Ready", "True"), observedGeneration=3),
        custom(("Ready", "True"), ("Available", "False")),
        custom(("Reconciling", "False"), ("Stalled", "False")),
        custom(),
        {**custom(("Ready", "False")), "spec": {"suspend": True}},
    ],
    ids=["ready", "ready goes before available", "kstatus", "silent", "suspended"],
)
def test_a_custom_resource_that_is_up_or_silent_lacks_nothing(found: dict[str, Any]) -> None:
    assert list(readiness.lacking_of_custom(found)) == []


def claim(phase: str) -> dict[str, Any]:
    return {"metadata": {"name": "data"}, "spec": {}, "status": {"phase": phase}}


def test_a_claim_that_nobody_mounts_is_waited_for_unless_it_waits_for_a_pod() -> None:
    def told(phase: str, **said: str) -> list[tuple[str, float]]:
        found = readiness.lacking_of_claim(claim(phase), said)
        return [(each.why, each.patience_seconds) for each in found]

    missing = 'storageclass.storage.k8s.io "fast" not found'
    assert told("Bound") == []
    assert told("Pending", WaitForFirstConsumer="waits") == []
    assert told("Pending", ProvisioningFailed=missing) == [
        (f"its volume cannot be had: {missing}", 0)
    ]
    assert told("Pending", FailedBinding="no storage class is set")[0][1] == math.inf
    assert told("Pending") == [("its volume is not bound yet", math.inf)]
    assert told("Lost") == [("its volume is lost", 0)]
