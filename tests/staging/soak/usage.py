"""What the release's pods use: memory, CPU, restarts, kills for memory, disk.

Pods, limits, restarts and kills come from the Kubernetes API. Usage comes from the kubelet of each
node (`/stats/summary`, which has disk), or from the metrics API where the kubelet does not answer;
which of them it was stands in the record. Memory is the working set, by which the kubelet evicts.

Source: https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import urllib3

from platform_suite.cluster import COMPONENT_LABEL
from platform_suite.quantity import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from platform_suite.cluster import Cluster

    Manifest = Mapping[str, Any]

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KUBELET_PORT = 10250
_TIMEOUT_SECONDS = 5.0
_NANO = 1_000_000_000


class NoUsage(Exception):  # noqa: N818 - it is not there, for now or for ever
    """Usage could not be read; the text says from where and why."""


@dataclass(frozen=True)
class Usage:
    """What one pod uses; None where the source does not say.

    Attributes:
        memory_bytes: Working set.
        cpu_cores: Cores.
        disk_bytes: Of its claimed volumes, or without any of its writable layers and logs.
        disk_limit_bytes: What the volumes hold, or how far those can grow on the node's disk.
        is_of_claims: Which of the two it is.
    """

    memory_bytes: int
    cpu_cores: float | None
    disk_bytes: int | None = None
    disk_limit_bytes: int | None = None
    is_of_claims: bool = False


@dataclass(frozen=True)
class Sample:
    """One pod at one moment, as the record has it."""

    component: str
    pod: str
    memory_bytes: int
    memory_limit_bytes: int | None
    cpu_cores: float | None
    cpu_limit_cores: float | None
    restarts: int
    oom_kills: int
    disk_bytes: int | None
    disk_limit_bytes: int | None


class Source(Protocol):
    """Where usage is read."""

    name: str

    def read(self, pods: Iterable[Manifest]) -> Mapping[str, Usage]:
        """Read the usage of pods, by their names; one that is too new is not there.

        Raises:
            NoUsage: It does not answer, or refuses.
        """
        ...


class Kubelets:
    """The kubelets of the pods' nodes, asked with this pod's own account.

    Args:
        namespace: The pods' namespace.
        tls: `verify` or `unverified`, as SoakSettings says.
    """

    def __init__(self, namespace: str, *, tls: str) -> None:
        self._namespace = namespace
        self._is_verified = tls == "verify"
        self._pools: dict[str, urllib3.HTTPSConnectionPool] = {}
        trust = "verified by the cluster's CA" if self._is_verified else "pinned at first sight"
        self.name = f"kubelet /stats/summary, certificate {trust}"

    def read(self, pods: Iterable[Manifest]) -> Mapping[str, Usage]:
        """Read the usage of pods, by their names."""
        hosts = {pod["status"]["hostIP"] for pod in pods if pod.get("status", {}).get("hostIP")}
        found: dict[str, Usage] = {}
        for host in sorted(hosts):
            found |= usage_of_summary(self._summary(host), self._namespace)
        return found

    def _summary(self, host: str) -> Mapping[str, Any]:
        # The account's token is renewed in place.
        token = (_ACCOUNT / "token").read_text(encoding="utf-8").strip()
        try:
            answer = self._pool(host).request(
                "GET",
                "/stats/summary",
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT_SECONDS,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NoUsage(f"the kubelet of {host}: {error}") from error
        if answer.status != 200:
            body = answer.data.decode(errors="replace").strip()
            raise NoUsage(f"the kubelet of {host} answers {answer.status}: {body[:200]}")
        return json.loads(answer.data)

    def _pool(self, host: str) -> urllib3.HTTPSConnectionPool:
        if host not in self._pools:
            # Without a certificate to trust, the token goes to whoever showed the first one, and
            # from then on to nobody else.
            trust: dict[str, Any] = (
                {"cert_reqs": "CERT_REQUIRED", "ca_certs": str(_ACCOUNT / "ca.crt")}
                if self._is_verified
                else {"cert_reqs": "CERT_NONE", "assert_fingerprint": _certificate_hash(host)}
            )
            self._pools[host] = urllib3.HTTPSConnectionPool(host, _KUBELET_PORT, **trust)
        return self._pools[host]


class MetricsApi:
    """The metrics API, metrics.k8s.io: memory and CPU, no disk.

    Args:
        ask: Lists the namespace's PodMetrics.
    """

    name = "metrics.k8s.io"

    def __init__(self, ask: Callable[[], Iterable[Manifest]]) -> None:
        self._ask = ask

    def read(self, pods: Iterable[Manifest]) -> Mapping[str, Usage]:
        """Read the usage of pods, by their names."""
        from kubernetes.client import ApiException

        del pods  # it answers for the namespace
        try:
            items = self._ask()
        except (ApiException, OSError) as error:
            reason = str(getattr(error, "reason", error))
            raise NoUsage(f"{self.name}: {reason}") from error
        return {
            item["metadata"]["name"]: Usage(
                memory_bytes=int(sum(_bytes(c["usage"]["memory"]) for c in item["containers"])),
                cpu_cores=float(sum(_cores(c["usage"]["cpu"]) for c in item["containers"])),
            )
            for item in items
        }


def choose_source(cluster: Cluster, *, tls: str) -> Source:
    """Take the first source that answers: the kubelets, then the metrics API.

    Raises:
        NoUsage: None does, each with its reason.
    """
    pods = cluster.release_manifests()
    sources: list[Source] = [
        Kubelets(cluster.namespace, tls=tls),
        MetricsApi(cluster.pod_metrics),
    ]
    reasons: list[str] = []
    for source in sources:
        try:
            source.read(pods)
        except NoUsage as error:
            reasons.append(str(error))
        else:
            return source
    raise NoUsage("; ".join(reasons))


class Sampler:
    """Samples every pod of the release.

    Args:
        cluster: The namespace.
        source: Where usage is read.
        disk_of: Reads bytes and their limit by component, for volumes that no kubelet measures.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: Source,
        *,
        disk_of: Mapping[str, Callable[[], tuple[int, int | None]]],
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._disk_of = disk_of
        self._kills: dict[tuple[str, str], set[str]] = {}

    def sample(self) -> list[Sample]:
        """Sample all pods that the source knows.

        Raises:
            NoUsage: It does not answer, or knows none.
        """
        pods = self._cluster.release_manifests()
        usage = self._source.read(pods)
        samples = [self._of(pod, usage.get(pod["metadata"]["name"])) for pod in pods]
        found = [sample for sample in samples if sample is not None]
        if not found:
            raise NoUsage(f"{self._source.name} knows none of {len(pods)} pods")
        return found

    def _of(self, pod: Manifest, usage: Usage | None) -> Sample | None:
        name, component = pod["metadata"]["name"], pod["metadata"]["labels"][COMPONENT_LABEL]
        statuses = pod.get("status", {}).get("containerStatuses", [])
        self._note_kills(name, statuses)
        if usage is None or "deletionTimestamp" in pod["metadata"]:
            return None
        if component in self._disk_of and not usage.is_of_claims:
            used, limit = self._disk_of[component]()
            usage = replace(usage, disk_bytes=used, disk_limit_bytes=limit)
        limits = [c.get("resources", {}).get("limits", {}) for c in pod["spec"]["containers"]]
        memory = [limit["memory"] for limit in limits if "memory" in limit]
        cpu = [limit["cpu"] for limit in limits if "cpu" in limit]
        return Sample(
            component=component,
            pod=name,
            memory_bytes=usage.memory_bytes,
            memory_limit_bytes=(
                int(sum(map(amount, memory))) if len(memory) == len(limits) else None
            ),
            cpu_cores=usage.cpu_cores,
            cpu_limit_cores=float(sum(map(amount, cpu))) if len(cpu) == len(limits) else None,
            restarts=sum(status["restartCount"] for status in statuses),
            oom_kills=sum(len(ends) for (of, _), ends in self._kills.items() if of == name),
            disk_bytes=usage.disk_bytes,
            disk_limit_bytes=usage.disk_limit_bytes,
        )

    def _note_kills(self, pod: str, statuses: Iterable[Manifest]) -> None:
        """Remember each kill: the API keeps the last end of a container alone."""
        for status in statuses:
            seen = self._kills.setdefault((pod, status["name"]), set())
            for state in (status.get("state", {}), status.get("lastState", {})):
                end = state.get("terminated", {})
                if end.get("reason") == "OOMKilled":
                    seen.add(str(end.get("containerID") or end.get("finishedAt")))


def usage_of_summary(summary: Manifest, namespace: str) -> dict[str, Usage]:
    """Read a kubelet's summary.

    Args:
        summary: Its /stats/summary.
        namespace: Whose pods.

    Returns:
        Usage by pod; one without memory figures, as in its first seconds, is left out.
    """
    found: dict[str, Usage] = {}
    for pod in summary.get("pods", []):
        if pod["podRef"]["namespace"] != namespace:
            continue
        containers = pod.get("containers", [])
        memory = [c.get("memory", {}).get("workingSetBytes") for c in containers]
        cpu = [c.get("cpu", {}).get("usageNanoCores") for c in containers]
        if not memory or None in memory:
            continue
        usage = Usage(memory_bytes=sum(memory), cpu_cores=None if None in cpu else sum(cpu) / _NANO)
        found[pod["podRef"]["name"]] = _with_disk(usage, pod)
    return found


def _with_disk(usage: Usage, pod: Manifest) -> Usage:
    """Add what fills up: the pod's claimed volumes, or without any its own writable layers."""
    claimed = [v for v in pod.get("volume", []) if "pvcRef" in v and "usedBytes" in v]
    if claimed:
        return replace(
            usage,
            disk_bytes=sum(v["usedBytes"] for v in claimed),
            disk_limit_bytes=sum(v["capacityBytes"] for v in claimed),
            is_of_claims=True,
        )
    own = pod.get("ephemeral-storage", {})
    if "usedBytes" not in own or "availableBytes" not in own:
        return usage
    limit = own["usedBytes"] + own["availableBytes"]
    return replace(usage, disk_bytes=own["usedBytes"], disk_limit_bytes=limit)


def _certificate_hash(host: str) -> str:
    import hashlib

    try:
        pem = ssl.get_server_certificate((host, _KUBELET_PORT), timeout=_TIMEOUT_SECONDS)
    except OSError as error:
        raise NoUsage(f"the kubelet of {host}: {error}") from error
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _bytes(quantity: str) -> int:
    return int(amount(quantity))


def _cores(quantity: str) -> float:
    # The metrics API counts in n(ano) and u (micro), which no manifest does.
    for unit, parts in (("n", _NANO), ("u", 1_000_000)):
        if quantity.endswith(unit):
            return int(quantity[:-1]) / parts
    return float(amount(quantity))
