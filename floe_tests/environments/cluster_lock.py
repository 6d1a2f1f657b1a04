"""One run at a time on a cluster: a Lease in the platform's namespace, for all orchestrators.

A limit of one orchestrator says nothing to another, or to a CI. The Lease is held with the run's
name, renewed while the run lives, and waited for. A run that was killed renews no more: it expires,
unless the run is resumed before, which finds it its own.

Whether it has expired is not asked of two machines' clocks. Who waits measures, on a clock of its
own that nobody can set, how long the Lease has not changed: the times in it are the API server's,
and for people and a first look.

Source: https://kubernetes.io/docs/concepts/architecture/leases/
Source: https://github.com/kubernetes/client-go/blob/v0.34.0/tools/leaderelection/leaderelection.go
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, InfrastructureError
from floe_tests.core.evidence import Evidence
from floe_tests.core.labels import Owner
from floe_tests.core.log import Log
from floe_tests.environments.cluster_holder import LEASE, ClusterHolder, holder_of
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part

# A run worker that died is resumed within run monitoring's poll (30 s), the start of its pod and
# that of Dagster: until then nobody renews, and nobody else may come.
DURATION_SECONDS = 240
RENEW_SECONDS = 20.0
# A Lease of a stranger may name no duration: who renews within this time is alive.
_LEAST_SECONDS = 2 * RENEW_SECONDS
_TICK_SECONDS = 5.0
_TRIES = 5


class ClusterBusyError(InfrastructureError):
    """Another run holds the cluster; the message names it."""


@dataclass(frozen=True)
class ClusterLock:
    """A run's claim to a cluster.

    Attributes:
        kube: The cluster.
        namespace: The platform's namespace.
        owner: The run.
    """

    kube: Kube
    namespace: str
    owner: Owner

    @property
    def identity(self) -> str:
        """The run as a holder: tier, run and machine."""
        return f"{self.owner.tier}/{self.owner.run_id}@{socket.gethostname()}"

    def take(self, *, deadline: Deadline, log: Log) -> None:
        """Take the cluster; wait while another has it, and take over what nobody renews any more.

        Args:
            deadline: When to give up.
            log: Receives who is waited for.

        Raises:
            ClusterBusyError: Another still has it; the message names the holder.
            InfrastructureError: The Lease cannot be read or written.
        """
        waiting: _Waiting | None = None
        try:
            for found in self.kube.follow(
                "Lease",
                namespace=self.namespace,
                field_selector=f"metadata.name={LEASE}",
                deadline=deadline,
                tick_seconds=_TICK_SECONDS,
            ):
                lease = found.get(LEASE)
                holder = holder_of(lease)
                if holder is not None and not self._is_ours(lease):
                    if waiting is None or waiting.holder.identity != holder.identity:
                        log(f"the cluster is taken: {holder}. Waiting for it")
                    version = str(part(lease or {}, "metadata").get("resourceVersion", ""))
                    if waiting is None or (waiting.holder, waiting.version) != (holder, version):
                        waiting = _Waiting(holder, version)
                    if not waiting.is_over:
                        continue
                    log(f"{holder.identity} has not renewed: its claim is taken over")
                if self._write(lease):
                    log(f"the cluster is this run's: lease/{LEASE} in {self.namespace}")
                    return
        except DeadlineError as error:
            raise self._busy(waiting, deadline) from error

    def renew(self) -> bool:
        """Say that the run lives.

        Returns:
            False when the cluster is another's by now.

        Raises:
            InfrastructureError: The API did not answer, or refused.
        """
        lease = self._read()
        return lease is not None and self._is_ours(lease) and self._write(lease)

    def is_held(self) -> bool:
        """Return whether the cluster is still this run's."""
        return self._is_ours(self._read())

    def release(self) -> None:
        """Return the cluster back; one that is another's by now is left alone.

        Raises:
            InfrastructureError: The API did not answer, or refused.
        """
        for _ in range(_TRIES):
            lease = self._read()
            if lease is None or not self._is_ours(lease):
                return
            if self._patch(lease, {"holderIdentity": None}):
                return
        message = f"lease/{LEASE} in {self.namespace} was changed {_TRIES} times in a row."
        raise InfrastructureError(message)

    def _read(self) -> JsonObject | None:
        return self.kube.get("Lease", LEASE, namespace=self.namespace)

    def _is_ours(self, lease: JsonObject | None) -> bool:
        holder = holder_of(lease)
        return holder is not None and holder.run_id == labels.label_value(self.owner.run_id)

    def _write(self, lease: JsonObject | None) -> bool:
        """Write this run as the holder, now; false when somebody else wrote meanwhile."""
        now = _micro_time(self.kube.now())
        spec: JsonObject = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": now,
        }
        if lease is None:
            return self._create({**spec, "acquireTime": now, "leaseTransitions": 0})
        if not self._is_ours(lease):
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(part(lease, "spec").get("leaseTransitions") or 0) + 1
        return self._patch(lease, spec)

    def _create(self, spec: JsonObject) -> bool:
        manifest = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE, "labels": self.owner.labels()},
            "spec": spec,
        }
        try:
            made = self.kube.create(manifest, namespace=self.namespace)
        except RefusedError as error:
            if error.is_conflict:
                return False
            raise
        # A try whose answer was lost is followed by what is there, which may be another's.
        return self._is_ours(made)

    def _patch(self, lease: JsonObject, spec: JsonObject) -> bool:
        metadata = {
            # Kubernetes refuses the change when the object is not the one that was read.
            "resourceVersion": lease["metadata"]["resourceVersion"],
            "labels": self.owner.labels(),
        }
        try:
            return (
                self.kube.patch(
                    "Lease", LEASE, {"metadata": metadata, "spec": spec}, namespace=self.namespace
                )
                is not None
            )
        except RefusedError as error:
            if error.is_conflict:
                return False
            raise

    def _busy(self, waiting: _Waiting | None, deadline: Deadline) -> ClusterBusyError:
        who = str(waiting.holder) if waiting else "nobody that could be seen"
        look = self.kube.access.kubectl("describe lease", LEASE, "--namespace", self.namespace)
        message = (
            f"the cluster was not free within {deadline.seconds:g} s: {who} holds lease/{LEASE} in "
            f"{self.namespace}. Launch again when that run is over; `{look}` shows it, and "
            "`floe-tests reap` frees it where that run is dead."
        )
        return ClusterBusyError(
            message, evidence=[Evidence(f"lease/{LEASE}", "spec.holderIdentity", who)]
        )


class _Waiting:
    """A holder that is waited for, and for how long it has not been seen to renew."""

    def __init__(self, holder: ClusterHolder, version: str) -> None:
        self.holder = holder
        self.version = version
        self._unchanged = Deadline(max(holder.duration_seconds, _LEAST_SECONDS))

    @property
    def is_over(self) -> bool:
        return self._unchanged.passed


def _micro_time(time: datetime) -> str:
    """Return a time as Kubernetes' MicroTime."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
