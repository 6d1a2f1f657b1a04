"""Usage of pods, from what a kubelet, the metrics API and the Kubernetes API answer."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from staging.soak import usage
from staging.soak.usage import Kubelets, MetricsApi, NoUsage, Sampler, Usage, usage_of_summary

MIB = 1024 * 1024


def pod(name: str, component: str, **status: Any) -> dict[str, Any]:
    resources = {"limits": {"cpu": "500m", "memory": "512Mi"}}
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}},
        "spec": {"containers": [{"name": "main", "resources": resources}]},
        "status": {"hostIP": "127.0.0.1", "containerStatuses": [status_of()], **status},
    }


def status_of(restarts: int = 0, *, kill: str | None = None) -> dict[str, Any]:
    end = {"terminated": {"reason": "OOMKilled", "containerID": kill}} if kill else {}
    return {"name": "main", "restartCount": restarts, "state": {}, "lastState": end}


def summary_of(name: str, *, memory: int | None, **rest: Any) -> dict[str, Any]:
    container = {"name": "main", "cpu": {"usageNanoCores": 250_000_000}}
    if memory is not None:
        container["memory"] = {"workingSetBytes": memory}
    return {
        "podRef": {"name": name, "namespace": "floe-staging"},
        "containers": [container, {**container, "name": "beside"}],
        **rest,
    }


EPHEMERAL = {"ephemeral-storage": {"usedBytes": 40, "availableBytes": 1000}}
SUMMARY = {
    "pods": [
        summary_of(
            "postgres-0",
            memory=50 * MIB,
            volume=[
                {"name": "data", "pvcRef": {}, "usedBytes": 300, "capacityBytes": 1000},
                {"name": "tmp", "usedBytes": 7, "capacityBytes": 9},
            ],
        ),
        summary_of("cube-1", memory=90 * MIB, **EPHEMERAL),
        summary_of("new-1", memory=None),
        {**summary_of("cube-1", memory=1), "podRef": {"name": "cube-1", "namespace": "other"}},
    ]
}


class Cluster:
    """A namespace whose pods a test sets."""

    namespace = "floe-staging"

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods

    def release_manifests(self) -> tuple[Mapping[str, Any], ...]:
        return self.pods


class Fixed:
    """A source with the same answer always."""

    name = "fixed"

    def __init__(self, **usages: Usage) -> None:
        self._usages = usages

    def read(self, pods: object) -> Mapping[str, Usage]:
        del pods
        return {name.replace("_", "-"): each for name, each in self._usages.items()}


def test_kubelets_summary_is_added_up_by_pod() -> None:
    found = usage_of_summary(SUMMARY, "floe-staging")

    assert found == {
        "postgres-0": Usage(
            100 * MIB, 0.5, disk_bytes=300, disk_limit_bytes=1000, is_of_claims=True
        ),
        # A log may grow until the node's disk is full, and not until it is twice as long.
        "cube-1": Usage(180 * MIB, 0.5, disk_bytes=40, disk_limit_bytes=1040),
    }


def test_metrics_api_counts_in_its_own_units() -> None:
    containers = [
        {"usage": {"cpu": "250000000n", "memory": "51200Ki"}},
        {"usage": {"cpu": "5m", "memory": "1Mi"}},
    ]
    source = MetricsApi(lambda: [{"metadata": {"name": "cube-1"}, "containers": containers}])

    assert source.read([]) == {"cube-1": Usage(51 * MIB, 0.255)}


def test_sample_has_limits_restarts_and_every_kill_that_was_seen() -> None:
    """The API keeps a container's last end alone; two kills are two."""
    cluster = Cluster(pod("cube-1", "cube"))
    sampler = Sampler(cluster, Fixed(cube_1=Usage(100 * MIB, 0.1)), disk_of={})

    (before,) = sampler.sample()
    for restarts, kill in ((1, "first"), (1, "first"), (2, "second")):
        statuses = [status_of(restarts, kill=kill)]
        cluster.pods = (pod("cube-1", "cube", containerStatuses=statuses),)
        (after,) = sampler.sample()

    assert (before.memory_limit_bytes, before.cpu_limit_cores) == (512 * MIB, 0.5)
    assert (before.restarts, before.oom_kills) == (0, 0)
    assert (after.restarts, after.oom_kills) == (2, 2)


def test_volume_that_no_kubelet_measures_is_measured_where_it_can_be() -> None:
    cluster = Cluster(pod("object-storage-0", "object-storage"))
    source = Fixed(object_storage_0=Usage(MIB, 0.1, disk_bytes=12, disk_limit_bytes=99))
    sampler = Sampler(cluster, source, disk_of={"object-storage": lambda: (500, 2000)})

    (sample,) = sampler.sample()

    assert (sample.disk_bytes, sample.disk_limit_bytes) == (500, 2000)


def test_pod_that_is_new_or_going_has_no_sample_yet_and_the_others_have() -> None:
    going = pod("cube-2", "cube")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster = Cluster(pod("cube-1", "cube"), pod("code-1", "code"), going)
    sampler = Sampler(cluster, Fixed(cube_1=Usage(1, 0.1), cube_2=Usage(1, 0.1)), disk_of={})

    assert [each.pod for each in sampler.sample()] == ["cube-1"]


def test_source_that_knows_no_pod_is_a_gap() -> None:
    sampler = Sampler(Cluster(pod("cube-1", "cube")), Fixed(), disk_of={})

    with pytest.raises(NoUsage, match="fixed knows none of 1 pods"):
        sampler.sample()


@pytest.fixture
def kubelet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A kubelet on this machine whose certificate no CA of the cluster's has signed.

    Yields:
        The Authorization headers that it saw.
    """
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            import json

            seen.append(str(self.headers["Authorization"]))
            body = json.dumps(SUMMARY).encode()
            self.send_response(200 if self.path == "/stats/summary" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("of-this-pod\n")
    write_certificate(tmp_path / "another.pem")
    (account / "ca.crt").write_bytes(
        b"".join((tmp_path / "another.pem").read_bytes().partition(b"-----BEGIN CERT")[1:])
    )
    certificate = write_certificate(tmp_path / "kubelet.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setattr(usage, "_KUBELET_PORT", server.server_address[1])
        monkeypatch.setattr(usage, "_ACCOUNT", account)
        yield seen
        server.shutdown()


def write_certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubelet")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


PODS = [pod("postgres-0", "postgres")]


def test_token_does_not_go_to_a_kubelet_that_the_clusters_ca_does_not_know(
    kubelet: list[str],
) -> None:
    with pytest.raises(NoUsage, match="CERTIFICATE_VERIFY_FAILED"):
        Kubelets("floe-staging", tls="verify").read(PODS)

    assert kubelet == []


def test_certificate_at_first_sight_is_the_only_one_from_then_on(
    kubelet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelets = Kubelets("floe-staging", tls="unverified")
    assert kubelets.read(PODS).keys() == {"postgres-0", "cube-1"}
    assert kubelet == ["Bearer of-this-pod"]

    monkeypatch.setattr(usage, "_certificate_hash", lambda _host: "00" * 32)
    with pytest.raises(NoUsage, match="ingerprints did not match"):
        Kubelets("floe-staging", tls="unverified").read(PODS)
    assert len(kubelet) == 1, "the token went nowhere"


def test_kubelet_that_refuses_says_why(kubelet: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    del kubelet
    monkeypatch.setattr(usage, "_KUBELET_PORT", 1)
    with pytest.raises(NoUsage, match=r"the kubelet of 127\.0\.0\.1"):
        Kubelets("floe-staging", tls="unverified").read(PODS)
