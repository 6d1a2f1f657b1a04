"""A run that has its rights in its own namespace alone gives them to itself there, and waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, DeadlineError
from floe_tests.core.labels import Owner
from floe_tests.environments import role_binding
from floe_tests.environments.namespace import NamespaceRules, create_namespace

if TYPE_CHECKING:
    from tests.support.kube_api import Api

OWNER = Owner("1a2b3c4d", "integration", "main", "72c65fc", datetime(2026, 11, 23, tzinfo=UTC))
ROLE = "floe-tests:floe-tests:namespace"
WHO = ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews")
MAY = ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
BIND = ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/rolebindings")
QUOTA = ("POST", "/api/v1/namespaces/ns/resourcequotas")


def create(
    api: Api,
    *,
    account: str = "system:serviceaccount:floe-tests:floe-tests-run",
    seconds: float = 1,
) -> None:
    answers = api.script.answers
    answers[WHO] = (201, {"status": {"userInfo": {"username": account}}})
    answers.setdefault(MAY, (201, {"status": {"allowed": True}}))
    answers.setdefault(BIND, (201, {}))
    made = {"metadata": {"name": "ns", "uid": "uid-1"}}
    answers["POST", "/api/v1/namespaces"] = (201, made)
    answers["PATCH", "/api/v1/namespaces/ns"] = (200, made)
    answers[QUOTA] = (201, {})
    api.script.lists.appendleft([{"metadata": {"name": "default"}}])
    create_namespace(
        api.kube(),
        "ns",
        owner=OWNER,
        rules=NamespaceRules("8Gi"),
        deadline=Deadline(seconds),
        role=ROLE,
    )


def test_its_mark_is_on_the_namespace_and_its_role_holds_before_anything_else(api: Api) -> None:
    create(api)

    asked = [(item.method, item.path) for item in api.script.requests]
    assert asked.index(BIND) < asked.index(MAY) < asked.index(QUOTA)
    made = next(item.body for item in api.script.requests if item.path == "/api/v1/namespaces")
    assert made["metadata"]["labels"]["floe-tests/created-by"] == "floe-tests.floe-tests-run"
    bound = next(item.body for item in api.script.requests if item.path == BIND[1])
    assert bound["roleRef"]["name"] == ROLE
    assert bound["subjects"] == [
        {"kind": "ServiceAccount", "name": "floe-tests-run", "namespace": "floe-tests"}
    ]


def test_a_binding_that_is_there_is_that_of_the_same_run_before(api: Api) -> None:
    api.script.answers[BIND] = (409, {"reason": "AlreadyExists", "message": "exists"})

    create(api)

    assert any(item.path == QUOTA[1] for item in api.script.requests)


def test_a_binding_that_is_refused_names_the_value_of_the_chart(api: Api) -> None:
    api.script.answers[BIND] = (403, {"reason": "Forbidden", "message": "no"})

    with pytest.raises(ConfigurationError, match=r"namespacePerRun\.enabled"):
        create(api)


def test_rights_that_never_come_are_not_waited_for_without_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_binding, "_PAUSE_SECONDS", 0.05)
    api.script.answers[MAY] = (201, {"status": {"allowed": False}})

    with pytest.raises(DeadlineError, match="did not hold"):
        create(api, seconds=0.1)


def test_whoever_is_no_service_account_is_told_before_anything_is_made(api: Api) -> None:
    with pytest.raises(ConfigurationError, match="kubernetes-admin is no service account"):
        create(api, account="kubernetes-admin")

    assert [item.path for item in api.script.requests] == [WHO[1]]
