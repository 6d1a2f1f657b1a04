"""What a Job, a claim or a custom resource of a release lacks to be up."""

from __future__ import annotations

import math
from typing import Any

import pytest

from floe_tests.platform import readiness
from floe_tests.platform.troubles import Events


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


def test_a_job_that_a_queue_holds_back_is_waited_for_and_one_of_its_charts_wish_is_not() -> None:
    suspended, idle = job(spec={"suspend": True}), job(spec={"parallelism": 0})

    assert of_job(idle) == []
    assert of_job(suspended, manifest=suspended) == []
    assert of_job(suspended, manifest=job()) == [
        ("job/migrate is suspended by somebody else than its chart, such as a queue", math.inf)
    ]
    ((why, _),) = of_job(suspended, hook="pre-install")
    assert why == "hook job/migrate (pre-install) is suspended by its chart", "helm waits for it"


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
