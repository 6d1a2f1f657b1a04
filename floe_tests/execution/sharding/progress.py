"""How each shard of a suite stands: its pod now, what came before, and whether it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.core.deadline import Deadline
from floe_tests.execution.attempt import Timings
from floe_tests.execution.sharding import record as records
from floe_tests.execution.sharding.account import read_account
from floe_tests.execution.sharding.record import ShardAttempt
from floe_tests.execution.verdict.facts import DeadlineName, Facts
from floe_tests.execution.verdict.rules import classify

if TYPE_CHECKING:
    from floe_tests.execution.sharding.pod import ShardPod


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


class Progress:
    """How all shards of a suite stand."""

    def __init__(self, count: int, *, directory: Path, job: str) -> None:
        """Begin with nothing done.

        Args:
            count: How many shards there are.
            directory: Folder of the suite's attempt: judged attempts are kept there.
            job: Name of the suite's Job.
        """
        self.shards = [Shard() for _ in range(count)]
        self._directory = directory
        self._job = job
        self._total: int | None = None

    @property
    def done(self) -> int:
        """How many shards are done."""
        return sum(shard.is_done for shard in self.shards)

    @property
    def attempts(self) -> tuple[ShardAttempt, ...]:
        """Every judged attempt, by shard and number."""
        return tuple(attempt for shard in self.shards for attempt in shard.attempts)

    @property
    def has_begun(self) -> bool:
        """Whether a test of any shard has started."""
        pods = [shard.pod for shard in self.shards if shard.pod is not None]
        return any(each.facts.results.started for each in self.attempts) or any(
            pod.has_started for pod in pods
        )

    def recall(self) -> None:
        """Know again what a process before this one has judged."""
        for attempt in records.read_all(self._directory):
            self.shards[attempt.shard].attempts.append(attempt)

    def keep(self, attempt: ShardAttempt, *, is_written: bool = True) -> None:
        """Keep a judged attempt.

        Args:
            attempt: The attempt.
            is_written: Whether it is on the disk already.
        """
        if not is_written:
            records.write(self._directory, attempt)
        self.shards[attempt.shard].attempts.append(attempt)
        if self._total is None:
            received = records.directory_of(self._directory, attempt.shard, attempt.number)
            account = read_account(received / "results")
            self._total = account.all_tests if account else None

    def never_ran(self, shard: int, *, facts: Facts, deadline: DeadlineName | None) -> ShardAttempt:
        """Return the attempt at a shard that no pod was made for in time.

        Args:
            shard: Which one.
            facts: What was seen of the Job.
            deadline: The deadline that passed, unless the facts name one or another reason.
        """
        passed = facts.passed_deadline or deadline
        facts = replace(facts, subject=f"shard/{shard}", passed_deadline=passed)
        return ShardAttempt(
            shard=shard,
            number=len(self.shards[shard].attempts) + 1,
            job=self._job,
            facts=facts,
            verdict=classify(facts),
            started_at=datetime.now(UTC),
            seconds=0.0,
        )

    def __str__(self) -> str:
        """Say in a line how far the suite is."""
        done = [shard for shard in self.shards if shard.is_done]
        last = [shard.attempts[-1].facts.results for shard in done if shard.attempts]
        running = [shard.pod.receiver.tally for shard in self.shards if shard.pod is not None]
        reported = sum(each.reported for each in last) + sum(each.tests for each in running)
        failed = sum(each.failed for each in last) + sum(each.failing for each in running)
        of = f" of {self._total:,}" if self._total is not None else ""
        red = f", {failed:,} failed" if failed else ""
        return f"{len(done)} of {len(self.shards)} shards, {reported:,}{of} tests{red}"


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


def indexes(text: str) -> frozenset[int]:
    """Read indexes as a Job's status has them: `1,3-5`."""
    found: set[int] = set()
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
