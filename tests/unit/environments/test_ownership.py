"""What proves that a run created an object: its UID, never a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from floe_tests.core import labels
from floe_tests.environments.ownership import create_owned, names_run, why_not_proved, why_protected
from floe_tests.kube.client import RefusedError

if TYPE_CHECKING:
    from tests.support.kube_api import Api

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
JOBS = "/apis/batch/v1/namespaces/ns/jobs"
NAME = "soak-1a2b3c4d-1"
JOB = {"kind": "Job", "metadata": {"name": NAME}}
MADE = {"metadata": {"name": NAME, "uid": "uid-1"}}


def test_its_creator_writes_its_uid_into_it(api: Api):
    marked = {"metadata": {**MADE["metadata"], "resourceVersion": "8"}}
    api.script.answers["POST", JOBS] = (201, MADE)
    api.script.answers["PATCH", f"{JOBS}/{NAME}"] = (200, marked)

    assert create_owned(api.kube(), JOB, namespace="ns") == marked

    (change,) = [item.body for item in api.script.requests if item.method == "PATCH"]
    own = {labels.CREATED_UID_ANNOTATION: "uid-1"}
    assert change == {"metadata": {"uid": "uid-1", "annotations": own}}


def test_one_that_became_another_in_the_same_moment_is_not_marked(api: Api):
    api.script.answers["POST", JOBS] = (201, MADE)
    api.script.answers["PATCH", f"{JOBS}/{NAME}"] = (409, {"reason": "Conflict"})

    with pytest.raises(RefusedError):
        create_owned(api.kube(), JOB, namespace="ns")


def test_one_that_somebody_deletes_in_the_same_moment_is_told_by_who_follows_it(api: Api):
    api.script.answers["POST", JOBS] = (201, MADE)
    api.script.answers["PATCH", f"{JOBS}/{NAME}"] = (404, {})

    assert create_owned(api.kube(), JOB, namespace="ns") == MADE


def item(**metadata: Any) -> dict[str, Any]:
    carried = {labels.MANAGED_BY: labels.MANAGER, labels.RUN: RUN, labels.EXPIRES: "1"}
    return {"metadata": {"name": NAME, "uid": "uid-1", "labels": carried, **metadata}}


def mark(uid: str) -> dict[str, str]:
    return {labels.CREATED_UID_ANNOTATION: uid}


OWNED = [{"kind": "Job", "name": "soak-1a2b3c4d-1", "uid": "uid-of-job"}]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"annotations": mark("uid-1")}, id="by its mark"),
        pytest.param({"uid": "recorded"}, id="by the ledger"),
        pytest.param({"ownerReferences": OWNED}, id="by its owner"),
    ],
)
def test_it_is_proved(metadata: dict[str, Any]):
    assert (
        why_not_proved(item(**metadata), run_id=RUN, recorded={"recorded"}, owners={"uid-of-job"})
        == ""
    )


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        pytest.param({}, "no mark of its creator", id="labels and a name"),
        pytest.param({"uid": ""}, "no mark", id="no uid at all"),
        pytest.param({"annotations": mark("uid-2")}, "it is a copy", id="another's mark"),
        pytest.param({"annotations": mark("")}, "it is a copy", id="an empty mark"),
        pytest.param({"annotations": None}, "no mark", id="annotations that are null"),
        pytest.param({"ownerReferences": [{"uid": "x"}]}, "no mark", id="another's owner"),
        pytest.param({"name": "checkout", "annotations": mark("uid-1")}, "its name", id="a name"),
        pytest.param(
            {"name": "1a2b3c4d", "annotations": mark("uid-1")}, "its name", id="the run alone"
        ),
    ],
)
def test_it_is_not_proved(metadata: dict[str, Any], said: str):
    assert said in why_not_proved(item(**metadata), run_id=RUN, recorded={""}, owners=set())


@pytest.mark.parametrize(
    ("name", "run_id", "is_named"),
    [
        ("floe-test-1a2b3c4d", RUN, True),
        ("soak-1a2b3c4d-1-s3-2", RUN, True),
        ("soak-1a2b3c4d-1-plan", RUN, True),
        ("soak-1a2b3c4de", RUN, False),
        ("soak-x1a2b3c4d", RUN, False),
        ("a-1", "1", False),
        ("a-", "", False),
        ("a-1a2b.c4d", "1a2b.c4d", True),
        ("a-1a2bxc4d", "1a2b.c4d", False),
    ],
)
def test_a_name_is_one_that_its_run_gives(name: str, run_id: str, is_named: bool):  # noqa: FBT001 - the row
    assert names_run(name, run_id) is is_named


@pytest.mark.parametrize(
    "name",
    [
        *("default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"),
        *("openshift-ingress", "kube-1a2b3c4d", "gke-managed-system", "floe-staging"),
    ],
)
def test_some_namespaces_are_never_removed(name: str):
    assert why_protected(name, {"floe-staging"})


def test_a_runs_namespace_may_be(monkeypatch: pytest.MonkeyPatch):
    assert why_protected("floe-test-1a2b3c4d", {"floe-staging"}) == ""

    own = "floe_tests.environments.ownership._own_namespace"
    monkeypatch.setattr(own, lambda: "floe-test-1a2b3c4d")
    assert "the orchestrator" in why_protected("floe-test-1a2b3c4d")
