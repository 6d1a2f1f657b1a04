"""What one look has found: what runs have left, and whether each of it may go.

The looks themselves are in the modules beside it; nothing is changed by them. What carries no label
of this project is not even listed; what carries nothing but labels is listed and stays.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from floe_tests.cleanup.expiry import Expiry, expiry_of
from floe_tests.cleanup.plan import Leftover, Plan, Scope
from floe_tests.config.providers import capabilities_of
from floe_tests.core import labels
from floe_tests.core.clock import certain_now
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, HarnessError
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.ownership import why_not_proved, why_protected
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject

OURS = f"{labels.MANAGED_BY}={labels.MANAGER},{labels.RUN}"


@dataclass(frozen=True)
class Place:
    """A cluster that was looked into.

    Attributes:
        name: What it is, in words.
        kube: A connection to it.
        has_own_clock: Whether its time counts for what is in it; False for one on this machine.
    """

    name: str
    kube: Kube
    has_own_clock: bool = True


@dataclass
class Inventory:
    """What was found so far; `look.everywhere` fills it."""

    scope: Scope
    deadline: Deadline
    now: datetime = field(default_factory=certain_now)
    found: list[Leftover] = field(default_factory=list[Leftover])
    looked_at: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    # Names of the clusters that are there, by environment; without those that do not answer.
    clusters: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    read: set[ClusterAccess | str] = field(default_factory=set[ClusterAccess | str])
    # Runs that something is left of, also where it goes with a cluster and is not listed itself.
    with_something: set[str] = field(default_factory=set[str])
    without_lease: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        """Read the ledger."""
        ledger = self.scope.ledger
        for run_id in ledger.runs(ENTRY):
            try:
                lease = ledger.read(run_id, ENTRY, Lease)
                if lease is None:
                    continue
                capabilities_of(lease.provider)
            except (HarnessError, ConfigurationError) as error:
                self._not_followed(run_id, str(error))
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
        self.without_lease.add(run_id)
        folder = shlex.quote(str(self.scope.ledger.directory / run_id))
        self.problems.append(
            f"{why} Put back what was there, and the next reaper follows it. Without it nothing "
            "tells whether the run is over: its processes on this machine stay until they are "
            "ended by hand (they are listed with the command), and in a cluster what it left "
            "goes when it expires (name its context with --context). Only when nothing of it is "
            f"left, `rm -r {folder}` makes the ledger forget the run."
        )

    def plan(self) -> Plan:
        """Return what was found, as a plan."""
        return Plan(
            removable=tuple(item for item in self.found if item.may_go),
            staying=tuple(item for item in self.found if not item.may_go),
            looked_at=tuple(self.looked_at),
            problems=tuple(self.problems),
        )

    def expiry(
        self, run_id: str, found_labels: Mapping[str, str], *, place: Place | None = None
    ) -> Expiry:
        """Return whether what a run left may be removed.

        Args:
            run_id: The run, or its label.
            found_labels: The labels on what was found.
            place: Where it was found, whose time may count; None for this machine.

        Raises:
            InfrastructureError: The cluster does not say what time it is.
        """
        return expiry_of(
            run_id,
            lease=self.leases.get(labels.label_value(run_id)),
            found_labels=found_labels,
            run_state=self.scope.run_state,
            now=place.kube.now() if place is not None and place.has_own_clock else self.now,
        )

    def namespace_expiry(self, namespace: JsonObject, *, place: Place) -> Expiry:
        """Return whether a namespace that carries a run's labels may be removed.

        Args:
            namespace: The namespace.
            place: The cluster that it is in.

        Raises:
            InfrastructureError: The cluster does not say what time it is.
        """
        metadata = namespace["metadata"]
        run_id = run_of(namespace)
        expiry = self.expiry(run_id, metadata["labels"], place=place)
        if not expiry.may_go:
            return expiry
        lease = self.leases.get(run_id)
        recorded = {lease.namespace_uid} if lease is not None else set[str]()
        reason = self.why_protected(str(metadata["name"])) or why_not_proved(
            namespace, run_id=run_id, recorded=recorded
        )
        return Expiry("unproved", reason) if reason else expiry

    def why_protected(self, namespace: str) -> str:
        """Say why a namespace is never removed; empty for one that may be a run's."""
        beside = {name for _, name in self.scope.platforms}
        installed = {lease.namespace for lease in self.leases.values() if lease.installed}
        return why_protected(namespace, self.scope.protected | beside | installed)

    def add(self, item: Leftover) -> None:
        """Add something that was found."""
        self.found.append(item)
        # A cluster that others use does not keep its creator's lease open: its labels say whose it
        # is, and whoever uses it last deletes it. Nor does what may be anybody's.
        if item.may_go or (item.what != "cluster" and item.word != "unproved"):
            self.with_something.add(labels.label_value(item.run_id))

    def is_known(self, uid: str) -> bool:
        """Return whether an object was found before, in the same cluster reached in another way."""
        return any(item.uid == uid for item in self.found)

    def is_left(self, lease: Lease) -> bool:
        """Return whether a run is over that has not given its environment back."""
        return lease.state != "released" and self.expiry(lease.run_id, {}).may_go

    def seen(self, place: Place, *others: ClusterAccess | str) -> None:
        """Note that a place was looked into."""
        self.places[place.name] = place
        self.read |= {place.name, *others}
        self.looked_at.append(place.name)

    def not_seen(self, place: str, why: str, *, needed: bool) -> None:
        """Note a place that cannot be looked into: a problem when a run left something there."""
        if not needed:
            self.looked_at.append(f"not {place}: {why.splitlines()[0]}")
            return
        self.problems.append(
            f"{place} cannot be looked into: {why} If it is gone for good, "
            f"`rm -r {self.scope.ledger.directory}/RUN` makes the ledger forget a run."
        )


def run_of(item: JsonObject) -> str:
    """Return the run that an object's label names."""
    return str(item["metadata"]["labels"][labels.RUN])


def cluster_place(environment: str, name: str) -> str:
    """Return what a cluster that runs create is called."""
    return f"{environment} cluster {name}"


def namespace_place(access: ClusterAccess, namespace: str) -> str:
    """Return what the namespace of an installed platform is called."""
    return f"namespace {namespace} in the cluster of {access.shown}"


def counted(number: int, noun: str, plural: str = "s") -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else plural}"
