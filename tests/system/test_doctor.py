"""`floe-tests doctor` on a real cluster: green where a run is green, right about the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from floe_tests import __version__
from floe_tests.config.environment import PodSecurity
from floe_tests.config.providers import EnvironmentName
from floe_tests.core.deadline import Deadline
from floe_tests.doctor.check import Check
from floe_tests.doctor.examination import examine
from floe_tests.doctor.needs import needs_of
from floe_tests.doctor.permissions import check_permissions
from floe_tests.doctor.pod_security import violations
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.pipeline.run import TierRun

from .conftest import CLUSTER, ROOT, SmallTier, job

# Half of what a run uses, and what nobody needs.
GIVEN = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch", "create"]},
    {"apiGroups": [""], "resources": ["resourcequotas", "configmaps"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["serviceaccounts", "events"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create"]},
]
MISSING = (
    "missing: delete, patch jobs.batch; delete, patch namespaces; create, get pods/exec; "
    "get pods/log"
)


@pytest.fixture
def account(tmp_path: Path, kubeconfig: Path) -> Iterator[Path]:
    """The kubeconfig of a ServiceAccount that may too little."""
    name = f"doctor-{tmp_path.name[:30].strip('_0').replace('_', '-')}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": GIVEN,
    }
    kubectl(kubeconfig, "create", "serviceaccount", name)
    kubectl(kubeconfig, "apply", "--filename", "-", stdin=json.dumps(role))
    subject = f"--serviceaccount=default:{name}"
    kubectl(kubeconfig, "create", "clusterrolebinding", name, f"--clusterrole={name}", subject)
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": kubectl(kubeconfig, "create", "token", name).strip()}
    file = tmp_path / "account"
    file.write_text(yaml.safe_dump(config))
    yield file
    given = [f"floe-tests-small={kind}" for kind in ("clusterrole", "clusterrolebinding")]
    own = [f"{name}={kind}" for kind in ("clusterrole", "clusterrolebinding", "serviceaccount")]
    for item in (*given, *own):
        which, _, kind = item.partition("=")
        kubectl(kubeconfig, "delete", kind, which, "--ignore-not-found")


def kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> str:
    command = ["kubectl", "--kubeconfig", str(kubeconfig), *words]
    return subprocess.run(
        command, check=True, input=stdin, stdout=subprocess.PIPE, text=True
    ).stdout


def look(run: TierRun, environment: EnvironmentName) -> dict[str, Check]:
    """Examine a tier, as the command does."""
    run.workspace.home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", run.workspace.home)
    checks = examine(
        [run.settings],
        environment=environment,
        workspace=run.workspace,
        environ={"DAGSTER_HOME": str(run.workspace.home)},
    )
    return {check.name: check for check in checks}


def test_the_shipped_tier_is_green_on_a_cluster_that_it_runs_on(
    tmp_path: Path, kubeconfig: Path, kube: Kube
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", home)
    ended = subprocess.run(
        [
            str(Path(sys.executable).with_name("floe-tests")),
            *("doctor", "integration", "--environment", "context", "--json"),
        ],
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "DAGSTER_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
        timeout=10,  # what it may take on a cluster that answers
    )

    found = {check["name"]: check for check in json.loads(ended.stdout)}
    assert ended.returncode == 0, ended.stdout
    # Of the network nothing is asked, so nothing has to be known.
    assert [name for name, check in found.items() if check["state"] != "ok"] in ([], ["network"])
    assert found["cluster"]["found"] == f"answers, Kubernetes {kube.server_version()}"
    assert found["chart floe-platform"]["found"].startswith("renders for Kubernetes v1.")
    for image in ("platform", "test-runner", "test-exporter"):
        assert any(name.endswith(f"/floe/{image}:{__version__}") for name in found)
    assert {"permissions", "nodes", "room", "storage", "helm"} <= set(found)


def test_a_kind_cluster_that_is_there_is_looked_into(small_tier: SmallTier) -> None:
    run = small_tier.prepare(job(""), environments=["kind"], kind={"cluster": CLUSTER})

    found = look(run, "kind")

    assert found["cluster"].found.startswith("answers, Kubernetes v1.")
    assert {found[name].state for name in ("Docker", "kind", "nodes", "room")} == {"ok"}


def test_an_account_with_too_few_rights_is_told_exactly_which_and_with_them_it_can_run(
    small_tier: SmallTier, kubeconfig: Path, account: Path
) -> None:
    small_tier.kubeconfig = account
    run = small_tier.prepare(job(""))
    needs = needs_of(run.settings, "context", run.workspace, kube_version=None)
    kube = Kube(ClusterAccess(kubeconfig=str(account)))

    check, nodes = check_permissions(kube, needs)

    assert (check.state, check.found) == ("failed", MISSING)
    assert nodes.state == "warning"

    # As an administrator pastes it.
    subprocess.run(
        ["bash", "-c", check.remedy],
        check=True,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
    )
    assert check_permissions(kube, needs)[0].state == "ok"
    assert small_tier.run(job("def test_good(): pass")).verdict.passed


def test_an_image_that_is_nowhere_is_named(small_tier: SmallTier) -> None:
    run = small_tier.prepare(job("", image="ghcr.io/floe/no-such-image:0.1.0"))

    found = look(run, "context")

    prefix = run.workspace.image_registry_prefix
    absent = found[f"image {prefix}ghcr.io/floe/no-such-image:0.1.0"]
    assert found[f"image {prefix}library/python:3.11-slim"].state == "ok", "the exporter's"
    # A registry elsewhere that nobody is logged in to does not tell what it has.
    assert absent.state == ("failed" if prefix.startswith("localhost") else "unknown")
    assert absent.remedy.startswith("images/build")


def test_a_cluster_that_does_not_answer_fails_with_the_command_to_look(
    small_tier: SmallTier, tmp_path: Path
) -> None:
    config = yaml.safe_load(small_tier.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    small_tier.kubeconfig = tmp_path / "away"
    small_tier.kubeconfig.write_text(yaml.safe_dump(config))

    found = look(small_tier.prepare(job("")), "context")

    assert found["cluster"].state == "failed"
    assert f"kubectl --kubeconfig {small_tier.kubeconfig} cluster-info" in found["cluster"].remedy
    assert "permissions" not in found


SECURE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Changes of a pod that `restricted` lets in: of the pod, of its container, of the container's
# security context.
CHANGES: dict[str, tuple[dict[str, object], dict[str, object], dict[str, object]]] = {
    "good": ({}, {}, {}),
    "host-network": ({"hostNetwork": True}, {}, {}),
    "host-pid": ({"hostPID": True}, {}, {}),
    "host-path": ({"volumes": [{"name": "v", "hostPath": {"path": "/tmp"}}]}, {}, {}),  # noqa: S108
    "nfs": ({"volumes": [{"name": "v", "nfs": {"server": "x", "path": "/"}}]}, {}, {}),
    "ephemeral-volume": ({"volumes": [{"name": "v", "emptyDir": {}}]}, {}, {}),
    "host-port": ({}, {"ports": [{"containerPort": 80, "hostPort": 80}]}, {}),
    "host-probe": ({}, {"livenessProbe": {"httpGet": {"port": 80, "host": "127.0.0.1"}}}, {}),
    "own-probe": ({}, {"livenessProbe": {"httpGet": {"port": 80}}}, {}),
    "privileged": ({}, {}, {"privileged": True, "allowPrivilegeEscalation": True}),
    "escalation": ({}, {}, {"allowPrivilegeEscalation": None}),
    "root": ({}, {}, {"runAsNonRoot": None}),
    "root-user": ({}, {}, {"runAsUser": 0}),
    "capability": ({}, {}, {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}),
    "bind-capability": ({}, {}, {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
    "bad-capability": ({}, {}, {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
    "undropped": ({}, {}, {"capabilities": {"drop": ["NET_RAW"]}}),
    "no-seccomp": ({}, {}, {"seccompProfile": None}),
    "unconfined": ({}, {}, {"seccompProfile": {"type": "Unconfined"}}),
    "apparmor": ({}, {}, {"appArmorProfile": {"type": "Unconfined"}}),
    "selinux": ({}, {}, {"seLinuxOptions": {"type": "spc_t"}}),
    "selinux-engine": ({}, {}, {"seLinuxOptions": {"type": "container_engine_t"}}),
    "sysctl": ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, {}, {}),
    "safe-sysctl": (
        {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}},
        {},
        {},
    ),
}


def changed_pod(name: str) -> dict[str, object]:
    of_pod, of_container, of_context = CHANGES[name]
    context = {key: value for key, value in {**SECURE, **of_context}.items() if value is not None}
    container = {"name": "c", "image": "x", "securityContext": context, **of_container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **of_pod},
    }


@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_pod_security_is_judged_as_the_api_server_judges_it(
    kubeconfig: Path, kube: Kube, level: PodSecurity
) -> None:
    namespace = f"doctor-{level}"
    label = {"pod-security.kubernetes.io/enforce": level}
    kube.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": label}}
    )
    pods = [changed_pod(name) for name in CHANGES]
    try:
        for accounts in kube.follow("ServiceAccount", namespace=namespace, deadline=Deadline(60)):
            if "default" in accounts:
                break
        tried = subprocess.run(
            [
                *("kubectl", "--kubeconfig", str(kubeconfig), "create", "--dry-run=server"),
                *("--namespace", namespace, "--output", "name", "--filename", "-"),
            ],
            check=False,
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}),
            capture_output=True,
            text=True,
        )
    finally:
        kube.delete("Namespace", namespace)
    let_in = {line.removeprefix("pod/") for line in tried.stdout.split()}
    version = kube.server_version()

    judged = {
        str(name)
        for name, pod in zip(CHANGES, pods, strict=True)
        if not violations(pod, level, kube_version=version)
    }

    assert let_in, tried.stderr
    assert judged == let_in, tried.stderr
