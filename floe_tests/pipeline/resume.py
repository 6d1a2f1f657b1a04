"""A resumed run: its process died, and another goes on with it under the same id.

Dagster's run monitoring starts a new run worker for a run whose worker is gone, and that one goes
through all stages again. What has happened stands in the ledger, so here it happens once. The
process before may be alive after all, on a node that nobody hears: the last one to resume the run
has it, and no other ends it.
"""

from __future__ import annotations

from floe_tests.core.process_identity import Holder
from floe_tests.pipeline.entries import RunEntries
from floe_tests.pipeline.records import Workers


def claim(entries: RunEntries) -> None:
    """Write down that this process works on the run, from now on alone."""
    this = Holder.this_process()
    others = tuple(holder for holder in entries.workers().holders if holder != this)
    entries.write_workers(Workers((*others, this)))


def is_resumed(entries: RunEntries) -> bool:
    """Return whether another process has worked on this run."""
    return any(holder != Holder.this_process() for holder in entries.workers().holders)


def is_resumed_elsewhere(entries: RunEntries) -> bool:
    """Return whether a later process has resumed the run: this one leaves it alone."""
    workers = entries.workers().holders
    return bool(workers) and workers[-1] != Holder.this_process()


def leave_for_resume(entries: RunEntries) -> None:
    """Write down that this process leaves the run, as it is, for the next one to resume."""
    entries.write_left_for_resume(Workers((Holder.this_process(),)))


def is_left_for_resume(entries: RunEntries) -> bool:
    """Return whether this process has left the run for the next one to resume."""
    return entries.left_for_resume().holders == (Holder.this_process(),)
