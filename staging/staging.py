"""A staging cluster on this machine, from nothing: the platform, and the orchestrator beside it.

`make staging`, `make staging-down`. Twice is once: what is there is upgraded, and keeps its data.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.core.registry import reference
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform import helm
from floe_tests.platform.rollout import Target
from floe_tests.platform.substitutes import missing_images, without

ROOT = Path(__file__).resolve().parent.parent
NODE_IMAGE = "kindest/node:v1.34.2"
# As on clusters that are run for long: a soak may know a kubelet by the cluster's CA.
KIND_CONFIG = """
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
kubeadmConfigPatches:
  - |
    kind: KubeletConfiguration
    serverTLSBootstrap: true
"""
# What pods of a namespace must be. Who may create Jobs in one could take over its node otherwise.
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
IMAGES = ("platform", "iceberg-rest", "test-runner", "test-exporter", "floe-tests")

PLATFORM_NAMESPACE = "floe-staging"
PLATFORM = ReleaseSettings.model_validate(
    {
        "name": "floe-platform",
        "chart": "charts/floe-platform",
        "values_files": [
            "charts/floe-platform/values-production.yaml",
            "charts/floe-platform/values-staging.yaml",
        ],
        # Polaris is on no package registry.
        "substitutes": [
            {
                "image": "apache/polaris:1.2.0-incubating",
                "values": {"catalog": {"kind": "iceberg-rest"}},
            }
        ],
        "ready_seconds": 600,
    }
)
ORCHESTRATOR_NAMESPACE = "floe-tests"
ORCHESTRATOR = ReleaseSettings.model_validate(
    {
        "name": "floe-tests",
        "chart": "charts/floe-tests",
        "values_files": ["charts/floe-tests/values-staging.yaml"],
        "ready_seconds": 600,
    }
)


@dataclass(frozen=True)
class Staging:
    """The cluster and what goes onto it.

    Attributes:
        cluster: Name of the kind cluster.
        workspace: Folders and registry prefix.
        directory: Where values and the logs of pods that did not come up are kept.
    """

    cluster: str
    workspace: Workspace
    directory: Path

    @property
    def access(self) -> ClusterAccess:
        """The cluster, by the context that kind writes into the kubeconfig."""
        return ClusterAccess(context=f"kind-{self.cluster}")

    def create(self) -> None:
        """Create the cluster unless it is there."""
        deadline = Deadline(300)
        if self.cluster in program.run(["kind", "get", "clusters"], deadline=deadline).split():
            say(f"kind cluster {self.cluster} is there")
            return
        named = self.workspace.variables.get("FLOE_TESTS_KIND_IMAGE")
        image = self.workspace.image(named or NODE_IMAGE)
        command = ["kind", "create", "cluster", "--name", self.cluster, "--image", image]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            config.write(KIND_CONFIG)
            config.flush()
            program.run(
                [*command, "--config", config.name, "--wait", "120s"], deadline=deadline, log=say
            )
        self.trust_kubelets()

    def trust_kubelets(self) -> None:
        """Have the cluster's CA sign the kubelets' certificates, which kind has sign themselves.

        Source: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/
        """
        deadline = Deadline(60)
        approve = ["kubectl", "--context", f"kind-{self.cluster}", "certificate", "approve"]
        try:
            for found in Kube(self.access).follow("CertificateSigningRequest", deadline=deadline):
                # A kubelet asks once more when its node gets an address.
                asked = {
                    name: part(item, "status") for name, item in found.items() if _is_kubelets(item)
                }
                if waiting := [name for name, status in asked.items() if not status]:
                    program.run([*approve, *waiting], deadline=deadline)
                elif any(status.get("certificate") for status in asked.values()):
                    return
        except DeadlineError as error:
            message = "no kubelet had its certificate within 60 s of the cluster's start."
            raise InfrastructureError(message) from error

    def build_images(self) -> None:
        """Put the project's own images where the nodes find them."""
        prefix = self.workspace.image_registry_prefix
        local = bool(prefix) and reference(self.workspace.image("any")).is_local
        where = ["--push"] if local else ["--load", self.cluster]
        done = subprocess.run(  # noqa: S603 - a script of this project
            [str(ROOT / "images" / "build"), *where, *IMAGES], check=False
        )
        if done.returncode != 0:
            message = f"images/build {' '.join(where)} failed: what it said stands above."
            raise InfrastructureError(message)

    def namespace(self, name: str) -> None:
        """Create a namespace for restricted pods, or make it one."""
        kube = Kube(self.access, patience_seconds=30)
        metadata = {"name": name, "labels": RESTRICTED}
        if kube.patch("Namespace", name, {"metadata": metadata}) is None:
            kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def install(self, release: ReleaseSettings, namespace: str) -> None:
        """Install or upgrade a release, watch it come up, and let it test itself."""
        target = Target(self.access, namespace, self.workspace, self.directory, log=say)
        missing = missing_images([release], self.workspace)
        for name in missing.names:
            say(f"{self.workspace.image(name)} cannot be had: {release.name} does without")
        helm.install(without(release, missing), target)
        program.run(
            [
                *("helm", "test", release.name, "--namespace", namespace, "--logs"),
                *("--kube-context", f"kind-{self.cluster}", "--timeout", "180s"),
            ],
            deadline=Deadline(200),
        )
        say(f"helm test {release.name}: passed")


def _is_kubelets(request: JsonObject) -> bool:
    """Return whether a request for a certificate is that of a kubelet for its own server."""
    spec = part(request, "spec")
    is_node = str(spec.get("username")).startswith("system:node:")
    return is_node and spec.get("signerName") == "kubernetes.io/kubelet-serving"


def up(staging: Staging, *, with_images: bool) -> None:
    """Bring everything up.

    Args:
        staging: The cluster and what goes onto it.
        with_images: Whether the project's images are built first.
    """
    program.require("docker", "kind", "helm", "kubectl")
    with step("cluster"):
        staging.create()
    if with_images:
        with step("images"):
            staging.build_images()
    with step("platform"):
        staging.namespace(PLATFORM_NAMESPACE)
        staging.install(PLATFORM, PLATFORM_NAMESPACE)
    with step("orchestrator"):
        staging.namespace(ORCHESTRATOR_NAMESPACE)
        staging.install(ORCHESTRATOR, ORCHESTRATOR_NAMESPACE)
    kubectl = staging.access.kubectl("--namespace", ORCHESTRATOR_NAMESPACE)
    say(
        "\nopen the UI on http://localhost:3000, and the results on http://localhost:3001/reports/\n"
        f"  {kubectl} port-forward service/dagster-webserver 3000:80 &\n"
        f"  {kubectl} port-forward service/floe-tests-reports 3001:80 &\n"
        "schedules and sensors are off until they are switched on there\n"
        "look at it\n"
        f"  {staging.access.kubectl('get pods --all-namespaces')}\n"
        "delete all of it\n"
        f"  make staging-down{_other_name(staging.cluster)}"
    )


def down(staging: Staging) -> None:
    """Delete the cluster with all that is on it; one that is not there is fine."""
    program.require("kind")
    with step("delete"):
        program.run(
            ["kind", "delete", "cluster", "--name", staging.cluster], deadline=Deadline(120)
        )


def _other_name(cluster: str) -> str:
    return "" if cluster == "floe-staging" else f" STAGING_CLUSTER={cluster}"


@contextmanager
def step(title: str) -> Generator[None]:
    """Say when a step begins, and how long it took."""
    began = monotonic()
    say(f"{'started':<9} {title}")
    try:
        yield
    except BaseException:
        say(f"{'FAILED':<9} {title} after {monotonic() - began:.0f} s")
        raise
    say(f"{'done':<9} {title} in {monotonic() - began:.0f} s")


def say(line: str) -> None:
    """Print a line at once: somebody waits for it."""
    print(line, flush=True)  # noqa: T201 - a program


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="staging/staging.py", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--cluster", default=os.environ.get("STAGING_CLUSTER") or "floe-staging")
    parser.add_argument(
        "--no-images",
        action="store_true",
        help="take the images that the registry has",
    )
    arguments = parser.parse_args()
    directory = Path(tempfile.gettempdir()) / f"{arguments.cluster}-values"
    try:
        workspace = Workspace.from_environment(ROOT, os.environ)
        staging = Staging(arguments.cluster, workspace, directory)
        if arguments.command == "up":
            up(staging, with_images=not arguments.no_images)
        else:
            down(staging)
    except FloeTestsError as error:
        say(str(error))
        for item in error.evidence:
            say(f"  {item}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
