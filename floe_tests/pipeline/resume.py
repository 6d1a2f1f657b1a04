"""A run whose process died, taken up by another under the same id: who has it, and who had it.

Dagster's run monitoring starts a new run worker for a run whose worker is gone, and that one goes
through all stages again. What has happened stands in the ledger, so here it happens once. The
process before may be alive after all, on a node that nobody hears: the last that took the run up
has it, and no other ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder

_WORKERS = "workers"
_HANDED_OVER = "handed-over"


@dataclass(frozen=True)
class Workers:
    """The processes that have worked on a run, oldest first."""

    holders: tuple[Holder, ...] = ()


def take_up(ledger: Ledger, run_id: str) -> None:
    """Write down that this process works on a run, from now on alone."""
    before = _workers(ledger, run_id)
    this = Holder.this_process()
    others = tuple(holder for holder in before if holder != this)
    ledger.write(run_id, _WORKERS, Workers((*others, this)))


def is_resumed(ledger: Ledger, run_id: str) -> bool:
    """Return whether another process has worked on this run."""
    return any(holder != Holder.this_process() for holder in _workers(ledger, run_id))


def is_anothers(ledger: Ledger, run_id: str) -> bool:
    """Return whether a later process has taken the run up: this one leaves it alone."""
    workers = _workers(ledger, run_id)
    return bool(workers) and workers[-1] != Holder.this_process()


def hand_over(ledger: Ledger, run_id: str) -> None:
    """Write down that this process leaves the run, as it is, to the next one."""
    ledger.write(run_id, _HANDED_OVER, Workers((Holder.this_process(),)))


def is_handed_over(ledger: Ledger, run_id: str) -> bool:
    """Return whether this process has left the run to the next one."""
    entry = ledger.read(run_id, _HANDED_OVER, Workers)
    return entry is not None and entry.holders == (Holder.this_process(),)


def _workers(ledger: Ledger, run_id: str) -> tuple[Holder, ...]:
    return (ledger.read(run_id, _WORKERS, Workers) or Workers()).holders
