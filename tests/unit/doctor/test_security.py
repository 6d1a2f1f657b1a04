"""What doctor says of pods that the namespace's Pod Security level would refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs
from floe_tests.doctor.security import check_pod_security
from floe_tests.kube.client import Kube
from tests.support.doctor import deployment, needs
from tests.support.small_server import Server

NAMESPACE = "/api/v1/namespaces/floe-staging"


def look(found: Needs, kube: Kube | None = None) -> Check:
    (check,) = check_pod_security(found, kube=kube, kube_version="v1.34.2")
    return check


def test_the_object_and_the_field_are_named_with_what_it_must_be() -> None:
    check = look(needs(deployment()))

    assert check.state == "failed"
    field = "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation"
    assert f"deployment/engine: {field} must be false" in check.found + check.remedy
    assert "set `pod_security` of the tier, which is restricted" in check.remedy


def test_every_refused_field_stands_in_the_remedy() -> None:
    check = look(needs(deployment()))

    for field in (
        "allowPrivilegeEscalation",
        "runAsNonRoot",
        "seccompProfile",
        "capabilities.drop",
    ):
        assert field in check.remedy
    assert "and 1 more fields" in check.found


def test_the_tiers_level_decides() -> None:
    assert look(needs(deployment(), pod_security="baseline")).state == "ok"
    host = deployment()
    host["spec"]["template"]["spec"]["hostNetwork"] = True
    assert "hostNetwork" in look(needs(host, pod_security="baseline")).found
    assert look(needs(host, pod_security="privileged")).state == "ok"


def test_jobs_of_suites_count_too() -> None:
    job = {**deployment("suite"), "kind": "Job"}

    assert "job/suite: " in look(replace(needs(), jobs=(job,))).found


def test_an_object_of_another_namespace_is_not_this_ones() -> None:
    elsewhere = deployment()
    elsewhere["metadata"]["namespace"] = "kube-system"

    assert look(needs(elsewhere)).state == "ok"


@pytest.mark.parametrize("rendered", ["default", "floe-test-00000000"])
def test_a_chart_that_writes_its_namespace_is_judged(rendered: str) -> None:
    own = deployment()
    own["metadata"]["namespace"] = rendered

    assert look(needs(own)).state == "failed"


INSTALLED: dict[str, Any] = {"installed": {"release": "x", "namespace": "floe-staging"}}


def installed(*jobs: dict[str, Any]) -> Needs:
    return replace(needs(**INSTALLED), jobs=jobs, namespace="floe-staging")


def test_beside_an_installed_platform_its_namespaces_own_level_decides(
    server: Server, kube: Kube
) -> None:
    job = {**deployment("suite"), "kind": "Job"}
    server.answers[NAMESPACE] = {"metadata": {"labels": {}}}
    assert look(installed(job), kube).state == "ok"

    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    server.answers[NAMESPACE] = {"metadata": {"labels": label}}
    check = look(installed(job), kube)

    assert check.state == "failed"
    assert "another level of the platform's namespace" in check.remedy


def test_a_namespace_that_may_not_be_read_is_unknown(server: Server, kube: Kube) -> None:
    server.answers[NAMESPACE] = 403

    assert look(installed(), kube).state == "unknown"


def test_nothing_good_is_said_of_pods_whose_chart_cannot_be_rendered() -> None:
    refused = Check("chart stall", "failed", "Error: requires kubeVersion >=1.23.0-0")
    brought = replace(needs(), checks=(refused,))

    assert look(brought) == Check("pod security", "unknown", "cannot be told without chart stall")
    assert look(replace(needs(deployment()), checks=(refused,))).state == "failed"
