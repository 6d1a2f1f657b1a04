"""The integration tier by hand, with kubectl alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube

from .conftest import ROOT


def test_the_manifest_works_alone_with_kubectl(kubeconfig: Path, kube: Kube) -> None:
    """The workflow by hand: a cluster, `helm install`, `kubectl apply`, `kubectl logs`."""
    prefix = os.environ.get("IMAGE_REGISTRY_PREFIX", "")
    variables = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def shell(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    try:
        shell(
            "helm install floe-dev charts/floe-platform --namespace floe-test --create-namespace "
            f"--set minimal=true --set-string global.imageRegistryPrefix={prefix} "
            "--wait --timeout 3m"
        )
        shell(
            f"sed 's#image: ghcr.io#image: {prefix}ghcr.io#' tests/integration/test-job.yaml "
            "| kubectl apply -f -"
        )
        job = ["--namespace", "floe-test", "job/floe-integration-tests"]
        waiting = " ".join(["kubectl wait --for=condition=Complete --timeout=200s", *job])
        failed = " ".join(["kubectl wait --for=condition=Failed --timeout=200s", *job])
        # Whichever comes first: waiting for Complete alone would sit out a failed Job.
        shell(f"{waiting} & {failed} & wait -n; kill $(jobs -p) 2>/dev/null || true")
        log = shell(" ".join(["kubectl logs", *job]))
        assert " passed" in log, log
        assert " failed" not in log, log
        assert kube.list("Job", namespace="floe-test", label_selector=RUN) == []
    finally:
        subprocess.run(
            ["kubectl", "delete", "namespace", "floe-test", "--wait=true", "--timeout=120s"],
            env=variables,
            check=False,
        )
