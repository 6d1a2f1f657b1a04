"""Whether what a run left behind may be removed: a pure function, one table read from the top.

Why each row is as it is: docs/decisions/0008-what-may-be-reaped.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from floe_tests.core import labels
from floe_tests.environments.lease import Lease

RunState = Literal["over", "live", "unknown"]
RunStateOf = Callable[[str], RunState]
Word = Literal["over", "expired", "kept", "live", "hung", "unproved"]


@dataclass(frozen=True)
class Expiry:
    """How a run stands.

    Attributes:
        word: `over` and `expired`: what it left may go. `kept`, `live` and `hung`: it stays; a hung
            run is one whose time is over and whose orchestrator still runs. `unproved` stays too: a
            run is named on it, and nothing proves that the run created it.
        reason: Why, in words.
    """

    word: Word
    reason: str

    @property
    def may_go(self) -> bool:
        """Whether what the run left may be removed."""
        return self.word in {"over", "expired"}


def nobody_knows(run_id: str) -> RunState:
    """Know nothing of any run: what is asked where no Dagster instance is."""
    del run_id
    return "unknown"


def expiry_of(
    run_id: str,
    *,
    lease: Lease | None,
    found_labels: Mapping[str, str],
    run_state: RunStateOf,
    now: datetime,
) -> Expiry:
    """Return whether what a run left may be removed.

    Args:
        run_id: The run.
        lease: Its lease in this ledger; None when this ledger does not know it.
        found_labels: The labels on what was found; empty for a process of this machine.
        run_state: What Dagster's instance says of a run.
        now: The time (UTC) that is over for certain: the API server's in a cluster, and what
            `certain_now` gives elsewhere.
    """
    if lease is not None:
        if lease.state == "released":
            return Expiry("over", "its lease was given back, and this is still there")
        if lease.state == "kept":
            return _kept(max(lease.owner.expires_at, _expires_at(found_labels) or _LONG_AGO), now)
        if lease.holder.liveness != "unknown":
            return _held(lease, now)
    expires_at = _expires_at(found_labels) or (lease.owner.expires_at if lease else None)
    return _elsewhere(run_state(run_id), expires_at, is_kept=labels.KEPT in found_labels, now=now)


def _elsewhere(
    state: RunState, expires_at: datetime | None, *, is_kept: bool, now: datetime
) -> Expiry:
    """Judge a run that this machine's ledger does not know enough of."""
    has_expired = expires_at is not None and expires_at < now
    if state == "live":
        return (
            Expiry("hung", f"Dagster says that it runs; its time was over {_shown(expires_at)}")
            if has_expired
            else Expiry("live", "Dagster says that it runs")
        )
    if is_kept and expires_at is not None:
        return _kept(expires_at, now)
    if state == "over":
        return Expiry("over", "Dagster says that it has ended")
    if has_expired:
        return Expiry("expired", f"its time was over {_shown(expires_at)}")
    until = f"until {_shown(expires_at)}" if expires_at else "without an end"
    return Expiry("live", f"it may still run on another machine or in a container, {until}")


def _held(lease: Lease, now: datetime) -> Expiry:
    """Judge a run of this machine by its orchestrator: nothing else knows as well."""
    holder = f"its orchestrator (process {lease.holder.process_id})"
    if lease.holder.liveness == "dead":
        return Expiry("over", f"{holder} is gone")
    if lease.owner.expires_at < now:
        return Expiry(
            "hung",
            f"{holder} still runs, and its time was over {_shown(lease.owner.expires_at)}: look at "
            f"it with `ps -fp {lease.holder.process_id}`, end it with "
            f"`kill {lease.holder.process_id}`",
        )
    return Expiry("live", f"{holder} runs")


def _kept(expires_at: datetime, now: datetime) -> Expiry:
    if expires_at < now:
        return Expiry("expired", f"it was kept until {_shown(expires_at)}")
    return Expiry("kept", f"it is kept until {_shown(expires_at)}")


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _expires_at(found_labels: Mapping[str, str]) -> datetime | None:
    text = found_labels.get(labels.EXPIRES, "")
    try:
        return datetime.fromtimestamp(int(text), tz=UTC) if text.isdecimal() else None
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return None


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "at no known time"
