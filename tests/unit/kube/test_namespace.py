"""A run's namespace: restricted when made, explained when refused, gone afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from floe_tests.clusters.namespace import NamespaceRules, create_namespace, delete_namespace
from floe_tests.deadline import Deadline
from floe_tests.errors import CleanupError, ConfigurationError, DeadlineError
from floe_tests.labels import Owner
from floe_tests.settings import PodSecurity

if TYPE_CHECKING:
    from conftest import Api

OWNER = Owner("1a2b3c4d", "integration", "main", "72c65fc", datetime(2026, 11, 23, tzinfo=UTC))
RULES = NamespaceRules("8Gi")
NAMESPACES = "/api/v1/namespaces"
QUOTAS = "/api/v1/namespaces/ns/resourcequotas"


def create(api: Api, *, seconds: float = 30) -> None:
    create_namespace(api.kube(), "ns", owner=OWNER, rules=RULES, deadline=Deadline(seconds))


def test_it_is_restricted_limited_and_labelled_before_anything_runs_in_it(api: Api):
    api.script.answers["POST", NAMESPACES] = (201, {})
    api.script.answers["POST", QUOTAS] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])

    create(api)

    namespace, quota, *_ = [item.body for item in api.script.requests]
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels.items() >= OWNER.labels().items()
    assert quota["spec"] == {"hard": {"limits.memory": "8Gi"}}
    assert quota["metadata"]["labels"] == OWNER.labels()


@pytest.mark.parametrize("level", ["baseline", "privileged"])
def test_its_pod_security_is_the_tiers(api: Api, level: PodSecurity):
    api.script.answers["POST", NAMESPACES] = (201, {})
    api.script.answers["POST", QUOTAS] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])

    rules = NamespaceRules("8Gi", level)
    create_namespace(api.kube(), "ns", owner=OWNER, rules=rules, deadline=Deadline(30))

    labels = api.script.requests[0].body["metadata"]["labels"]
    modes = {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")}
    assert modes == {level}


def test_it_waits_for_the_account_that_pods_need(api: Api):
    api.script.answers["POST", NAMESPACES] = (201, {})
    api.script.answers["POST", QUOTAS] = (201, {})

    with pytest.raises(DeadlineError, match=r"ns got no default service account within 0\.3 s"):
        create(api, seconds=0.3)


@pytest.mark.parametrize(
    ("status", "words"),
    [(409, "already there.*kubectl .*delete namespace ns"), (403, "may not create namespaces")],
)
def test_a_refusal_is_a_matter_of_configuration_with_its_remedy(api: Api, status: int, words: str):
    api.script.answers["POST", NAMESPACES] = (status, {"message": "no"})

    with pytest.raises(ConfigurationError, match=words):
        create(api)


def test_it_is_deleted_and_waited_for(api: Api):
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (200, {})
    api.script.lists.appendleft([{"metadata": {"name": "ns"}}])

    delete_namespace(api.kube(), "ns", deadline=Deadline(30))

    assert sum(item.method == "GET" for item in api.script.requests) >= 2


def test_one_that_is_not_there_is_fine(api: Api):
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (404, {})

    delete_namespace(api.kube(), "ns", deadline=Deadline(30))

    assert len(api.script.requests) == 1


@pytest.mark.parametrize("found", [{"floe-tests/run": "another"}, {}], ids=["another run's", "no"])
def test_one_of_another_run_is_left_alone(api: Api, found: dict[str, str]):
    """A run that could not create its namespace must not delete the one that was in its way."""
    api.script.answers["GET", f"{NAMESPACES}/ns"] = (200, {"metadata": {"labels": found}})

    delete_namespace(api.kube(), "ns", run_id="1a2b3c4d", deadline=Deadline(30))

    assert [item.method for item in api.script.requests] == ["GET"]


def test_one_of_the_run_itself_is_deleted(api: Api):
    own = {"metadata": {"labels": OWNER.labels()}}
    api.script.answers["GET", f"{NAMESPACES}/ns"] = (200, own)
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (200, {})

    delete_namespace(api.kube(), "ns", run_id=OWNER.run_id, deadline=Deadline(30))

    assert "DELETE" in [item.method for item in api.script.requests]


def test_one_that_stays_is_told_with_what_keeps_it(api: Api):
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (200, {})
    api.script.lists = type(api.script.lists)([[{"metadata": {"name": "ns"}}]])
    api.script.answers["GET", f"{NAMESPACES}/ns"] = (
        200,
        {"status": {"conditions": [{"status": "True", "message": "finalizer x remains"}]}},
    )

    with pytest.raises(CleanupError, match=r"still there 0\.3 s after its deletion: finalizer x"):
        delete_namespace(api.kube(), "ns", deadline=Deadline(0.3))


CUSTOM = "/apis/flink.apache.org/v1beta1/namespaces/ns/flinkdeployments"


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
    return {"metadata": {"name": "ns"}, "status": {"conditions": conditions}}


def struck(api: Api, namespace: dict[str, object]) -> list[str]:
    """Delete a namespace, and give the paths of what was changed meanwhile."""
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (200, {})
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
    api.script.lists = type(api.script.lists)([[namespace], [], []])

    delete_namespace(api.kube(), "ns", deadline=Deadline(30))

    changed = [item for item in api.script.requests if item.method == "PATCH"]
    assert all(item.body == {"metadata": {"finalizers": None}} for item in changed)
    return [item.path for item in changed]


REMAINING = "Some resources are remaining: "
ORPHAN = "flinkdeployments.flink.apache.org has 1 resource instances"


def test_what_an_operator_was_to_let_go_is_let_go_when_the_operator_went_first(api: Api):
    """Kubernetes deletes pods first: the namespace stayed for ever."""
    assert struck(api, going(content=REMAINING + ORPHAN, seconds_ago=60)) == [f"{CUSTOM}/held"]


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
def test_nothing_else_is_struck(api: Api, content: str, seconds_ago: float):
    assert struck(api, going(content=REMAINING + content, seconds_ago=seconds_ago)) == []


def test_one_that_may_not_be_deleted_is_told_with_the_command(api: Api):
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (403, {"message": "forbidden"})

    with pytest.raises(CleanupError, match=r"Remove it with `kubectl .* delete namespace ns`"):
        delete_namespace(api.kube(), "ns", deadline=Deadline(30))
