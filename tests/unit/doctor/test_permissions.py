"""The account's rights: one question each, and a remedy that gives them all."""

from __future__ import annotations

import json
import shlex

from floe_tests.doctor.permissions import Right, check_permissions, rights_of
from floe_tests.kube.client import Kube
from tests.support.doctor import deployment, needs
from tests.support.small_server import REVIEWS, Server

CHART = {"releases": [{"name": "engine", "chart": "charts/engine"}]}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "looker"},
    "rules": [{"apiGroups": [""], "resources": ["endpoints"], "verbs": ["get", "watch"]}],
}


def test_a_tier_without_charts_needs_what_a_run_does_itself_and_no_more():
    rights = rights_of(needs())

    assert Right("namespaces", "create", is_cluster_wide=True) in rights
    assert Right("pods/log", "get") in rights
    assert Right("jobs", "patch", "batch") in rights
    assert not [right for right in rights if right.resource in {"secrets", "deployments"}]


def test_a_chart_needs_helms_secrets_and_each_kind_that_it_installs():
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    rights = rights_of(needs(deployment(), policy, **CHART))

    assert Right("secrets", "update") in rights
    for verb in ("create", "get", "patch"):
        assert Right("deployments", verb, "apps") in rights
        assert Right("networkpolicies", verb, "networking.k8s.io") in rights


def test_a_suite_in_shards_needs_its_plan_and_a_watch_of_its_job():
    suites = [{"name": "one", "job": "tests/one/test-job.yaml", "shards": {"count": 4}}]
    own = {"exporter": {"image": "example.com/exporter:1"}}
    more = set(rights_of(needs(suites=suites, **own))) - set(rights_of(needs(**own)))

    assert more == {
        Right("configmaps", "create"),
        Right("resourcequotas", "list"),
        Right("jobs", "watch", "batch"),
    }


def test_an_exporter_without_an_image_needs_a_config_map():
    own = {"exporter": {"image": "example.com/exporter:1"}}

    assert set(rights_of(needs())) - set(rights_of(needs(**own))) == {Right("configmaps", "create")}


def test_a_role_in_a_chart_needs_the_rights_that_it_gives():
    """Kubernetes lets nobody give what he has not; helm would end with a page of text."""
    rights = rights_of(needs(ROLE, **CHART))

    assert {Right("endpoints", "get"), Right("endpoints", "watch")} <= set(rights)
    assert Right("roles", "create", "rbac.authorization.k8s.io") in rights


def test_an_account_with_every_right_is_fine(kube: Kube):
    (check,) = check_permissions(kube, needs())

    assert (check.state, check.remedy) == ("ok", "")
    assert check.found == f"all {len(rights_of(needs()))} rights that a run uses"


def test_each_right_is_asked_for_where_a_run_uses_it(server: Server, kube: Kube):
    check_permissions(kube, needs())

    assert {"verb": "create", "group": "", "resource": "namespaces"} in server.asked
    log = {"verb": "get", "group": "", "resource": "pods", "subresource": "log"}
    assert {**log, "namespace": "floe-test-00000000"} in server.asked


def test_exactly_the_missing_rights_are_named_and_the_remedy_gives_all(server: Server, kube: Kube):
    def may(asked: dict[str, str]) -> bool:
        what = (asked["verb"], asked["resource"], asked.get("subresource"))
        return what not in {
            ("delete", "namespaces", None),
            ("get", "pods", "log"),
            ("create", "jobs", None),
            ("patch", "jobs", None),
        }

    server.may = may
    server.answers["/apis/authentication.k8s.io/v1/selfsubjectreviews"] = {
        "status": {"userInfo": {"username": "system:serviceaccount:ci:runner"}}
    }

    (check,) = check_permissions(kube, needs())

    assert check.state == "failed"
    assert check.found == "missing: create, patch jobs.batch; delete namespaces; get pods/log"
    words = shlex.split(check.remedy, comments=True)
    granted = {
        (group, resource, verb)
        for rule in json.loads(words[1])["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {(right.group, right.resource, right.verb) for right in rights_of(needs())}
    assert words[-1] == "--user=system:serviceaccount:ci:runner"


def test_nodes_that_may_not_be_listed_are_a_warning_alone(server: Server, kube: Kube):
    server.may = lambda asked: asked["resource"] != "nodes"

    rights, nodes = check_permissions(kube, needs())

    assert (rights.state, nodes.state) == ("ok", "warning")
    assert nodes.found.startswith("missing: get, list nodes. Runs do without")
    assert '"nodes"' in nodes.remedy
    assert "floe-tests-nodes" in nodes.remedy, "another role than the one with a run's rights"


def test_a_cluster_that_does_not_answer_the_question_is_unknown(server: Server, kube: Kube):
    server.answers[REVIEWS] = 500

    (check,) = check_permissions(kube, needs())

    assert check.state == "unknown"


def test_beside_an_installed_platform_nothing_of_the_whole_cluster_is_needed():
    installed = {"release": "floe-platform", "namespace": "floe-staging"}
    rights = set(rights_of(needs(installed=installed)))

    assert not [right for right in rights if right.is_cluster_wide]
    assert not [right for right in rights if right.resource in {"secrets", "serviceaccounts"}]
    assert Right("leases", "create", "coordination.k8s.io") in rights
    assert {
        Right("leases", verb, "coordination.k8s.io", object_name="floe-tests")
        for verb in ("get", "list", "watch", "patch")
    } <= rights
    assert Right("namespaces", "get") in rights
    assert Right("resourcequotas", "create") not in rights


def test_the_remedy_beside_an_installed_platform_is_a_role_there(server: Server, kube: Kube):
    """A ClusterRoleBinding would give the right to delete pods in every namespace."""
    server.may = lambda attributes: attributes["resource"] != "leases"
    wanted = needs(installed={"release": "floe-platform", "namespace": "floe-staging"})

    check = check_permissions(kube, wanted)[0]

    assert check.found == (
        "missing: create leases.coordination.k8s.io; get, list, patch, watch "
        "leases.coordination.k8s.io floe-tests"
    )
    words = shlex.split(check.remedy, comments=True)
    role = json.loads(words[1])
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "floe-staging")
    named = [rule for rule in role["rules"] if "resourceNames" in rule]
    assert [rule["resourceNames"] for rule in named] == [["floe-tests"]]
    assert "rolebinding" in words
    assert "--namespace=floe-staging" in words
