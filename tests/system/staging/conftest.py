"""charts/floe-tests on a kind cluster of its own, once for the session."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.core.labels import RUN
from floe_tests.core.registry import ask
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

from ..conftest import (  # noqa: TID252 - suites are folders, not packages
    CLUSTER,
    ROOT,
    TEST_IMAGE,
    job,
)
from ..kind_clusters import (  # noqa: TID252
    PREFIX,
    enforcing_node_image,
    load_images,
)
from .orchestrator import NAMESPACE, PLATFORM, Orchestrator

STAGING_CLUSTER = f"{CLUSTER}-staging"
# The test waits for a word, so that what happens to the orchestrator happens in its middle.
WAITING = """
    import time
    from pathlib import Path

    def test_first():
        pass

    def test_waits_for_a_word():
        Path("/tmp/began").touch()
        while not Path("/tmp/go").exists():
            time.sleep(0.1)

    def test_last():
        pass
"""
QUICK = """
    def test_passes():
        pass
"""
DEADLINES = {"tests_seconds": 240, "pod_seconds": 260, "job_seconds": 400}


def tier(name: str, *, test: str = WAITING, **settings: object) -> dict[str, str]:
    """Return a tier of one suite, whose test waits, as the chart's values take it."""
    attributes = {
        "name": name,
        "description": "A tier of one small suite.",
        "environments": ["context"],
        "deadlines": DEADLINES,
        "budget": {"memory": "1Gi", "minutes": 5},
        "suites": [{"name": "suite", "job": f"tests/{name}/test-job.yaml"}],
        **settings,
    }
    manifest = job(test)
    return {
        "defs": yaml.safe_dump({"type": "floe_tests.TestTier", "attributes": attributes}),
        "job": yaml.safe_dump(manifest),
    }


def values(platform: str = PLATFORM, **further: object) -> dict[str, object]:
    """Return the values of the chart: small, fast, and with tiers for these tests.

    Args:
        platform: The namespace of the platform.
        further: Other values, over these.
    """
    installed = {"release": "stand-in", "namespace": platform}
    small = {"requests": {"cpu": "20m", "memory": "128Mi"}}
    fast = {"monitorIntervalSeconds": 2, "dequeueIntervalSeconds": 1, "cancelPollSeconds": 1}
    return {
        "global": {"imageRegistryPrefix": PREFIX},
        "platforms": [{"namespace": platform}],
        "namespacePerRun": {"enabled": True},
        "runs": {**fast, "resources": {**small, "limits": {"cpu": "2", "memory": "1Gi"}}},
        "backup": {"keep": 2},
        "tiers": {
            "waiting": tier("waiting", installed=installed),
            "alone": tier("alone"),
            "quick": tier("quick", test=QUICK, installed=installed, schedule={"cron": "* * * * *"}),
            "after": tier(
                "after", test=QUICK, installed=installed, triggers={"after_green": "quick"}
            ),
        },
        **further,
    }


def manifests_of(file: str) -> list[dict[str, Any]]:
    """Read the manifests of a file beside this one, their images behind the registry prefix."""
    manifests = list(yaml.safe_load_all(Path(__file__).with_name(file).read_text()))
    for manifest in manifests:
        template = manifest.get("spec", {}).get("template", {}).get("spec", {})
        for container in (*template.get("initContainers", []), *template.get("containers", [])):
            container["image"] = f"{PREFIX}{container['image']}"
    return manifests


def needs_images(*names: str) -> None:
    """Skip where the registry that pods pull from lacks an image."""
    for name in names:
        if ask(f"{PREFIX}{name}")[0] == "missing":
            pytest.skip(f"no image {name}: airgap/run images --surroundings builds it")


def secret(name: str, **entries: str) -> dict[str, Any]:
    """Return a Secret."""
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in entries.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def tls_secret(name: str, certificate: str, key: str) -> dict[str, Any]:
    """Return a Secret of a certificate and its key."""
    entries = {"tls.crt": certificate, "tls.key": key}
    return {**secret(name, **entries), "type": "kubernetes.io/tls"}


def self_signed(folder: Path, *hosts: str) -> tuple[str, str]:
    """Make a certificate of some hosts, signed by itself, and its key: `crt`, `key` in a folder."""
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ",".join(f"DNS:{host}" for host in hosts)
    place = [
        "-nodes",
        "-subj",
        f"/CN={hosts[0]}",
        "-addext",
        f"subjectAltName={names}",
        "-days",
        "2",
    ]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "crt")]
    subprocess.run([*make, *place, *files], check=True, capture_output=True)
    return (folder / "crt").read_text(), (folder / "key").read_text()


def stand_in() -> dict[str, object]:
    """Return a platform of one pod: what is looked at, and nothing behind it."""
    labels = {
        "app.kubernetes.io/instance": "stand-in",
        "app.kubernetes.io/version": "1.0.0",
        "helm.sh/chart": "stand-in-1.0.0",
    }
    template = yaml.safe_load(yaml.safe_dump(job("")))["spec"]["template"]
    container = template["spec"]["containers"][0]
    container |= {"image": f"{PREFIX}{TEST_IMAGE}", "command": ["sleep", "infinity"], "env": []}
    del template["spec"]["restartPolicy"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stand-in", "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/instance": "stand-in"}},
            "template": {**template, "metadata": {"labels": labels}},
        },
    }


@pytest.fixture(scope="session")
def staging_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of its own: what is done to it here would be felt by other tests."""
    path = tmp_path_factory.mktemp("staging") / "kubeconfig"
    delete = ["kind", "delete", "cluster", "--name", STAGING_CLUSTER]
    create = ["kind", "create", "cluster", "--name", STAGING_CLUSTER, "--kubeconfig", str(path)]
    subprocess.run(delete, check=True, capture_output=True)
    try:
        # Where Docker has it, a node whose network enforces the chart's policies.
        image = f"{PREFIX}{enforcing_node_image() or 'kindest/node:v1.34.2'}"
        subprocess.run([*create, "--image", image], check=True, timeout=240)
        load_images(STAGING_CLUSTER, "floe-tests", "test-runner", "test-exporter")
        yield path
    finally:
        if not os.environ.get("FLOE_KEEP_CLUSTER"):
            subprocess.run(delete, check=True, capture_output=True)


def upgrade(
    kubeconfig: Path,
    *arguments: str,
    namespace: str = NAMESPACE,
    chart_values: Mapping[str, object] | None = None,
) -> None:
    """Install or upgrade the chart with the values of these tests and others over them."""
    where = ["--kubeconfig", str(kubeconfig), "--namespace", namespace]
    done = subprocess.run(
        [
            *("helm", "upgrade", "--install", "floe-tests", str(ROOT / "charts" / "floe-tests")),
            *where,
            *("--wait", "--timeout", "300s", "--values", "-", *arguments),
        ],
        input=yaml.safe_dump(chart_values or values()),
        capture_output=True,
        text=True,
        check=False,
        timeout=360,
    )
    if done.returncode != 0:
        looks = [
            ["kubectl", *where, "get", "pods,jobs", "--output", "wide"],
            ["kubectl", *where, "get", "events", "--sort-by", ".lastTimestamp"],
            ["kubectl", *where, "logs", "--selector", "app.kubernetes.io/name=floe-tests"],
        ]
        said = [subprocess.run(look, capture_output=True, text=True).stdout for look in looks]  # noqa: PLW1510
        pytest.fail("\n".join([done.stderr, *said]))


@pytest.fixture(scope="session")
def orchestrator(staging_kubeconfig: Path) -> Orchestrator:
    """The chart, installed, upgraded once with nothing changed, and asked how it is."""
    kube = Kube(ClusterAccess(kubeconfig=str(staging_kubeconfig)))
    make_namespaces(kube, NAMESPACE, PLATFORM)
    kube.create(stand_in(), namespace=PLATFORM)
    upgrade(staging_kubeconfig)
    helm_test(staging_kubeconfig, NAMESPACE)
    return Orchestrator(staging_kubeconfig, kube)


def make_namespaces(kube: Kube, *names: str) -> None:
    """Make namespaces for restricted pods."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in names:
        metadata = {"name": name, "labels": restricted}
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def helm_test(kubeconfig: Path, namespace: str) -> None:
    """Let the installed chart test itself."""
    test = ["helm", "test", "floe-tests", "--namespace", namespace, "--logs"]
    done = subprocess.run(
        [*test, "--kubeconfig", str(kubeconfig)],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def _nothing_left(orchestrator: Orchestrator) -> Iterator[None]:
    """A run leaves nothing in the platform's namespace, and no namespace of its own."""
    yield
    left = [
        f"{kind}/{item['metadata']['name']}"
        for kind, namespace in (("Job", PLATFORM), ("Pod", PLATFORM), ("Namespace", None))
        for item in orchestrator.kube.list(kind, namespace=namespace, label_selector=RUN)
    ]
    assert left == []
