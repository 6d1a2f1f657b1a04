"""Where a reaper looks, and what it finds there: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from floe_tests.cleanup.expiry import RunStateOf, Word, nobody_knows
from floe_tests.core.ledger import Ledger
from floe_tests.kube.access import ClusterAccess

What = Literal["process", "cluster", "namespace", "owned objects", "lease"]


@dataclass(frozen=True)
class Scope:
    """Where to look.

    Attributes:
        ledger: The ledger whose runs are known best.
        clusters: Clusters to look into, besides those that runs create and those that leases in the
            ledger name.
        platforms: Installed platforms, by cluster and namespace, to look beside, besides those
            that leases in the ledger name.
        run_state: What Dagster's instance says of a run.
        protected: Namespaces that are never removed, besides those of the system, of `platforms`,
            of leases beside an installed platform, and of the pod that this runs in.
    """

    ledger: Ledger
    clusters: tuple[ClusterAccess, ...] = ()
    platforms: tuple[tuple[ClusterAccess, str], ...] = ()
    run_state: RunStateOf = nobody_knows
    protected: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Leftover:
    """Something that carries a run's mark.

    Attributes:
        what: What it is.
        name: Its name; a process' id.
        place: Where it is, in words.
        run_id: The run that it was made for.
        tier: That run's tier; empty when nothing says.
        word: How that run stands.
        reason: Why it may go, or stays.
        since: When it was made (UTC); None when nothing says.
        command: Removes it by hand.
        uid: Kubernetes' own id of a namespace: its name may be somebody else's later.
        detail: What it is, closer: a process' command.
        namespace: Where a run's owned objects are.
        environment: The environment that a cluster is of.
    """

    what: What
    name: str
    place: str
    run_id: str
    tier: str
    word: Word
    reason: str
    since: datetime | None
    command: str
    uid: str = ""
    detail: str = ""
    namespace: str = ""
    environment: str = ""

    @property
    def may_go(self) -> bool:
        """Whether it may be removed."""
        return self.word in {"over", "expired"}

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other."""
        return self.what, self.place, self.uid or self.name


@dataclass(frozen=True)
class Plan:
    """What one look found.

    Attributes:
        removable: What may go.
        staying: What carries a run's mark and stays, with the reason.
        looked_at: Where was looked.
        problems: Where could not be looked, although a run left something there.
    """

    removable: tuple[Leftover, ...]
    staying: tuple[Leftover, ...]
    looked_at: tuple[str, ...]
    problems: tuple[str, ...]
