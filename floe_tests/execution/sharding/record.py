"""One attempt at one shard, judged: what is kept of it once its pod is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from floe_tests.core import durable
from floe_tests.core.verdict import Verdict
from floe_tests.execution.sharding.summary import ShardSummary
from floe_tests.execution.verdict.facts import Facts

_FILE = "attempt.json"


@dataclass(frozen=True)
class ShardAttempt:
    """One attempt at one shard.

    Attributes:
        shard: Which one, from 0.
        number: Number of the attempt, from 1.
        job: Name of its Job.
        facts: What was observed.
        verdict: What it came to, by the table of all suites.
        started_at: When its pod was first seen (UTC).
        seconds: From then to its verdict.
    """

    shard: int
    number: int
    job: str
    facts: Facts
    verdict: Verdict
    started_at: datetime
    seconds: float

    @property
    def subject(self) -> str:
        """The shard, as evidence names it."""
        return f"shard/{self.shard}"

    @property
    def pod(self) -> str | None:
        """Name of its pod; None when there never was one."""
        return self.facts.pod.name if self.facts.pod else None


def summary_of(attempt: ShardAttempt) -> ShardSummary:
    """Return what the ledger and the history keep of an attempt."""
    facts, pod = attempt.facts, attempt.facts.pod
    return ShardSummary(
        shard=attempt.shard,
        number=attempt.number,
        cause=attempt.verdict.cause,
        fault=attempt.verdict.fault,
        evidence=attempt.verdict.evidence,
        job=attempt.job,
        pod=attempt.pod,
        node=pod.node if pod else None,
        exit_code=pod.test.exit_code if pod and pod.test else None,
        started_at=attempt.started_at,
        seconds=attempt.seconds,
        selected=facts.results.collected,
        reported=facts.results.reported,
    )


def directory_of(suite_directory: Path, shard: int, number: int) -> Path:
    """Return where an attempt at a shard keeps what it received."""
    return suite_directory / "shards" / f"{shard:03}-{number}"


def write(suite_directory: Path, attempt: ShardAttempt) -> None:
    """Keep a judged attempt beside what it received: who resumes the run need not read it again."""
    directory = directory_of(suite_directory, attempt.shard, attempt.number)
    durable.write(directory / _FILE, [_ADAPTER.dump_json(attempt)])


def read_all(suite_directory: Path) -> tuple[ShardAttempt, ...]:
    """Return the judged attempts that are kept there, by shard and number; what is no such is left.

    Args:
        suite_directory: Folder of the suite's attempt.
    """
    found: list[ShardAttempt] = []
    for path in sorted(suite_directory.glob(f"shards/*/{_FILE}")):
        try:
            found.append(_ADAPTER.validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return tuple(sorted(found, key=lambda each: (each.shard, each.number)))


_ADAPTER = TypeAdapter(ShardAttempt)
