"""Real small programs on PATH, and a real small HTTP server that is a registry or a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from floe_tests.doctor.needs import Needs
from floe_tests.kube import ClusterAccess, Kube
from floe_tests.settings import TierSettings
from floe_tests.workspace import Workspace

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass
class Server:
    """What it answers, by path: a status, or an object.

    Attributes:
        address: Host and port.
        answers: Path → an HTTP status, or the object or list that is there. Others are not found.
        may: Tells whether the account has a right, by the attributes of the review.
    """

    address: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    may: Callable[[dict[str, str]], bool] = field(default=lambda _: True)
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == REVIEWS and path not in self.answers:
            attributes = body["spec"]["resourceAttributes"]
            self.asked.append(attributes)
            return 201, {"status": {"allowed": self.may(attributes)}}
        found = self.answers.get(path, 404)
        if isinstance(found, int):
            return found, {"message": f"the server says {found}", "reason": "Forbidden"}
        return 200, {"items": found, "metadata": {}} if isinstance(found, list) else found


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            status, value = state.answer(path, json.loads(body) if body else None)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def kubeconfig(server: Server, tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": f"http://{server.address}"}}],
                "users": [{"name": "test", "user": {"token": "opens nothing"}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        )
    )
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
