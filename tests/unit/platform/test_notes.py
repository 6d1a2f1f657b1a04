"""What is said of a release that is up: what of it does not run, or is not waited for."""

from __future__ import annotations

from typing import Any

import pytest

from floe_tests.platform import notes


def item(name: str = "x", *, generation: int = 1, **parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "generation": generation}, "spec": {}, "status": {}, **parts}


def told(kind: str, found: dict[str, Any], manifest: dict[str, Any] | None = None) -> list[str]:
    return list(notes.notes_on(kind, found, manifest or found))


UPDATED = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
PARTITION = {"rollingUpdate": {"partition": 2}}


@pytest.mark.parametrize(
    ("kind", "found", "note"),
    [
        pytest.param(
            "Deployment",
            item(spec={"replicas": 1, "paused": True}, status=UPDATED),
            "deployment/x is paused: a change of its template makes no new pods",
            id="paused",
        ),
        pytest.param(
            "Deployment",
            item(spec={"replicas": 0}),
            "deployment/x has 0 replicas: nothing of it runs",
            id="no replicas",
        ),
        pytest.param(
            "DaemonSet",
            item(status={"desiredNumberScheduled": 0}),
            "daemonset/x matches no node: nothing of it runs",
            id="no node",
        ),
        pytest.param(
            "StatefulSet",
            item(spec={"replicas": 1, "updateStrategy": {"type": "OnDelete"}}, status=UPDATED),
            "statefulset/x replaces its pods only when somebody deletes them (OnDelete)",
            id="OnDelete",
        ),
        pytest.param(
            "StatefulSet",
            item(
                spec={"replicas": 3, "updateStrategy": PARTITION},
                status={"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1},
            ),
            "statefulset/x runs two templates: 1 of 3 pods updated, the others as they were before "
            "(partition 2): the tests meet both",
            id="a partition",
        ),
        pytest.param(
            "Job",
            item(spec={"suspend": True}),
            "job/x is suspended: it is not waited for",
            id="a suspended Job",
        ),
        pytest.param(
            "Job",
            item(spec={"parallelism": 0}),
            "job/x is of parallelism 0: it is not waited for",
            id="a Job without pods",
        ),
        pytest.param(
            "Pod",
            item(status={"phase": "Succeeded"}),
            "pod/x has ended: nothing of it runs any more",
            id="a pod on its own that has ended",
        ),
        pytest.param(
            "PersistentVolumeClaim",
            item(status={"phase": "Pending"}),
            "persistentvolumeclaim/x has no volume: it waits for a pod that mounts it",
            id="a claim that nobody mounts",
        ),
        pytest.param(
            "Cache",
            item(generation=2, status={"conditions": [{"type": "Ready", "status": "True"}]}),
            "cache/x has no status.observedGeneration: whether its newest change has been taken up "
            "is not known",
            id="ready, and nobody knows of which generation",
        ),
        pytest.param(
            "Cache",
            item(spec={"suspend": True}),
            "cache/x is suspended: it is not waited for",
            id="a suspended custom resource",
        ),
    ],
)
def test_what_does_not_run_or_is_not_waited_for_is_said(
    kind: str, found: dict[str, Any], note: str
) -> None:
    assert told(kind, found) == [note]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("Deployment", item(spec={"replicas": 1}, status=UPDATED)),
        ("StatefulSet", item(spec={"replicas": 1, "updateStrategy": PARTITION}, status=UPDATED)),
        ("Job", item()),
        ("PersistentVolumeClaim", item(status={"phase": "Bound"})),
        ("Cache", item(status={"conditions": []})),
        ("Cache", item(generation=2, status={"observedGeneration": 2})),
    ],
)
def test_nothing_is_said_of_what_is_as_it_should_be(kind: str, found: dict[str, Any]) -> None:
    assert told(kind, found) == []


def test_a_workload_that_somebody_has_scaled_to_nothing_is_said() -> None:
    found = told("Deployment", item(spec={"replicas": 0}), item(spec={"replicas": 2}))

    assert found == ["deployment/x has 0 replicas, where its chart says 2: nothing of it runs"]


def test_a_cron_job_is_not_waited_for() -> None:
    nightly = item("nightly", kind="CronJob", spec={"schedule": "0 3 * * *"})
    off = item("off", kind="CronJob", spec={"schedule": "0 3 * * *", "suspend": True})

    assert list(notes.notes_on_manifests([nightly, off, item(kind="ConfigMap")])) == [
        "cronjob/nightly runs by its schedule (0 3 * * *): it is not waited for",
        "cronjob/off is suspended: it is not waited for",
    ]


def test_an_address_that_nobody_gives_is_said() -> None:
    balanced = item("web", kind="Service", spec={"type": "LoadBalancer"})
    given = {**balanced, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}

    assert notes.wants_address(balanced)
    assert not notes.wants_address(item("web", kind="Service", spec={"type": "NodePort"}))
    assert notes.wants_address(item("web", kind="Ingress"))
    assert list(notes.notes_on_address(given, "Service")) == []
    assert list(notes.notes_on_address(balanced, "Service")) == [
        "service/web (LoadBalancer) has no address: it is reached in the cluster alone"
    ]
    assert list(notes.notes_on_address(item("web"), "Ingress")) == [
        "ingress/web has no address: no controller says that it serves it"
    ]


def test_custom_resources_without_a_status_are_named_kind_by_kind() -> None:
    silent = [item(f"r{n}", kind="Rule") for n in range(5)] + [item("c", kind="Cache")]

    assert list(notes.notes_on_silent(silent)) == [
        "cache/c: no status: whether a controller has taken it up is not known",
        (
            "rule/r0, rule/r1, rule/r2 and 2 more: no status: whether a controller has taken it up "
            "is not known"
        ),
    ]


def test_the_autoscaler_that_zero_replicas_turn_off_is_found() -> None:
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "x"}}
    chart = [item("by-cpu", kind="HorizontalPodAutoscaler", spec=target)]

    assert notes.scaled_by(chart, "Deployment", "x") == "by-cpu"
    assert notes.scaled_by(chart, "StatefulSet", "x") is None
