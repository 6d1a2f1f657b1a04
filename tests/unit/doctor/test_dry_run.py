"""A tier's objects shown to a cluster, which makes none of them."""

from __future__ import annotations

import pytest

from floe_tests.doctor.dry_run import check_dry_run
from floe_tests.kube.client import Kube
from tests.support.doctor import deployment, needs
from tests.support.small_server import Server

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture(autouse=True)
def kinds(server: Server) -> None:
    server.answers["/apis/apps/v1"] = {
        "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]
    }


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        pytest.param({}, "ok", "would take all 1 objects", id="taken"),
        pytest.param(409, "ok", "would take all 1 objects", id="another's is there"),
        pytest.param(403, "failed", "deployment/shop", id="forbidden"),
        pytest.param(422, "failed", "deployment/shop", id="no such field"),
    ],
)
def test_the_cluster_judges_each_object(
    server: Server, kube: Kube, answer: object, state: str, told: str
):
    server.answers[DEPLOYMENTS] = answer

    check = check_dry_run(kube, needs(deployment("shop")))

    assert (check.state, told in check.found) == (state, True), check


def test_a_kind_that_the_cluster_does_not_know_is_told(kube: Kube):
    item = {"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "one"}}

    check = check_dry_run(kube, needs(item))

    assert check.state == "failed"
    assert "shop/one: it has no kind example.com/v1 Shop" in check.found
