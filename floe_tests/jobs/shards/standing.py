"""How each shard of a suite stands: its pod now, what came before, and whether it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_tests.deadline import Deadline
from floe_tests.jobs.attempt import Timings
from floe_tests.jobs.facts import DeadlineName, Facts
from floe_tests.jobs.shards.record import ShardAttempt
from floe_tests.jobs.verdict import classify

if TYPE_CHECKING:
    from floe_tests.jobs.shards.pod import ShardPod


@dataclass
class Shard:
    """One shard.

    Attributes:
        attempts: Its judged attempts.
        pod: Its pod; None while there is none.
        gone: Runs since its pod has gone, until somebody says whether another one comes.
        retry: Runs since a Job for another attempt was asked for, until its pod is there.
        is_asked_for: Whether a Job of its own was asked for: pods of the suite's Job are none of
            its attempts any more.
        is_done: Whether its last attempt is judged.
    """

    attempts: list[ShardAttempt] = field(default_factory=list[ShardAttempt])
    pod: ShardPod | None = None
    gone: Deadline | None = None
    retry: Deadline | None = None
    is_asked_for: bool = False
    is_done: bool = False


def never_ran(
    shard: int, *, number: int, facts: Facts, deadline: DeadlineName | None, job: str
) -> ShardAttempt:
    """Return the attempt at a shard that no pod was made for in time.

    Args:
        shard: Which one.
        number: Number of the attempt.
        facts: What was seen of the Job.
        deadline: The deadline that passed, unless the facts name one or another reason.
        job: Name of the Job.
    """
    passed = facts.passed_deadline or deadline
    facts = replace(facts, subject=f"shard/{shard}", passed_deadline=passed)
    return ShardAttempt(
        shard=shard,
        number=number,
        job=job,
        facts=facts,
        verdict=classify(facts),
        started_at=datetime.now(UTC),
        seconds=0.0,
    )


def timings_of_shards(attempts: Iterable[ShardAttempt], *, total: float) -> Timings:
    """Return how long the parts of a sharded suite took.

    Args:
        attempts: All of its attempts.
        total: Seconds since it began.
    """
    pods = [attempt.facts.pod for attempt in attempts if attempt.facts.pod]
    created = [pod.created_at for pod in pods if pod.created_at]
    starts = [pod.test.started_at for pod in pods if pod.test and pod.test.started_at]
    ends = [pod.test.finished_at for pod in pods if pod.test and pod.test.finished_at]
    ran = bool(starts and ends)
    return Timings(
        total=total,
        pod_start=(min(starts) - min(created)).total_seconds() if starts and created else None,
        tests=(max(ends) - min(starts)).total_seconds() if ran else None,
        to_verdict=(datetime.now(UTC) - max(ends)).total_seconds() if ran else None,
    )


def progress_of(shards: Sequence[Shard], *, total: int | None) -> str:
    """Say in a line how far a suite is.

    Args:
        shards: Its shards.
        total: How many tests it has; None while no shard has said.
    """
    done = [shard for shard in shards if shard.is_done]
    last = [shard.attempts[-1].facts.results for shard in done if shard.attempts]
    running = [shard.pod.receiver.tally for shard in shards if shard.pod is not None]
    reported = sum(each.reported for each in last) + sum(each.tests for each in running)
    failed = sum(each.failed for each in last) + sum(each.failing for each in running)
    of = f" of {total:,}" if total is not None else ""
    red = f", {failed:,} failed" if failed else ""
    return f"{len(done)} of {len(shards)} shards, {reported:,}{of} tests{red}"


def indexes(text: str) -> frozenset[int]:
    """Read indexes as a Job's status has them: `1,3-5`."""
    found: set[int] = set()
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
