"""A run's namespace: restricted when made, explained when refused, gone afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from floe_tests.clusters.namespace import create_namespace, delete_namespace
from floe_tests.deadline import Deadline
from floe_tests.errors import CleanupError, ConfigurationError, DeadlineError
from floe_tests.labels import Owner

if TYPE_CHECKING:
    from conftest import Api

OWNER = Owner("1a2b3c4d", "integration", "main", "72c65fc", datetime(2026, 11, 23, tzinfo=UTC))
NAMESPACES = "/api/v1/namespaces"
QUOTAS = "/api/v1/namespaces/ns/resourcequotas"


def create(api: Api, *, seconds: float = 30) -> None:
    create_namespace(api.kube(), "ns", owner=OWNER, memory="8Gi", deadline=Deadline(seconds))


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


def test_one_that_may_not_be_deleted_is_told_with_the_command(api: Api):
    api.script.answers["DELETE", f"{NAMESPACES}/ns"] = (403, {"message": "forbidden"})

    with pytest.raises(CleanupError, match=r"Remove it with `kubectl .* delete namespace ns`"):
        delete_namespace(api.kube(), "ns", deadline=Deadline(30))
