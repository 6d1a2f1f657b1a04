"""A small cluster that remembers: objects are created, patched, watched, deleted, and conflict."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from tests.support.kube_api import write_kubeconfig

NAMESPACE = "floe-staging"
# A suite of an installed platform: its pod says how much memory it takes.
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: soak}
spec:
  template:
    spec:
      containers:
        - name: soak
          image: ghcr.io/floe/test-runner:0.1.0
          command: [pytest]
          resources: {limits: {memory: 512Mi}}
          volumeMounts: [{name: results, mountPath: /results}]
      volumes: [{name: results, emptyDir: {}}]
"""
_PATH = re.compile(
    r"(?:/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/[^/]+(?=/))?/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?"
)


@dataclass
class Cluster:
    """What is in it, by plural and name.

    Attributes:
        objects: The objects.
        refused: Method and plural → the HTTP status that it is refused with.
        lists_refused: Plurals whose objects may be read by name alone.
        kinds: API group and version → its custom resources, as discovery tells them.
        access: How it is reached.
        changed: Notified of every change.
        watch_seconds: After how long it ends a watch that asks for longer.
    """

    access: ClusterAccess
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refused: dict[tuple[str, str], int] = field(default_factory=dict)
    lists_refused: set[str] = field(default_factory=set)
    kinds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    log_queries: list[dict[str, str]] = field(default_factory=list)
    log_paths: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    watch_seconds: float = 3600
    version: int = 1
    closing: bool = False

    def kube(self) -> Kube:
        return Kube(self.access)

    def put(self, plural: str, name: str, **parts: Any) -> dict[str, Any]:
        """Put an object there, as somebody else does."""
        with self.changed:
            self.version += 1
            metadata = {
                "name": name,
                "uid": f"uid-of-{name}",
                "creationTimestamp": "2026-11-24T09:00:00Z",
                **parts.pop("metadata", {}),
                "resourceVersion": str(self.version),
            }
            self.objects[plural, name] = {"metadata": metadata, **parts}
            self.changed.notify_all()
            return self.objects[plural, name]

    def refusal_of(self, method: str, plural: str, name: str | None) -> int | None:
        """Return the status that a request is refused with."""
        if name is None and plural in self.lists_refused:
            return 403
        return self.refused.get((method, plural))

    def names(self, plural: str) -> set[str]:
        return {name for kind, name in self.objects if kind == plural}


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    found = dict(old)
    for key, value in new.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = _merged(found.get(key) or {}, value)
        else:
            found[key] = value
    return found


def _chosen(item: dict[str, Any], query: dict[str, str]) -> bool:
    carried = item["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        if "!=" in term:
            key, _, value = term.partition("!=")
            if carried.get(key) == value:
                return False
            continue
        key, equals, value = term.partition("=")
        if key not in carried or (equals and carried[key] != value):
            return False
    field, _, value = query.get("fieldSelector", "").partition("=")
    if field == "metadata.name":
        return item["metadata"]["name"] == value
    if field == "involvedObject.kind":
        return item.get("involvedObject", {}).get("kind") == value
    if field == "type":
        return item.get("type") == value
    return field != "status.phase" or item.get("status", {}).get("phase") == value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cluster: Cluster

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if url.path == "/version":
                self._send(200, {"gitVersion": "v1.34.2"})
                return
            if url.path.endswith("/log"):
                self.cluster.log_queries.append(query)
                self.cluster.log_paths.append(url.path)
                self._send(200, "its last words\n")
                return
            version = url.path.removeprefix("/apis/").removeprefix("/api/")
            if version in self.cluster.kinds:
                kinds = self.cluster.kinds[version]
                self._send(200, {"resources": kinds})
                return
            found = _PATH.fullmatch(url.path)
            assert found is not None, url.path
            self._answer(found["kind"], found["name"], query, json.loads(body or b"{}"))

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def _answer(
        self, plural: str, name: str | None, query: dict[str, str], body: dict[str, Any]
    ) -> None:
        cluster = self.cluster
        cluster.requests.append((self.command, plural))
        refused = cluster.refusal_of(self.command, plural, name)
        if refused is not None:
            self._refuse(refused)
        elif "watch" in query:
            self._watch(query)
        elif self.command == "POST":
            name = str(body["metadata"]["name"])
            if (plural, name) in cluster.objects:
                self._refuse(409)
                return
            self._send(201, cluster.put(plural, name, **body))
        elif name is None:
            items = [
                item
                for (kind, _), item in list(cluster.objects.items())
                if kind == plural and _chosen(item, query)
            ]
            metadata = {"resourceVersion": str(cluster.version)}
            self._send(200, {"items": items, "metadata": metadata})
        elif (plural, name) not in cluster.objects:
            self._refuse(404)
        elif self.command == "GET":
            self._send(200, cluster.objects[plural, name])
        elif self.command == "DELETE":
            metadata = cluster.objects[plural, name]["metadata"]
            wanted = body.get("preconditions", {})
            if any(metadata[key] != value for key, value in wanted.items()):
                self._refuse(409)
                return
            with cluster.changed:
                cluster.objects.pop((plural, name))
                cluster.version += 1
                cluster.changed.notify_all()
            self._send(200, {})
        else:
            self._patch(plural, name, body)

    def _patch(self, plural: str, name: str, body: dict[str, Any]) -> None:
        with self.cluster.changed:
            old = self.cluster.objects[plural, name]
            wanted = body.get("metadata", {})
            for key in ("resourceVersion", "uid"):
                if wanted.pop(key, old["metadata"][key]) != old["metadata"][key]:
                    self._refuse(409)
                    return
        self._send(200, self.cluster.put(plural, name, **_merged(old, body)))

    def _watch(self, query: dict[str, str]) -> None:
        """End the watch at the next change: the client lists again."""
        seen = int(query["resourceVersion"])
        with self.cluster.changed:
            self.cluster.changed.wait_for(
                lambda: self.cluster.version > seen or self.cluster.closing,
                timeout=min(self.cluster.watch_seconds, float(query["timeoutSeconds"])),
            )
        self._send(200, "")

    def _refuse(self, code: int) -> None:
        reasons = {403: "Forbidden", 404: "NotFound", 409: "Conflict"}
        status = {"code": code, "reason": reasons.get(code, "InternalError")}
        self._send(code, {"kind": "Status", "message": f"the server says {code}", **status})

    def _send(self, status: int, value: Any) -> None:
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


LABELS = {
    "app.kubernetes.io/instance": "floe-platform",
    "app.kubernetes.io/version": "0.1.0",
    "helm.sh/chart": "floe-platform-0.2.0",
}


def put_platform(
    cluster: Cluster, *, digest: str = "aa", ready: bool = True, chart: str = "floe-platform-0.2.0"
) -> None:
    """Put an installed platform there: one Deployment with its pod, on a node."""
    cluster.put("nodes", "one", status={"conditions": [{"type": "Ready", "status": "True"}]})
    carried = {**LABELS, "helm.sh/chart": chart}
    count = 1 if ready else 0
    cluster.put(
        "deployments",
        "code",
        metadata={"labels": carried, "generation": 1},
        spec={"replicas": 1},
        status={
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": count,
        },
    )
    cluster.put(
        "pods",
        "code-1",
        metadata={"labels": carried, "ownerReferences": [{"kind": "ReplicaSet", "name": "code"}]},
        spec={"containers": [{"name": "code", "readinessProbe": {}}]},
        status={
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {"name": "code", "image": "platform:1", "imageID": f"ghcr.io/p@sha256:{digest}"}
            ],
        },
    )


@contextlib.contextmanager
def serving(tmp_path: Path) -> Iterator[Cluster]:
    """Serve a cluster with the namespace of an installed platform for the length of a block."""
    kubeconfig = tmp_path / "kubeconfig"
    made = Cluster(ClusterAccess(str(kubeconfig), "test"))
    handler = type("ClusterHandler", (Handler,), {"cluster": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        write_kubeconfig(kubeconfig, f"http://127.0.0.1:{server.server_port}")
        made.put("namespaces", NAMESPACE)
        yield made
        with made.changed:
            made.closing = True
            made.changed.notify_all()
        server.shutdown()
        thread.join()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster with the namespace of an installed platform."""
    with serving(tmp_path) as made:
        yield made
