"""The rendered chart `flink-operator`: the operator, for the namespace of its release alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rendered import Manifest, Render, containers, named, of_kind, pod_specs

CHART = Path(__file__).parents[3] / "charts" / "flink-operator"


@pytest.fixture(scope="module")
def manifests(render: Render) -> list[Manifest]:
    return render("flink-operator", release="flink-operator")


def test_the_operator_passes_pod_security_restricted(manifests: list[Manifest]) -> None:
    ((name, spec),) = pod_specs(manifests)
    ((_, container),) = containers(manifests)

    assert name == "Deployment/flink-kubernetes-operator"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for bound in ("requests", "limits"):
        assert set(container["resources"][bound]) == {"cpu", "memory"}


def test_the_registry_prefix_stands_before_the_image(render: Render) -> None:
    rendered = render("flink-operator", "--set", "global.imageRegistryPrefix=localhost:5001/")

    ((_, container),) = containers(rendered)

    assert container["image"] == ("localhost:5001/ghcr.io/apache/flink-kubernetes-operator:1.11.0")


def test_the_version_that_runs_is_the_one_that_is_said(render: Render) -> None:
    """Results name the operator by this label's value and by the image."""
    rendered = render("flink-operator", "--set", "operator.image.tag=1.7.0")

    ((_, container),) = containers(rendered)
    labels = named(rendered, "Deployment", "flink-kubernetes-operator")["metadata"]["labels"]

    assert container["image"].endswith(":1.7.0")
    assert labels["app.kubernetes.io/version"] == "1.7.0"


def test_the_tag_latest_is_refused(render: Render) -> None:
    with pytest.raises(Exception, match="/operator/image/tag"):
        render("flink-operator", "--set", "operator.image.tag=latest")


@pytest.mark.parametrize("assignment", ["watchNamespaces={a}", "operator.replicas=2"])
def test_an_unknown_value_is_refused(assignment: str, render: Render) -> None:
    with pytest.raises(Exception, match=r"additional properties .* not allowed"):
        render("flink-operator", "--set", assignment)


def test_its_rights_end_with_its_namespace(manifests: list[Manifest], render: Render) -> None:
    rendered = render("flink-operator", namespace="elsewhere")
    configuration = named(rendered, "ConfigMap", "flink-operator-config")["data"]["flink-conf.yaml"]

    assert not of_kind(manifests, "ClusterRole")
    assert not of_kind(manifests, "ClusterRoleBinding")
    assert yaml.safe_load(configuration)["kubernetes.operator.watched.namespaces"] == "elsewhere"


def test_it_never_sees_secrets(manifests: list[Manifest]) -> None:
    rules = named(manifests, "Role", "flink-operator")["rules"]

    resources = {resource for rule in rules for resource in rule["resources"]}
    verbs = {verb for rule in rules for verb in rule["verbs"]}

    assert not resources & {"secrets", "*"}
    assert "*" not in verbs


def test_it_asks_dns_job_managers_and_the_api_alone(manifests: list[Manifest]) -> None:
    (policy,) = of_kind(manifests, "NetworkPolicy")

    ports = [sorted(port["port"] for port in rule["ports"]) for rule in policy["spec"]["egress"]]

    assert sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert "ingress" not in policy["spec"]
    assert ports == [[53, 53], [8081], [443, 6443]]


def test_a_changed_configuration_restarts_it(render: Render) -> None:
    def checksum(*arguments: str) -> str:
        rendered = render("flink-operator", *arguments)
        deployment = named(rendered, "Deployment", "flink-kubernetes-operator")
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/configuration"]

    assert checksum() != checksum("--set", "operator.reconcileSeconds=30")


def test_the_definitions_are_there_for_everything_it_watches() -> None:
    """It does not start without one of them."""
    found = {
        yaml.safe_load(path.read_text())["spec"]["names"]["plural"]
        for path in (CHART / "crds").iterdir()
    }

    assert found == {"flinkdeployments", "flinksessionjobs", "flinkstatesnapshots"}
