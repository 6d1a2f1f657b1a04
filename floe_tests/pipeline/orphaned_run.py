"""An orphaned run: its process was killed, and nobody else is left to remember it.

It goes into the history alone. The tier's junit.xml and verdict.json are the newest run's, which
may be a later one by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from floe_tests.config.project import Workspace
from floe_tests.core.verdict import Verdict
from floe_tests.environments.lease import Lease
from floe_tests.execution.sharding.combined_results import merge_received
from floe_tests.execution.verdict.facts import ErrorFacts, Facts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.entries import entries_of
from floe_tests.pipeline.history_record import Origin, run_record
from floe_tests.pipeline.published import PublishedSuite
from floe_tests.pipeline.records import STAGES
from floe_tests.pipeline.state import RecordedRun, recorded_run
from floe_tests.results.received import read as read_received


def remember_orphaned_run(workspace: Workspace, lease: Lease) -> Verdict | None:
    """Write an orphaned run into the history, with the results that it had received.

    Args:
        workspace: The project's folders, with the history.
        lease: The run's lease.

    Returns:
        Its verdict; None when it had one before it was killed, which stands.

    Raises:
        FloeTestsError: The history cannot be written.
    """
    from floe_tests.results.history.store import History

    entries = entries_of(workspace, lease.run_id)
    if entries.is_published():
        return None
    run = replace(recorded_run(entries), lease=lease)
    verdict = _verdict(run, lease)
    owner = lease.owner
    with History.open(workspace.history_url) as history:
        if history.run(run_id=run.run_id) is not None:
            return None
        suites = tuple(_suites(workspace, run, owner.tier, verdict))
        origin = Origin(owner.tier, ref=owner.ref, commit=owner.commit)
        history.record(run=run_record(run, origin, verdict, suites))
    return verdict


def _verdict(run: RecordedRun, lease: Lease) -> Verdict:
    stage = next((name for name in STAGES if name not in run.stages), "the end")
    killed = (
        f"the orchestrator (process {lease.holder.process_id}) was killed in {stage}: it left no "
        "verdict, and its environment to the reaper."
    )
    subject = f"run/{run.run_id[:8]}"
    return classify(Facts(subject=subject, error=ErrorFacts("harness", killed)))


def _suites(
    workspace: Workspace, run: RecordedRun, tier: str, verdict: Verdict
) -> Iterator[PublishedSuite]:
    """Return what the suites had sent; one that had come to its end has a verdict of its own."""
    received = workspace.received(tier, run.run_id)
    last: dict[str, int] = {}
    for directory in sorted(received.glob("*-*")):
        name, _, number = directory.name.rpartition("-")
        if number.isdecimal():
            last[name] = max(int(number), last.get(name, 0))
    for name, number in last.items():
        folder = received / f"{name}-{number}"
        if not (folder / "results").exists():
            merge_received(folder)
        yield _suite(
            run,
            PublishedSuite(
                name, verdict, read_received(folder / "results"), attempts=run.attempts_of(name)
            ),
            last=number,
        )


def _suite(run: RecordedRun, received: PublishedSuite, *, last: int) -> PublishedSuite:
    """Return a suite with its own verdict, if it had one before the run was killed."""
    attempts = received.attempts
    ended = attempts[-1] if attempts and attempts[-1].number == last else None
    if ended is None:
        return received
    judged = run.verdicts.get(received.name)
    if judged is not None and judged.attempts == len(attempts):
        return replace(
            received,
            verdict=judged.verdict,
            quarantined=judged.quarantined,
            measured=judged.measured,
            presence=judged.presence,
        )
    # After an attempt that is made again, the next would have had the last word.
    return replace(received, verdict=ended.verdict) if last > ended.verdict.retries else received
