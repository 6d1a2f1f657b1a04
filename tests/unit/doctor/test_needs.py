"""What a tier brings to a cluster, read from its Job and its charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from floe_tests.config.project import Workspace
from floe_tests.doctor.needs import PodNeed, needs_of
from floe_tests.kube.quantity import MIB
from tests.support.doctor import deployment, needs, tier

Put = Callable[[str, str], Path]
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "suite", "namespace": "floe-test"},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "tests",
                        "image": "ghcr.io/floe/tests:1",
                        "command": ["pytest", "--junitxml=/results/junit.xml"],
                        "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}},
                        "volumeMounts": [{"name": "results", "mountPath": "/results"}],
                    }
                ],
                "volumes": [{"name": "results", "emptyDir": {}}],
            }
        },
    },
}


def test_the_images_of_a_suite_are_its_own_and_the_exporters_with_the_prefix(
    workspace: Workspace,
):
    (workspace.root / "test-job.yaml").write_text(yaml.safe_dump(JOB))
    behind = replace(workspace, image_registry_prefix="registry.example.com/")

    found = needs_of(tier(), "context", behind, kube_version=None)

    assert set(found.images) == {
        "registry.example.com/ghcr.io/floe/tests:1",
        "registry.example.com/library/python:3.11-slim",  # runs the exporter
    }
    assert [(check.name, check.state) for check in found.checks] == [("suite suite", "ok")]
    (pod,) = found.pods
    assert pod.cores > 0.25, "the exporter beside the tests counts"


def test_a_suite_whose_job_cannot_be_made_fails_with_the_reason(workspace: Workspace):
    (workspace.root / "test-job.yaml").write_text("kind: Deployment")

    (check,) = needs_of(tier(), "context", workspace, kube_version=None).checks

    assert check.state == "failed"
    assert "test-job.yaml" in check.remedy


def test_a_deployment_counts_once_for_each_copy():
    (pod,) = needs(deployment(cpu="500m", memory="1Gi", replicas=3)).pods

    assert pod == PodNeed("deployment/engine", 3, 0.5, 1024 * MIB, ("ghcr.io/floe/engine:1",))


def test_limits_stand_in_for_requests_as_in_kubernetes():
    manifest = deployment()
    spec = manifest["spec"]["template"]["spec"]
    spec["containers"][0]["resources"] = {"limits": {"cpu": "2", "memory": "256Mi"}}

    (pod,) = needs(manifest).pods

    assert (pod.cores, pod.memory_bytes) == (2, 256 * MIB)


@pytest.mark.parametrize(
    ("policy", "cores"), [({"restartPolicy": "Always"}, 1.5), ({}, 0.5)], ids=["sidecar", "before"]
)
def test_a_native_sidecar_runs_beside_and_an_init_container_before(
    policy: dict[str, str], cores: float
):
    manifest = deployment(cpu="500m")
    requests = {"requests": {"cpu": "1"}}
    init = {"name": "init", "image": "ghcr.io/floe/init:1", "resources": requests, **policy}
    manifest["spec"]["template"]["spec"]["initContainers"] = [init]

    (pod,) = needs(manifest).pods

    assert pod.cores == cores
    assert pod.images == ("ghcr.io/floe/init:1", "ghcr.io/floe/engine:1")


@pytest.mark.functional
def test_a_chart_that_helm_refuses_fails_with_what_helm_said(workspace: Workspace, programs: Put):
    (workspace.root / "test-job.yaml").write_text(yaml.safe_dump(JOB))
    programs(
        "helm",
        "echo 'Error: chart requires kubeVersion: >=1.40.0-0 which is incompatible with "
        "Kubernetes v1.34.2' >&2; exit 1",
    )
    wanted = tier(releases=[{"name": "engine", "chart": "charts/engine"}])

    check = needs_of(wanted, "context", workspace, kube_version="v1.34.2").checks[0]

    assert (check.name, check.state) == ("chart engine", "failed")
    assert check.found.startswith("Error: chart requires kubeVersion")
    assert "--kube-version v1.34.2" in check.remedy


@pytest.mark.functional
def test_a_chart_is_rendered_with_what_its_suites_need(workspace: Workspace, programs: Put):
    """With nothing enabled, a chart may refuse what a run never asks of it."""
    (workspace.root / "test-job.yaml").write_text(yaml.safe_dump(JOB))
    programs(
        "helm",
        "for word; do case $word in *-values.yaml) file=$word;; esac; done\n"
        'while read -r line; do echo "$line" >&2; done <"$file"\nexit 1',
    )
    suites = [
        {"name": name, "job": "test-job.yaml", "release_values": {"engine": {name: True}}}
        for name in ("one", "two")
    ]
    wanted = tier(releases=[{"name": "engine", "chart": "charts/engine"}], suites=suites)

    check = needs_of(wanted, "context", workspace, kube_version=None).checks[0]

    assert '"one": true,\n"two": true' in check.remedy


@pytest.mark.functional
def test_what_helm_test_alone_creates_is_no_need(workspace: Workspace, programs: Put):
    (workspace.root / "test-job.yaml").write_text(yaml.safe_dump(JOB))
    rendered = workspace.root / "rendered.yaml"
    hooks = {"ask": "test", "migrate": "post-install"}
    rendered.write_text(
        "\n---\n".join(
            yaml.safe_dump(
                {**JOB, "metadata": {"name": name, "annotations": {"helm.sh/hook": events}}}
            )
            for name, events in hooks.items()
        )
    )
    programs(
        "helm",
        f'while read -r line; do echo "$line"; done <{rendered}'.replace("read", "IFS= read"),
    )
    wanted = tier(releases=[{"name": "engine", "chart": "charts/engine"}])

    found = needs_of(wanted, "context", workspace, kube_version=None)

    assert [each["metadata"]["name"] for each in found.manifests] == ["migrate"]
