"""A cluster of a few lines that remembers, for what runs do beside an installed platform."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from floe_tests.kube import ClusterAccess

from .small_cluster import NAMESPACE, Cluster, Handler


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a cluster with the namespace of an installed platform."""
    kubeconfig = tmp_path / "kubeconfig"
    made = Cluster(ClusterAccess(str(kubeconfig), "test"))
    handler = type("ClusterHandler", (Handler,), {"cluster": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [
                        {
                            "name": "test",
                            "cluster": {"server": f"http://127.0.0.1:{server.server_port}"},
                        }
                    ],
                    "users": [{"name": "test", "user": {"token": "opens nothing"}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                }
            )
        )
        made.put("namespaces", NAMESPACE)
        yield made
        with made.changed:
            made.closing = True
            made.changed.notify_all()
        server.shutdown()
        thread.join()
