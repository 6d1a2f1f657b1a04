"""What the run's ledger and the history keep of an attempt at a shard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from floe_tests.core.evidence import Evidence


@dataclass(frozen=True)
class ShardSummary:
    """An attempt at a shard, as the run's ledger and the history keep it.

    Attributes:
        shard: Which one, from 0.
        number: Number of the attempt, from 1.
        cause: Its verdict's name.
        fault: Whose fault it was.
        evidence: What that rests on.
        job: Name of the Job.
        pod: Name of the pod; None when there never was one.
        node: Its node.
        exit_code: Exit code of the test container.
        started_at: When its pod was first seen (UTC).
        seconds: From then to its verdict.
        selected: Tests that were this shard's; None when it did not say.
        reported: Tests that reported.
    """

    shard: int
    number: int
    cause: str
    fault: str
    evidence: tuple[Evidence, ...]
    job: str
    pod: str | None
    node: str | None
    exit_code: int | None
    started_at: datetime
    seconds: float
    selected: int | None
    reported: int
