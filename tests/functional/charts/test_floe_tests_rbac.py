"""What the accounts of `floe-tests` may do: all that a run asks for, and not more."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rendered import Manifest, Render, named, of_kind

from floe_tests.config.loader import load_tiers
from floe_tests.config.project import Workspace
from floe_tests.doctor.needs import needs_of
from floe_tests.doctor.permissions import Right, rights_of

ROOT = Path(__file__).parents[3]
# A tier that brings CustomResourceDefinitions needs an administrator's account, not this one.
WITH_OPERATORS = {"statefun"}


@pytest.fixture(autouse=True)
def _doctor_finds_helm(helm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(helm).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="module")
def manifests(render: Render) -> list[Manifest]:
    return render(
        "floe-tests",
        *("--set", "namespacePerRun.enabled=true", "--set", "nodes.readable=true"),
        release="floe-tests",
        namespace="floe-tests",
    )


def granted(role: Manifest) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(rights: tuple[Right, ...], *, cluster_wide: bool) -> set[tuple[str, str, str]]:
    return {
        (right.group, right.resource, right.verb)
        for right in rights
        if right.is_cluster_wide is cluster_wide
    }


def rights(name: str) -> tuple[Right, ...]:
    workspace = Workspace.from_environment(ROOT, os.environ)
    tier = next(one for one in load_tiers(ROOT) if one.name == name)
    needs = needs_of(tier, "context", workspace, kube_version="1.34.2")
    assert [each for each in needs.checks if each.state == "failed"] == []
    return rights_of(needs)


TIERS = [tier for tier in load_tiers(ROOT) if "context" in tier.environments]


@pytest.mark.parametrize(
    "name",
    [tier.name for tier in TIERS if tier.releases and tier.name not in WITH_OPERATORS],
)
def test_a_run_with_a_namespace_of_its_own_has_what_doctor_asks_for(
    manifests: list[Manifest], name: str
) -> None:
    here = granted(named(manifests, "ClusterRole", "floe-tests:floe-tests:namespace"))
    everywhere = granted(named(manifests, "ClusterRole", "floe-tests:floe-tests:namespaces"))
    wanted = rights(name)

    assert asked(wanted, cluster_wide=False) - here == set()
    assert asked(wanted, cluster_wide=True) - everywhere == set()


INSTALLED = [tier.name for tier in TIERS if getattr(tier, "installed", None) is not None]


@pytest.mark.parametrize("name", INSTALLED)
def test_a_run_against_a_platform_has_what_doctor_asks_for(
    manifests: list[Manifest], name: str
) -> None:
    role = granted(named(manifests, "Role", "floe-tests-floe-tests-run"))
    wanted = rights(name)

    assert asked(wanted, cluster_wide=False) - role == set()
    assert asked(wanted, cluster_wide=True) == set()


def test_runs_get_no_right_at_a_platform_that_installs_or_reads_secrets(
    manifests: list[Manifest],
) -> None:
    for account in ("run", "code"):
        role = granted(named(manifests, "Role", f"floe-tests-floe-tests-{account}"))
        writes = {(resource, verb) for _, resource, verb in role if verb not in _READS}
        assert not [resource for _, resource, _ in role if "secret" in resource]
        assert not [resource for resource, _ in writes if resource in _OF_A_RELEASE]


_READS = {"get", "list", "watch"}
_OF_A_RELEASE = {"deployments", "statefulsets", "daemonsets", "services", "roles", "rolebindings"}


def test_sensors_change_nothing(manifests: list[Manifest]) -> None:
    role = granted(named(manifests, "Role", "floe-tests-floe-tests-code"))

    assert {verb for _, _, verb in role} <= _READS
    assert not [resource for _, resource, _ in role if "/" in resource]


def test_no_role_has_a_wildcard(manifests: list[Manifest]) -> None:
    for kind in ("Role", "ClusterRole"):
        for role in of_kind(manifests, kind):
            assert not [right for right in granted(role) if "*" in right], role["metadata"]["name"]


def test_nothing_is_cluster_wide_unless_asked_for(render: Render) -> None:
    found = render("floe-tests", release="floe-tests", namespace="floe-tests")

    kinds = {each["kind"] for each in found}
    assert not {kind for kind in kinds if kind.startswith(("Cluster", "ValidatingAdmission"))}


def test_each_platform_has_a_role_and_none_beside_it(render: Render) -> None:
    found = render(
        "floe-tests",
        *("--set", "platforms[0].namespace=one", "--set", "platforms[1].namespace=two"),
        release="floe-tests",
        namespace="floe-tests",
    )

    places = [
        (each["metadata"].get("namespace", "floe-tests"), each["metadata"]["name"])
        for each in of_kind(found, "Role")
    ]
    assert sorted(places) == [
        ("floe-tests", "floe-tests-daemon"),
        ("one", "floe-tests-floe-tests-code"),
        ("one", "floe-tests-floe-tests-run"),
        ("two", "floe-tests-floe-tests-code"),
        ("two", "floe-tests-floe-tests-run"),
    ]


def test_the_fence_stands_around_the_one_account_that_may_bind(manifests: list[Manifest]) -> None:
    policy = named(manifests, "ValidatingAdmissionPolicy", "floe-tests.floe-tests")
    binding = named(manifests, "ValidatingAdmissionPolicyBinding", "floe-tests.floe-tests")
    may_bind = {
        subject["name"]
        for each in of_kind(manifests, "ClusterRoleBinding")
        if ("rbac.authorization.k8s.io", "clusterroles", "bind")
        in granted(named(manifests, "ClusterRole", each["roleRef"]["name"]))
        for subject in each["subjects"]
    }

    assert may_bind == {"floe-tests-run"}
    condition = policy["spec"]["matchConditions"][0]["expression"]
    assert re.fullmatch(r"request\.userInfo\.username == '(.+)'", condition)
    assert condition.endswith("'system:serviceaccount:floe-tests:floe-tests-run'")
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["spec"]["validationActions"] == ["Deny"]
    rule = policy["spec"]["matchConstraints"]["resourceRules"][0]
    assert rule["resources"] == ["*/*"]
    assert rule["operations"] == ["*"]
