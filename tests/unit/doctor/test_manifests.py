"""What is wrong with manifests, told before a cluster is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from floe_tests.doctor.check import Check
from floe_tests.doctor.manifests import check_manifests
from floe_tests.doctor.needs import Needs
from tests.support.doctor import needs

LABELS = {"app": "shop"}


def deployment(**changes: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "shop:1", "resources": {"limits": {"memory": "1Gi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"containers": [{**container, **changes}]},
            },
        },
    }


def service(**selector: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"selector": selector},
    }


def job(**pod: Any) -> dict[str, Any]:
    container = {"name": "tests", "image": "t:1", "resources": {"limits": {"memory": "256Mi"}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "tests"},
        "spec": {"template": {"spec": {"containers": [container], **pod}}},
    }


def found(brought: Needs, name: str, *, prefix: str = "") -> Check:
    checks = check_manifests(brought, image_registry_prefix=prefix)
    return next(check for check in checks if check.name == name)


def with_job(brought: Needs, **pod: Any) -> Needs:
    return replace(brought, jobs=(job(**pod),))


def test_what_fits_is_right_in_all():
    brought = with_job(needs(deployment(), service(app="shop"), budget={"memory": "2Gi"}))

    checks = check_manifests(brought, image_registry_prefix="")

    assert {(check.name, check.state) for check in checks} == {
        ("quota", "ok"),
        ("selectors", "ok"),
        ("references", "ok"),
    }


@pytest.mark.parametrize(
    ("manifest", "budget", "told"),
    [
        pytest.param(deployment(resources={}), "8Gi", "main of deployment/shop", id="no limit"),
        pytest.param(deployment(), "1Gi", "1280 MiB of limits", id="more than the budget"),
    ],
)
def test_a_quota_that_pods_do_not_fit_is_told(manifest: dict[str, Any], budget: str, told: str):
    check = found(with_job(needs(manifest, budget={"memory": budget})), "quota")

    assert check.state == "failed"
    assert told in check.found
    assert check.remedy


@pytest.mark.parametrize(
    ("limit", "enough"), [("1Gi", "2Gi"), ("262500Mi", "257Gi"), ("3840Mi", "4Gi")]
)
def test_the_memory_that_the_remedy_names_is_one_that_the_setting_takes(limit: str, enough: str):
    """It said 256.6Gi, which the setting refuses."""
    brought = needs(deployment(resources={"limits": {"memory": limit}}), budget={"memory": "512Mi"})

    remedy = found(with_job(brought), "quota").remedy

    assert remedy.startswith(f"Raise budget.memory to {enough} or more")
    larger = needs(deployment(resources={"limits": {"memory": limit}}), budget={"memory": enough})
    assert found(with_job(larger), "quota").state == "ok"


def test_defaults_of_the_namespace_take_the_place_of_limits():
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "defaults"}}

    assert found(needs(deployment(resources={}), limits), "quota").state == "ok"


def test_the_tiers_default_counts_for_a_container_without_a_limit():
    brought = needs(deployment(resources={}), budget={"memory": "1Gi", "container_memory": "2Gi"})

    check = found(brought, "quota")

    assert check.state == "failed"
    assert "2048 MiB of limits" in check.found


def test_images_outside_the_prefix_are_named():
    check = found(needs(deployment()), "registry prefix", prefix="harbor.example.com/")

    assert check.state == "warning"
    assert "shop:1" in check.found


def test_a_controller_that_does_not_select_its_pods_is_told():
    wrong = deployment()
    wrong["spec"]["selector"] = {"matchLabels": {"app": "shp"}}

    check = found(needs(wrong), "selectors")

    assert check.state == "failed"
    assert "deployment/shop" in check.found


def test_a_service_that_selects_nothing_is_told():
    check = found(needs(deployment(), service(app="shp")), "selectors")

    assert check.state == "warning"
    assert "service/shop" in check.found


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        ({"serviceAccountName": "runner"}, "serviceaccount/runner"),
        ({"volumes": [{"name": "x", "secret": {"secretName": "keys"}}]}, "secret/keys"),
        ({"volumes": [{"name": "x", "configMap": {"name": "settings"}}]}, "configmap/settings"),
        (
            {"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "data"}}]},
            "persistentvolumeclaim/data",
        ),
    ],
)
def test_what_a_suite_names_and_no_chart_makes_is_told(pod: dict[str, Any], told: str):
    check = found(with_job(needs(deployment()), **pod), "references")

    assert check.state == "warning"
    assert told in check.found


def test_what_may_be_missing_or_is_made_is_not_told():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    volumes = [
        {"name": "a", "secret": {"secretName": "keys"}},
        {"name": "b", "configMap": {"name": "extra", "optional": True}},
    ]

    assert found(with_job(needs(secret), volumes=volumes), "references").state == "ok"


def test_of_charts_that_do_not_render_no_more_is_guessed():
    brought = replace(
        with_job(needs(), serviceAccountName="runner"),
        checks=(Check("chart shop", "failed", "Error"),),
    )

    names = {check.name for check in check_manifests(brought, image_registry_prefix="")}

    assert names == {"quota"}


def test_quota_and_prefix_are_not_good_without_a_chart_that_cannot_be_rendered():
    refused = Check("chart stall", "failed", "Error: no")
    brought = replace(with_job(needs()), checks=(refused,))

    checks = check_manifests(brought, image_registry_prefix="t")

    assert [(check.name, check.state, check.found) for check in checks] == [
        ("quota", "unknown", "cannot be told without chart stall"),
        ("registry prefix", "unknown", "cannot be told without chart stall"),
    ]
