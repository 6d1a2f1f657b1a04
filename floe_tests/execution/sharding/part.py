"""What one shard adds to the whole: the results of its last attempt, and its account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from floe_tests.execution.attempt import with_outcomes
from floe_tests.execution.sharding.account import Account, read_account
from floe_tests.execution.sharding.record import ShardAttempt, directory_of
from floe_tests.execution.verdict.facts import ResultFacts
from floe_tests.results.attempts import with_earlier
from floe_tests.results.collate import SuiteResults, collate


@dataclass(frozen=True)
class Part:
    """The last attempt at a shard, with its results and the failures of those before it.

    Attributes:
        attempt: The attempt.
        received: Where its results are.
        results: What is in them.
        account: What the shard says of its collection.
    """

    attempt: ShardAttempt
    received: Path
    results: SuiteResults
    account: Account | None

    @property
    def facts(self) -> ResultFacts:
        """What is known of its results, failures of earlier attempts included."""
        return with_outcomes(self.attempt.facts.results, self.results)

    @property
    def explains_its_exit(self) -> bool:
        """Whether its own failures, and no other shard's, explain its exit code."""
        pod, own = self.attempt.facts.pod, self.attempt.facts.results
        code = pod.test.exit_code if pod and pod.test else None
        return not code or bool(own.failed)

    @property
    def name(self) -> str:
        """The shard, for messages."""
        return f"shard {self.attempt.shard}"


def part_of(directory: Path, last: ShardAttempt, attempts: Iterable[ShardAttempt]) -> Part:
    """Read the last attempt at a shard, and the failures of those before it.

    Args:
        directory: Folder of the suite's attempt.
        last: The last attempt at the shard.
        attempts: All attempts at all shards.
    """
    received = directory_of(directory, last.shard, last.number) / "results"
    results = collate(received, cut=last.facts.results.cut)
    earlier = [
        collate(directory_of(directory, each.shard, each.number) / "results")
        for each in attempts
        if each.shard == last.shard and each.number < last.number
    ]
    return Part(last, received, with_earlier(results, earlier), read_account(received))
