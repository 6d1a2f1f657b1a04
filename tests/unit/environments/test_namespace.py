"""A run's namespace: restricted when made, explained when refused, gone afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from floe_tests.config.environment import PodSecurity
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError, ConfigurationError, DeadlineError
from floe_tests.core.labels import Owner
from floe_tests.environments.namespace import (
    NamespaceRules,
    create_namespace,
    delete_namespace,
    force_delete_stuck_pods,
)

if TYPE_CHECKING:
    from tests.support.kube_api import Api

OWNER = Owner("1a2b3c4d", "integration", "main", "72c65fc", datetime(2026, 11, 23, tzinfo=UTC))
RULES = NamespaceRules("8Gi")
NAMESPACES = "/api/v1/namespaces"
NAME = "floe-test-1a2b3c4d"
ONE = f"{NAMESPACES}/{NAME}"
QUOTAS = f"{ONE}/resourcequotas"


def namespace(*, marked: str | None = "uid-1", **metadata: Any) -> dict[str, Any]:
    """The run's namespace as its creator left it, or as somebody else did."""
    annotations = {} if marked is None else {labels.CREATED_UID_ANNOTATION: marked}
    found = {"name": NAME, "uid": "uid-1", "labels": OWNER.labels(), "annotations": annotations}
    return {"metadata": {**found, **metadata}}


def delete(api: Api, *, seconds: float = 30, uid: str = "") -> None:
    deadline = Deadline(seconds)
    delete_namespace(api.kube(), NAME, run_id=OWNER.run_id, deadline=deadline, uid=uid)


def methods(api: Api) -> list[str]:
    return [item.method for item in api.script.requests]


def create(api: Api, *, seconds: float = 30) -> None:
    deadline = Deadline(seconds)
    assert (
        create_namespace(api.kube(), NAME, owner=OWNER, rules=RULES, deadline=deadline) == "uid-1"
    )


def test_it_is_restricted_limited_and_labelled_before_anything_runs_in_it(api: Api):
    api.script.answers["POST", NAMESPACES] = (201, namespace(marked=None))
    api.script.answers["PATCH", ONE] = (200, namespace())
    api.script.answers["POST", QUOTAS] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])

    create(api)

    made, mark, quota, *_ = [item.body for item in api.script.requests]
    carried = made["metadata"]["labels"]
    assert carried["pod-security.kubernetes.io/enforce"] == "restricted"
    assert carried.items() >= OWNER.labels().items()
    # With its UID, so that Kubernetes refuses to mark another of that name.
    own = {labels.CREATED_UID_ANNOTATION: "uid-1"}
    assert mark == {"metadata": {"uid": "uid-1", "annotations": own}}
    assert quota["spec"] == {"hard": {"limits.memory": "8Gi"}}
    assert quota["metadata"]["labels"] == OWNER.labels()


@pytest.mark.parametrize("level", ["baseline", "privileged"])
def test_its_pod_security_is_the_tiers(api: Api, level: PodSecurity):
    api.script.answers["POST", NAMESPACES] = (201, namespace(marked=None))
    api.script.answers["PATCH", ONE] = (200, namespace())
    api.script.answers["POST", QUOTAS] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])

    rules = NamespaceRules("8Gi", level)
    create_namespace(api.kube(), NAME, owner=OWNER, rules=rules, deadline=Deadline(30))

    set_labels = api.script.requests[0].body["metadata"]["labels"]
    modes = {
        set_labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")
    }
    assert modes == {level}


def test_it_waits_for_the_account_that_pods_need(api: Api):
    api.script.answers["POST", NAMESPACES] = (201, namespace(marked=None))
    api.script.answers["PATCH", ONE] = (200, namespace())
    api.script.answers["POST", QUOTAS] = (201, {})

    with pytest.raises(DeadlineError, match=r"got no default service account within 0\.3 s"):
        create(api, seconds=0.3)


@pytest.mark.parametrize(
    ("status", "words"),
    [(409, f"already there.*delete namespace {NAME}"), (403, "may not create namespaces")],
)
def test_a_refusal_is_a_matter_of_configuration_with_its_remedy(api: Api, status: int, words: str):
    api.script.answers["POST", NAMESPACES] = (status, {"message": "no"})

    with pytest.raises(ConfigurationError, match=words):
        create(api)


@pytest.mark.parametrize("marked", [None, "uid-1"], ids=["not marked yet", "marked"])
def test_one_that_the_run_created_in_another_process_is_gone_on_with(api: Api, marked: str | None):
    """Killed between the creation and the mark, and resumed: its mark is made good."""
    api.script.answers["POST", NAMESPACES] = (409, {"message": "exists"})
    api.script.answers["GET", ONE] = (200, namespace(marked=marked))
    api.script.answers["PATCH", ONE] = (200, namespace())
    api.script.answers["POST", QUOTAS] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])

    create(api)

    assert ("PATCH" in methods(api)) is (marked is None)


def test_a_copy_of_it_is_not_taken_for_it(api: Api):
    api.script.answers["POST", NAMESPACES] = (409, {"message": "exists"})
    api.script.answers["GET", ONE] = (200, namespace(marked="uid-of-the-original"))

    with pytest.raises(ConfigurationError, match="already there"):
        create(api)

    assert "PATCH" not in methods(api)


def test_it_is_deleted_by_its_uid_and_waited_for(api: Api):
    api.script.answers["GET", ONE] = (200, namespace())
    api.script.answers["DELETE", ONE] = (200, {})
    api.script.lists = type(api.script.lists)([[namespace()], [], []])

    delete(api)

    (asked,) = [item.body for item in api.script.requests if item.method == "DELETE"]
    assert asked["preconditions"] == {"uid": "uid-1"}
    assert methods(api).count("GET") >= 2


def test_another_of_its_name_that_comes_after_it_is_not_waited_for(api: Api):
    api.script.answers["GET", ONE] = (200, namespace())
    api.script.answers["DELETE", ONE] = (200, {})
    api.script.lists = type(api.script.lists)([[namespace(uid="uid-2")]])

    delete(api, seconds=5)

    assert methods(api).count("DELETE") == 1


def test_one_that_became_another_in_between_is_left_alone(api: Api):
    """Kubernetes refuses the deletion: the name is another object's by now."""
    api.script.answers["GET", ONE] = (200, namespace())
    api.script.answers["DELETE", ONE] = (409, {"reason": "Conflict", "message": "uid"})

    delete(api)

    assert methods(api) == ["GET", "DELETE"]


def test_one_that_is_not_there_is_fine(api: Api):
    api.script.answers["GET", ONE] = (404, {})

    delete(api)

    assert methods(api) == ["GET"]


@pytest.mark.parametrize("found", [{"floe-tests/run": "another"}, {}], ids=["another run's", "no"])
def test_one_of_another_run_is_left_alone(api: Api, found: dict[str, str]):
    """A run that could not create its namespace must not delete the one that was in its way."""
    api.script.answers["GET", ONE] = (200, namespace(labels=found))

    delete(api)

    assert methods(api) == ["GET"]


@pytest.mark.parametrize("marked", [None, "uid-of-the-original"], ids=["no mark", "a copy's mark"])
def test_one_that_only_its_labels_call_the_runs_own_is_left_alone_and_told(
    api: Api, marked: str | None
):
    """Exported from a run's namespace, and applied by a team under the same name."""
    api.script.answers["GET", ONE] = (200, namespace(marked=marked))

    with pytest.raises(CleanupError, match=f"left alone: .*created-uid.*delete namespace {NAME}"):
        delete(api, uid="uid-of-the-original")

    assert methods(api) == ["GET"]


@pytest.mark.parametrize(
    ("marked", "uid"), [("uid-1", ""), (None, "uid-1")], ids=["by its mark", "by the ledger"]
)
def test_one_of_the_run_itself_is_deleted(api: Api, marked: str | None, uid: str):
    api.script.answers["GET", ONE] = (200, namespace(marked=marked))
    api.script.answers["DELETE", ONE] = (200, {})

    delete(api, uid=uid)

    assert "DELETE" in methods(api)


def test_one_that_stays_is_told_with_what_keeps_it(api: Api):
    conditions = [{"status": "True", "message": "finalizer x remains"}]
    stuck = {**namespace(), "status": {"conditions": conditions}}
    api.script.answers["DELETE", ONE] = (200, {})
    api.script.lists = type(api.script.lists)([[stuck]])
    api.script.answers["GET", ONE] = (200, stuck)

    with pytest.raises(CleanupError, match=r"still there 0\.3 s after its deletion: finalizer x"):
        delete(api, seconds=0.3)


def pod_that_ends(seconds_ago: float) -> dict[str, Any]:
    ended = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {"name": "p", "uid": "uid-p", "deletionTimestamp": ended}}


@pytest.mark.parametrize(("seconds_ago", "deleted"), [(2, False), (60, True)])
@pytest.mark.parametrize("hours", [-1, 0, 1], ids=["an hour behind", "right", "an hour ahead"])
def test_a_pod_is_deleted_by_the_clock_of_the_api_whatever_this_machines_says(
    api: Api,
    step_clock: Callable[[float], None],
    seconds_ago: float,
    deleted: bool,  # noqa: FBT001 - the row
    hours: int,
):
    """A machine an hour ahead took every pod that was asked to end for one on a lost node."""
    step_clock(hours)
    api.script.answers["DELETE", f"{ONE}/pods/p"] = (200, {})
    api.script.lists = type(api.script.lists)([[pod_that_ends(seconds_ago)]])

    force_delete_stuck_pods(api.kube(), NAME)

    assert ("DELETE" in methods(api)) is deleted


CUSTOM = "/apis/flink.apache.org/v1beta1/namespaces/floe-test-1a2b3c4d/flinkdeployments"


def going(*, content: str, seconds_ago: float) -> dict[str, object]:
    """A namespace on its way out, in which something with a finalizer is left."""
    since = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    conditions = [
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all deleted"},
        {"type": "NamespaceContentRemaining", "status": "True", "message": content},
        {
            "type": "NamespaceFinalizersRemaining",
            "status": "True",
            "lastTransitionTime": since.isoformat(),
        },
    ]
    return {**namespace(), "status": {"conditions": conditions}}


def finalizers_removed(api: Api, found: dict[str, object]) -> list[str]:
    """Delete a namespace, and give the paths of what was changed meanwhile."""
    api.script.answers["GET", ONE] = (200, namespace())
    api.script.answers["DELETE", ONE] = (200, {})
    api.script.answers["GET", "/apis/flink.apache.org"] = (
        200,
        {"preferredVersion": {"groupVersion": "flink.apache.org/v1beta1"}},
    )
    held = {"deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["x/finalizer"]}
    objects = [
        {"metadata": {"name": "held", **held}},
        {"metadata": {"name": "new", "finalizers": ["x/finalizer"]}},
    ]
    api.script.answers["GET", CUSTOM] = (200, {"items": objects})
    api.script.answers["PATCH", f"{CUSTOM}/held"] = (200, {})
    # The namespace, its pods, and then nothing of either.
    api.script.lists = type(api.script.lists)([[found], [], []])

    delete(api)

    changed = [item for item in api.script.requests if item.method == "PATCH"]
    assert all(item.body == {"metadata": {"finalizers": None}} for item in changed)
    return [item.path for item in changed]


REMAINING = "Some resources are remaining: "
ORPHAN = "flinkdeployments.flink.apache.org has 1 resource instances"


def test_what_an_operator_was_to_let_go_is_let_go_when_the_operator_went_first(api: Api):
    """Kubernetes deletes pods first: the namespace stayed for ever."""
    assert finalizers_removed(api, going(content=REMAINING + ORPHAN, seconds_ago=60)) == [
        f"{CUSTOM}/held"
    ]


@pytest.mark.parametrize(
    ("content", "seconds_ago"),
    [
        pytest.param(ORPHAN, 2, id="an operator elsewhere has its time"),
        pytest.param(f"{ORPHAN}, pods. has 2 resource instances", 60, id="pods are left"),
        pytest.param("persistentvolumeclaims. has 1 resource instances", 60, id="kubernetes' own"),
        pytest.param(
            "x.networking.k8s.io has 1 resource instances", 60, id="of a group of its own"
        ),
    ],
)
def test_no_other_finalizer_is_removed(api: Api, content: str, seconds_ago: float):
    assert (
        finalizers_removed(api, going(content=REMAINING + content, seconds_ago=seconds_ago)) == []
    )


def test_one_that_may_not_be_deleted_is_told_with_the_command(api: Api):
    api.script.answers["GET", ONE] = (200, namespace())
    api.script.answers["DELETE", ONE] = (403, {"message": "forbidden"})

    with pytest.raises(CleanupError, match=f"Remove it with `kubectl .* delete namespace {NAME}`"):
        delete(api)
