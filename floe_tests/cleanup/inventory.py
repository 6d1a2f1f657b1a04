"""One look at what runs have left: clusters, namespaces, processes, leases; nothing is changed.

It starts from the ledger, then asks this machine and every cluster it can reach. What carries no
label of this project is not even listed; what carries nothing but labels is listed and stays.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from floe_tests.cleanup import processes
from floe_tests.cleanup.expiry import Expiry, expiry_of
from floe_tests.cleanup.plan import Leftover, Plan, Scope
from floe_tests.core import labels
from floe_tests.core.clock import certain_now
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, HarnessError
from floe_tests.environments.cluster_lock import LEASE, held_by
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.owned_objects import OwnedObjects, command_for, owned_objects_in
from floe_tests.environments.ownership import is_marked, why_not_proved, why_protected
from floe_tests.environments.providers.kind import nodes
from floe_tests.environments.providers.kind.creator import creator_of
from floe_tests.environments.providers.kind.nodes import KindAccess, KindCluster
from floe_tests.environments.providers.kind.provider import CREATED, CreatedCluster
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject

_FORBIDDEN = 403
# A claim that has expired by the clock is still a dead run's, and is taken off the books with it.
_ANY_TIME = datetime.min.replace(tzinfo=UTC)
_OURS = f"{labels.MANAGED_BY}={labels.MANAGER},{labels.RUN}"


@dataclass
class Look:
    """One look; `everywhere` fills it."""

    scope: Scope
    deadline: Deadline
    now: datetime = field(default_factory=certain_now)
    found: list[Leftover] = field(default_factory=list[Leftover])
    looked_at: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    kubes: dict[str, Kube] = field(default_factory=dict[str, Kube])
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    kind_names: set[str] | None = None  # None when Docker was not asked or did not answer
    # Runs that something is left of, also where it goes with a cluster and is not listed itself.
    _with_something: set[str] = field(default_factory=set[str])
    _without_lease: set[str] = field(default_factory=set[str])
    _read: set[ClusterAccess | str] = field(default_factory=set[ClusterAccess | str])

    def __post_init__(self) -> None:
        """Read the ledger."""
        ledger = self.scope.ledger
        for run_id in ledger.runs(ENTRY):
            try:
                lease = ledger.read(run_id, ENTRY, Lease)
            except HarnessError as error:
                self._not_followed(run_id, str(error))
                continue
            if lease is None:
                continue
            if lease.run_id != run_id:
                self._not_followed(
                    run_id,
                    f"{ledger.directory / run_id / ENTRY}.json is the lease of run {lease.run_id}: "
                    "it was changed by hand and is not followed.",
                )
                continue
            self.leases[labels.label_value(run_id)] = lease

    def _not_followed(self, run_id: str, why: str) -> None:
        """Note a run whose lease tells nothing: what it has on this machine has no expiry."""
        self._without_lease.add(run_id)
        folder = shlex.quote(str(self.scope.ledger.directory / run_id))
        self.problems.append(
            f"{why} Put back what was there, and the next reaper follows it. Without it nothing "
            "tells whether the run is over: its processes on this machine stay until they are "
            "ended by hand (they are listed with the command), and in a cluster what it left "
            "goes when it expires (name its context with --context). Only when nothing of it is "
            f"left, `rm -r {folder}` makes the ledger forget the run."
        )

    def everywhere(self) -> Plan:
        """Look at processes, kind clusters, other clusters and leases."""
        self.looked_at.append(_counted(len(self.leases), "lease"))
        self._look_at_processes()
        self._look_at_kind()
        self._look_at_clusters()
        self._look_beside_platforms()
        self._look_at_leases()
        return Plan(
            removable=tuple(item for item in self.found if item.may_go),
            staying=tuple(item for item in self.found if not item.may_go),
            looked_at=tuple(self.looked_at),
            problems=tuple(self.problems),
        )

    def expiry(
        self, run_id: str, found_labels: Mapping[str, str], *, kube: Kube | None = None
    ) -> Expiry:
        """Tell how a run stands.

        Args:
            run_id: The run, or its label.
            found_labels: The labels on what was found.
            kube: Where it was found, whose time counts then; None for this machine.

        Raises:
            InfrastructureError: The cluster does not say what time it is.
        """
        # A kind cluster has this machine's clock.
        has_own_clock = kube is not None and not isinstance(kube.access, KindAccess)
        return expiry_of(
            run_id,
            lease=self.leases.get(labels.label_value(run_id)),
            found_labels=found_labels,
            run_state=self.scope.run_state,
            now=kube.now() if kube is not None and has_own_clock else self.now,
        )

    def namespace_expiry(self, namespace: JsonObject, *, kube: Kube) -> Expiry:
        """Return whether a namespace that carries a run's labels may be removed.

        Args:
            namespace: The namespace.
            kube: The cluster that it is in.

        Raises:
            InfrastructureError: The cluster does not say what time it is.
        """
        metadata = namespace["metadata"]
        run_id = _run_of(namespace)
        expiry = self.expiry(run_id, metadata["labels"], kube=kube)
        if not expiry.may_go:
            return expiry
        lease = self.leases.get(run_id)
        recorded = {lease.namespace_uid} if lease is not None else set[str]()
        reason = why_protected(str(metadata["name"]), self._protected) or why_not_proved(
            namespace, run_id=run_id, recorded=recorded
        )
        return Expiry("unproved", reason) if reason else expiry

    @property
    def _protected(self) -> frozenset[str]:
        beside = {namespace for _, namespace in self.scope.platforms}
        lent = {lease.namespace for lease in self.leases.values() if lease.persistent}
        return self.scope.protected | beside | lent

    def at_kind_cluster(self, cluster: KindCluster) -> None:
        """Look at a kind cluster: whose it is, and the runs' namespaces in it."""
        place = f"kind cluster {cluster.name}"
        namespaces: list[JsonObject] = []
        node_labels = dict(cluster.labels or {})
        marked: set[str] = set()
        unreachable = ""
        try:
            kube = nodes.connect(cluster, deadline=self.deadline)
            namespaces = kube.list("Namespace", label_selector=_OURS)
            for node in kube.list("Node", label_selector=labels.RUN):
                node_labels.update(node["metadata"]["labels"])
                if is_marked(node):
                    marked.add(_run_of(node))
            self.kubes[place] = kube
            self._read.add(place)
            self.looked_at.append(place)
        except FloeTestsError as error:
            unreachable = str(error)
        creator, unproved = self._creator(cluster, marked)
        if creator is not None:
            item = self._cluster_of(creator, cluster, node_labels, namespaces, unproved=unproved)
            self._add(item)
            if item.may_go:
                self._with_something.update(map(_run_of, namespaces))
                return
        for namespace in namespaces:
            self._add_namespace(namespace, place=place)
        if unreachable:
            self._not_read(place, unreachable, needed=self._left_in(cluster.name))

    def _look_at_processes(self) -> None:
        found = processes.processes_of_runs()
        self.looked_at.append(f"{_counted(len(found), 'process', 'es')} with a run's id")
        for process in found:
            lease = self.leases.get(labels.label_value(process.run_id))
            expiry = self._process_expiry(process, lease)
            if expiry is None:
                continue
            self._add(
                Leftover(
                    what="process",
                    name=str(process.process_id),
                    place="this machine",
                    run_id=process.run_id,
                    tier=lease.owner.tier if lease else "",
                    word=expiry.word,
                    reason=expiry.reason,
                    since=process.started_at,
                    command=f"kill -9 {process.process_id}",
                    detail=process.command,
                )
            )

    def _process_expiry(self, process: processes.RunProcess, lease: Lease | None) -> Expiry | None:
        """Tell how a process of this machine stands; None where its run is not of this ledger."""
        if lease is None and process.run_id in self._without_lease:
            return Expiry(
                "unproved",
                f"the lease of its run {process.run_id[:8]} is not followed: nothing tells whether "
                "the run is over",
            )
        # Of a run that this ledger does not know nothing tells whether it is over.
        if lease is None or lease.holder.liveness == "unknown":
            return None
        expiry = self.expiry(process.run_id, {})
        if expiry.may_go and lease.holder.liveness == "alive":
            return Expiry("live", "its orchestrator has not ended yet")
        if expiry.may_go and process.has_terminal:
            return Expiry("unproved", "it belongs to a terminal: a person may have started it")
        return expiry

    def _look_at_kind(self) -> None:
        left = [
            f"kind cluster {lease.kind_cluster}"
            for lease in self.leases.values()
            if lease.kind_cluster and self._left_in(lease.kind_cluster)
        ]
        missing = [name for name in ("docker", "kind") if shutil.which(name) is None]
        if missing:
            why = f"{' and '.join(missing)} not on PATH"
            self._not_read(", ".join(left) or "kind clusters", why, needed=bool(left))
            return
        try:
            clusters = nodes.kind_clusters(deadline=self.deadline)
        except FloeTestsError as error:
            self._not_read(", ".join(left) or "kind clusters", str(error), needed=bool(left))
            return
        self.looked_at.append(_counted(len(clusters), "kind cluster"))
        for cluster in clusters:
            self.at_kind_cluster(cluster)
        # A cluster that is not there any more holds nothing.
        self.kind_names = there = {cluster.name for cluster in clusters}
        self._read.update(
            f"kind cluster {lease.kind_cluster}"
            for lease in self.leases.values()
            if lease.kind_cluster not in there
        )

    def _look_at_clusters(self) -> None:
        needed = dict.fromkeys(self.scope.clusters, True)
        beside = {access for access, _ in self.scope.platforms}
        for lease in self.leases.values():
            if lease.provider == "context" and lease.access is not None and not lease.persistent:
                left = lease.state != "released" and self.expiry(lease.run_id, {}).may_go
                needed[lease.access] = needed.get(lease.access, False) or left
                beside.discard(lease.access)
        for access, is_needed in needed.items():
            place = f"cluster of {access.shown}"
            try:
                kube = Kube(access)
                namespaces = kube.list("Namespace", label_selector=_OURS)
                kube.now()  # as all below needs it
            except FloeTestsError as error:
                # An account may have its rights beside an installed platform alone.
                forbidden = isinstance(error, RefusedError) and error.status == _FORBIDDEN
                needs_it = is_needed and not (forbidden and access in beside)
                self._not_read(place, str(error), needed=needs_it)
                continue
            self.kubes[place] = kube
            self._read.add(access)
            self.looked_at.append(place)
            for namespace in namespaces:
                self._add_namespace(namespace, place=place)

    def _look_beside_platforms(self) -> None:
        """Look at what runs have in namespaces that were there before them, and stay."""
        needed = dict.fromkeys(self.scope.platforms, False)
        for lease in self.leases.values():
            if lease.persistent and lease.access is not None:
                key = lease.access, lease.namespace
                left = lease.state != "released" and self.expiry(lease.run_id, {}).may_go
                needed[key] = needed.get(key, False) or left
        for (access, namespace), is_needed in needed.items():
            place = f"namespace {namespace} in the cluster of {access.shown}"
            try:
                kube = Kube(access)
                found = owned_objects_in(kube, namespace)
                holder = held_by(kube, namespace, now=_ANY_TIME)
                kube.now()  # as all below needs it
            except FloeTestsError as error:
                self._not_read(place, str(error), needed=is_needed)
                continue
            self.kubes[place] = kube
            self._read.add(place)
            self.looked_at.append(place)
            for item in found:
                if item.objects:
                    self._add_owned_objects(item, namespace=namespace, place=place)
                self._add_unproved(item, namespace=namespace, place=place)
            named = {item.run_id for item in found if item.objects}
            if holder is not None and holder.run_id and holder.run_id not in named:
                lone = OwnedObjects(holder.run_id, ())
                self._add_owned_objects(lone, namespace=namespace, place=place, tier=holder.tier)

    def _look_at_leases(self) -> None:
        """Find leases that nothing is left of, and that say otherwise."""
        for key, lease in self.leases.items():
            expiry = self.expiry(lease.run_id, {})
            if lease.state == "released" or not expiry.may_go or key in self._with_something:
                continue
            if not self._was_read(lease):
                continue
            path = self.scope.ledger.directory / lease.run_id
            self._add(
                Leftover(
                    what="lease",
                    name=lease.run_id,
                    place="the ledger",
                    run_id=lease.run_id,
                    tier=lease.owner.tier,
                    word=expiry.word,
                    reason=f"{expiry.reason}; nothing else is left of it",
                    since=None,
                    command=f"rm -r {shlex.quote(str(path))}",
                )
            )

    def _was_read(self, lease: Lease) -> bool:
        if lease.provider == "kind" and lease.kind_cluster is not None:
            return f"kind cluster {lease.kind_cluster}" in self._read
        if lease.persistent and lease.access is not None:
            place = f"namespace {lease.namespace} in the cluster of {lease.access.shown}"
            return place in self._read
        return lease.provider != "context" or lease.access is None or lease.access in self._read

    def _creator(self, cluster: KindCluster, marked: set[str]) -> tuple[str | None, str]:
        try:
            note = self.scope.ledger.read(CREATED, cluster.name, CreatedCluster)
        except HarnessError as error:
            self.problems.append(str(error))
            note = None
        return creator_of(cluster, note=note, leases=self.leases, marked=marked)

    def _cluster_of(
        self,
        creator: str,
        cluster: KindCluster,
        node_labels: Mapping[str, str],
        namespaces: list[JsonObject],
        *,
        unproved: str,
    ) -> Leftover:
        expiry = self.expiry(creator, node_labels)
        lease = self.leases.get(labels.label_value(creator))
        users = self._users_of(cluster.name, namespaces)
        if expiry.may_go and users:
            expiry = Expiry("live", f"{expiry.reason}, but {'; '.join(users)}")
        elif expiry.may_go and unproved:
            expiry = Expiry("unproved", unproved)
        elif expiry.may_go:
            expiry = Expiry(expiry.word, f"{expiry.reason}; no other run uses it")
        return Leftover(
            what="cluster",
            name=cluster.name,
            place="this machine's Docker",
            run_id=lease.run_id if lease else creator,
            tier=node_labels.get(labels.TIER) or (lease.owner.tier if lease else ""),
            word=expiry.word,
            reason=expiry.reason,
            since=cluster.created_at,
            command=f"kind delete cluster --name {shlex.quote(cluster.name)}",
        )

    def _users_of(self, cluster: str, namespaces: list[JsonObject]) -> tuple[str, ...]:
        """Return the runs that need a kind cluster: by their namespaces, and by their leases."""
        expiries = {
            _run_of(namespace): self.expiry(_run_of(namespace), namespace["metadata"]["labels"])
            for namespace in namespaces
        }
        for key, lease in self.leases.items():
            # Before it has its namespace, a run's lease alone says that it needs the cluster.
            if lease.kind_cluster == cluster and key not in expiries:
                expiries[key] = self.expiry(lease.run_id, {})
        return tuple(
            f"run {run_id[:8]} uses it ({expiry.reason})"
            for run_id, expiry in sorted(expiries.items())
            if not expiry.may_go
        )

    def _add_namespace(self, namespace: JsonObject, *, place: str) -> None:
        metadata = namespace["metadata"]
        name, uid = str(metadata["name"]), str(metadata["uid"])
        if any(item.uid == uid for item in self.found):
            return  # the same cluster, reached in another way
        run_id, kube = _run_of(namespace), self.kubes[place]
        lease = self.leases.get(run_id)
        expiry = self.namespace_expiry(namespace, kube=kube)
        command = f"delete namespace {name}"
        if why_protected(name, self._protected):
            # What it holds is somebody else's: the labels are what is wrong with it.
            command = f"label namespace {name} {labels.RUN}- {labels.MANAGED_BY}-"
        self._add(
            Leftover(
                what="namespace",
                name=name,
                place=place,
                run_id=lease.run_id if lease else run_id,
                tier=str(metadata["labels"].get(labels.TIER, "")),
                word=expiry.word,
                reason=expiry.reason,
                since=datetime.fromisoformat(metadata["creationTimestamp"]),
                command=kube.access.kubectl(command),
                uid=uid,
            )
        )

    def _add_owned_objects(
        self, owned: OwnedObjects, *, namespace: str, place: str, tier: str = ""
    ) -> None:
        """Add what a run has in a namespace that is not its own; without objects, its claim."""
        run_id, found, kube = owned.run_id, owned.labels, self.kubes[place]
        lease = self.leases.get(run_id)
        expiry = self.expiry(run_id, found, kube=kube)
        uid = owned.uid or f"{namespace}/{run_id}"
        if any(item.uid == uid for item in self.found):
            return  # the same cluster, reached in another way
        if not owned.objects and not expiry.may_go:
            return  # a claim alone is nothing that a person would look for
        self._add(
            Leftover(
                what="owned objects",
                name=owned.names or f"lease/{LEASE}",
                place=place,
                run_id=lease.run_id if lease else run_id,
                tier=str(found.get(labels.TIER, tier)),
                word=expiry.word,
                reason=expiry.reason,
                since=owned.since,
                command=command_for(kube, namespace, run_id, "delete"),
                uid=uid,
                namespace=namespace,
            )
        )

    def _add_unproved(self, owned: OwnedObjects, *, namespace: str, place: str) -> None:
        """Add what carries a run's labels beside a platform, and may be anybody's."""
        run_id, kube = owned.run_id, self.kubes[place]
        for each in owned.unproved:
            metadata = each.item["metadata"]
            uid = str(metadata["uid"])
            expiry = self.expiry(run_id, metadata["labels"], kube=kube)
            if not expiry.may_go or any(item.uid == uid for item in self.found):
                continue
            self._add(
                Leftover(
                    what="owned objects",
                    name=each.name,
                    place=place,
                    run_id=run_id,
                    tier=str(metadata["labels"].get(labels.TIER, "")),
                    word="unproved",
                    reason=each.reason,
                    since=datetime.fromisoformat(str(metadata["creationTimestamp"])),
                    command=kube.access.kubectl(f"delete {each.name} --namespace {namespace}"),
                    uid=uid,
                    namespace=namespace,
                )
            )

    def _add(self, item: Leftover) -> None:
        self.found.append(item)
        # A cluster that others use does not keep its creator's lease open: its labels say whose it
        # is, and whoever uses it last deletes it. Nor does what may be anybody's.
        if item.may_go or (item.what != "cluster" and item.word != "unproved"):
            self._with_something.add(labels.label_value(item.run_id))

    def _left_in(self, kind_cluster: str) -> bool:
        return any(
            lease.kind_cluster == kind_cluster
            and lease.state != "released"
            and self.expiry(lease.run_id, {}).may_go
            for lease in self.leases.values()
        )

    def _not_read(self, place: str, why: str, *, needed: bool) -> None:
        """Note a place that cannot be looked into: a problem when a run left something there."""
        if not needed:
            self.looked_at.append(f"not {place}: {why.splitlines()[0]}")
            return
        self.problems.append(
            f"{place} cannot be looked into: {why} If it is gone for good, "
            f"`rm -r {self.scope.ledger.directory}/RUN` makes the ledger forget a run."
        )


def _run_of(item: JsonObject) -> str:
    return str(item["metadata"]["labels"][labels.RUN])


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
