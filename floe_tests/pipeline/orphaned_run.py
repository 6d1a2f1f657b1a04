"""A run whose orchestrator was killed, remembered: nobody else is left to do it.

It goes into the history alone. The tier's junit.xml and verdict.json are the newest run's, which
may be a later one by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config.project import Workspace
from floe_tests.core.verdict import Verdict
from floe_tests.environments.lease import Lease
from floe_tests.execution.sharding.combined_results import merge_received
from floe_tests.execution.verdict.facts import ErrorFacts, Facts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.judgement import environment_name
from floe_tests.pipeline.publish import PUBLISHED, PublishedSuite, suite_record
from floe_tests.pipeline.run import STAGES, StageRecord, attempts_of, ledger_of
from floe_tests.results.received import read as read_received
from floe_tests.results.records import RunRecord, SuiteRecord


def remember_killed(workspace: Workspace, lease: Lease) -> Verdict | None:
    """Write a killed run into the history, with the results that it had received.

    Args:
        workspace: The project's folders, with the history.
        lease: The run's lease.

    Returns:
        Its verdict; None when it had one before it was killed, which stands.

    Raises:
        FloeTestsError: The history cannot be written.
    """
    from floe_tests.results.history.store import History

    ledger, run_id = ledger_of(workspace), lease.run_id
    if PUBLISHED in _entries(ledger.directory / run_id):
        return None
    records = {
        name: record
        for name in STAGES
        if (record := ledger.read(run_id, f"stage-{name}", StageRecord)) is not None
    }
    stage = next((name for name in STAGES if name not in records), "the end")
    killed = (
        f"the orchestrator (process {lease.holder.process_id}) was killed in {stage}: it left no "
        "verdict, and its environment to the reaper."
    )
    verdict = classify(Facts(subject=f"run/{run_id[:8]}", error=ErrorFacts("harness", killed)))
    began = datetime.fromtimestamp(lease.holder.created, tz=UTC)
    with History.open(workspace.history_url) as history:
        if history.run(run_id=run_id) is not None:
            return None
        history.record(
            run=RunRecord(
                run_id=run_id,
                tier=lease.owner.tier,
                provider=lease.provider,
                environment=environment_name(lease),
                outcome=verdict.outcome,
                cause=verdict.cause,
                fault=verdict.fault,
                summary=killed,
                ref=lease.owner.ref,
                commit=lease.owner.commit,
                started_at=min((record.started_at for record in records.values()), default=began),
                finished_at=datetime.now(UTC),
                stage_seconds={name: record.seconds for name, record in records.items()},
                suites=tuple(_suites(workspace, lease, verdict)),
            )
        )
    return verdict


def _suites(workspace: Workspace, lease: Lease, verdict: Verdict) -> Iterator[SuiteRecord]:
    """Return what the suites had sent; one that had come to its end has a verdict of its own."""
    received = workspace.received(lease.owner.tier, lease.run_id)
    last: dict[str, int] = {}
    for directory in sorted(received.glob("*-*")):
        name, _, number = directory.name.rpartition("-")
        if number.isdecimal():
            last[name] = max(int(number), last.get(name, 0))
    for name, number in last.items():
        if not (received / f"{name}-{number}" / "results").exists():
            merge_received(received / f"{name}-{number}")
        attempts = tuple(attempts_of(ledger_of(workspace), lease.run_id, name))
        ended = attempts[-1] if attempts and attempts[-1].number == number else None
        # After one that is made again, the next would have had the last word.
        is_last = ended is not None and number > ended.verdict.retries
        yield suite_record(
            PublishedSuite(
                name=name,
                verdict=ended.verdict if ended and is_last else verdict,
                results=read_received(received / f"{name}-{number}" / "results"),
                attempts=attempts,
            )
        )


def _entries(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.json")}
