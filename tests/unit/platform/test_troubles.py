"""What keeps a pod from being ready, and whether that can mend."""

from __future__ import annotations

import math
from typing import Any

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.platform import troubles as pod_troubles
from floe_tests.platform.troubles import Events

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"conditions": [{"type": "Ready", "status": "False"}]}
CRASHED = {"terminated": {"reason": "Error", "exitCode": 2}}


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    statuses = {"containerStatuses": list(containers), **status}
    labels = {"app.kubernetes.io/component": "engine"}
    return {"metadata": {"name": "web", "labels": labels}, "status": statuses}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}, **more}


def event(name: str, reason: str, message: str) -> dict[str, Any]:
    return {"involvedObject": {"name": name}, "reason": reason, "message": message}


def troubles(found: dict[str, Any], *events: dict[str, Any]) -> list[tuple[str, float]]:
    return [
        (each.why, each.patience_seconds)
        for each in pod_troubles.troubles_of({"web": found}, Events(events))
    ]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(
            pod(waiting("InvalidImageName", "bad reference")),
            "container c: InvalidImageName: bad reference",
            id="an image name that is none",
        ),
        pytest.param(
            pod(waiting("CreateContainerConfigError", 'secret "db" not found')),
            'container c: CreateContainerConfigError: secret "db" not found',
            id="a missing Secret",
        ),
        pytest.param(
            pod(waiting("CrashLoopBackOff", "back-off", restartCount=3, lastState=CRASHED)),
            "container c crashed: Error, exit code 2, 3 times",
            id="the third crash",
        ),
        pytest.param(
            pod(waiting("ErrImagePull", "localhost:5001/cube:9: not found")),
            "container c: ErrImagePull: localhost:5001/cube:9: not found",
            id="an image that the registry does not have",
        ),
        pytest.param(
            pod(initContainerStatuses=[waiting("InvalidImageName")]),
            "init container c: InvalidImageName",
            id="an init container",
        ),
    ],
)
def test_what_cannot_mend_itself_ends_the_wait_at_once(found: dict[str, Any], why: str) -> None:
    assert troubles(found) == [(why, 0)]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(
            pod(waiting("CrashLoopBackOff", restartCount=2, lastState=CRASHED)),
            "container c crashed: Error, exit code 2, 2 times",
            id="the second crash: what it depends on may still start",
        ),
        pytest.param(
            pod({"name": "c", "state": CRASHED}),
            "container c crashed: Error, exit code 2",
            id="the first crash",
        ),
        pytest.param(
            pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "no room"}]),
            "it cannot be scheduled: no room",
            id="no room: a node may still come",
        ),
    ],
)
def test_what_may_still_mend_is_told_and_waited_for(found: dict[str, Any], told: str) -> None:
    assert troubles(found) == [(told, math.inf)]


def init(**state: Any) -> dict[str, Any]:
    return pod(initContainerStatuses=[{"name": "migrate", **state}])


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(
            init(state={"terminated": {"reason": "Error", "exitCode": 1}}),
            "init container migrate crashed: Error, exit code 1",
            id="it fails",
        ),
        pytest.param(
            init(state={"running": {}}, started=False),
            "init container migrate has not ended",
            id="it hangs",
        ),
        pytest.param(
            init(
                **{k: v for k, v in waiting("ErrImagePull", "x: not found").items() if k != "name"}
            ),
            "init container migrate: ErrImagePull: x: not found",
            id="its image is missing",
        ),
    ],
)
def test_an_init_container_is_named(found: dict[str, Any], why: str) -> None:
    assert [each for each, _ in troubles(found)] == [why]


def test_a_sidecar_that_has_started_is_no_trouble() -> None:
    assert troubles(init(state={"running": {}}, started=True)) == []


def test_a_bare_pod_that_failed_is_final_and_one_that_is_replaced_is_not() -> None:
    failed = pod(phase="Failed", reason="Evicted", message="The node was low on memory")
    owned = {**failed, "metadata": {**failed["metadata"], "ownerReferences": [{"uid": "1"}]}}

    assert troubles(failed) == [
        ("it failed, and nothing replaces it: The node was low on memory", 0)
    ]
    assert troubles(owned) == []


def test_events_of_an_earlier_pod_of_the_same_name_are_not_its_own() -> None:
    """A StatefulSet's pod comes back under its name; what was said of the last one is over."""
    old = {
        **event("web", "Unhealthy", "Readiness probe failed"),
        "involvedObject": {"name": "web", "uid": "1"},
    }
    found = pod(**UNREADY)
    found["metadata"]["uid"] = "2"

    assert troubles(found, old) == []


def test_a_registry_that_is_away_is_waited_for_a_while() -> None:
    refused = "dial tcp 127.0.0.1:5001: connect: connection refused"

    ((_, patience),) = troubles(pod(waiting("ImagePullBackOff", refused)))

    assert 0 < patience < math.inf


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(pod(waiting("ContainerCreating")), id="on its way"),
        pytest.param(pod({"name": "c", "state": {"running": {}}}), id="running"),
        pytest.param(pod(), id="not bound yet"),
    ],
)
def test_a_pod_on_its_way_has_no_trouble(found: dict[str, Any]) -> None:
    assert troubles(found) == []


def test_a_volume_without_its_storage_class_is_named_and_final() -> None:
    found = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "unbound"}])
    claim = {"persistentVolumeClaim": {"claimName": "data-web-0"}}
    failed = event("data-web-0", "ProvisioningFailed", 'storageclass "fast" not found')

    first, *_ = troubles({**found, "spec": {"volumes": [claim]}}, failed)

    assert first == ('its volume data-web-0 cannot be had: storageclass "fast" not found', 0)


def test_a_probe_that_fails_is_told_only_once_the_start_is_over() -> None:
    failed = event("web", "Unhealthy", "Readiness probe failed: 500")

    (trouble,) = pod_troubles.troubles_of({"web": pod(**UNREADY)}, Events([failed]))

    assert (trouble.component, trouble.why) == ("engine", "Readiness probe failed: 500")
    assert trouble.quiet_seconds > 0
    assert trouble.patience_seconds == math.inf


def test_ready_are_pods_that_say_so_and_those_that_are_done() -> None:
    pods = {"a": pod(**READY), "b": pod(**UNREADY), "c": pod(phase="Succeeded"), "d": pod()}

    assert set(pod_troubles.ready_pods(pods, {})) == {"a", "c"}


def test_without_a_readiness_probe_a_pod_has_to_stay_up_to_be_ready() -> None:
    """Kubernetes calls it ready for the moment before it crashes."""
    bare = {**pod(**READY), "spec": {"containers": [{"name": "c"}]}}
    probed = {**bare, "spec": {"containers": [{"name": "c", "readinessProbe": {}}]}}
    steady: dict[str, tuple[int, Deadline]] = {}

    assert set(pod_troubles.ready_pods({"bare": bare, "probed": probed}, steady)) == {"probed"}
    steady["bare"] = (0, Deadline(0))
    assert set(pod_troubles.ready_pods({"bare": bare}, steady)) == {"bare"}
    steady["bare"] = (1, Deadline(0))
    assert set(pod_troubles.ready_pods({"bare": bare}, steady)) == set(), "it was restarted since"


def test_images_are_recorded_with_the_digests_that_really_ran() -> None:
    web = {"name": "c", "image": "ghcr.io/floe/platform:0.1.0", "imageID": "ghcr.io/x@sha256:ab"}

    assert pod_troubles.images_of([pod(web), pod(web)]) == (
        ("ghcr.io/floe/platform:0.1.0", "sha256:ab"),
    )
