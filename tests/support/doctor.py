"""Real small programs on PATH, and a real small HTTP server that is a registry or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.doctor.needs import Needs
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from tests.support.kube_api import write_kubeconfig
from tests.support.small_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def kubeconfig(server: Server, tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    write_kubeconfig(file, f"http://{server.address}")
    return file


@pytest.fixture
def kube(kubeconfig: Path) -> Kube:
    return Kube(ClusterAccess(kubeconfig=str(kubeconfig)))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put shell scripts on a PATH that has nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return put


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    home = tmp_path / "home"
    return Workspace(
        root=tmp_path,
        output=tmp_path / "output",
        home=home,
        history_url=f"sqlite:///{home / 'floe_tests.db'}",
    )


def tier(**changes: Any) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": "small",
            "description": "x",
            "environments": ["context"],
            "suites": [{"name": "suite", "job": "test-job.yaml"}],
            **changes,
        }
    )


def deployment(
    name: str = "engine", *, cpu: str = "500m", memory: str = "1Gi", **spec: Any
) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": f"ghcr.io/floe/{name}:1",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}, **spec},
    }


def needs(*manifests: dict[str, Any], **changes: Any) -> Needs:
    return Needs(
        tier=tier(**changes),
        namespace="floe-test-00000000",
        manifests=manifests,
        jobs=(),
        checks=(),
    )
