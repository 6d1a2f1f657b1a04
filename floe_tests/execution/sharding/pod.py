"""One attempt at one shard: a pod as every suite has, and its place among the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from floe_tests.core.evidence import Evidence
from floe_tests.core.log import Log
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.execution.exporter_log import Keeping
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.observation import Observation
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import PodWatcher
from floe_tests.execution.sharding.record import ShardAttempt
from floe_tests.execution.verdict.facts import Facts
from floe_tests.results.formats.events import EventLimits

# What is shown while a shard runs; its results are read from the disk in the end. Of its log: 250
# shards keep as much as one suite's 5 MiB and some.
KEEPING = Keeping(
    limits=EventLimits(cases=20_000, text_bytes=256 * 1024, names_bytes=4 * 1024 * 1024),
    shows_progress=False,
    log_bytes=256 * 1024,
)


class ShardPod(PodRun):
    """One pod of a suite in shards, followed."""

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self,
        spec: AttemptSpec,
        *,
        place: tuple[int, int],
        container: str,
        directory: Path,
        watcher: PodWatcher,
        log: Log,
        keeps_frames: bool = False,
        is_resumed: bool = False,
    ) -> None:
        """Begin with nothing seen.

        Args:
            spec: The suite's attempt.
            place: Shard and number of the shard's attempt.
            container: Name of the test container.
            directory: Where its results go.
            watcher: Hears it.
            log: Receives what is said of it.
            keeps_frames: Whether what it sends is kept for a process that resumes the run.
            is_resumed: Whether a process before this one may have followed it.
        """
        self.shard, self.number = place
        self.is_judging = False
        super().__init__(
            Observation(spec, f"shard/{self.shard}", container),
            directory=directory,
            watcher=watcher,
            log=lambda line: log(f"shard {self.shard}: {line}"),
            keeping=replace(KEEPING, keeps_frames=keeps_frames),
            is_resumed=is_resumed,
        )

    def attempt(self) -> ShardAttempt:
        """Return the judged attempt."""
        facts, verdict = self.judged()
        return ShardAttempt(
            shard=self.shard,
            number=self.number,
            job=self.job,
            facts=facts,
            verdict=_of_a_part(facts, verdict),
            started_at=self.started_at,
            seconds=facts.elapsed_seconds,
        )


def _of_a_part(facts: Facts, verdict: Verdict) -> Verdict:
    """Let a shard be without a test that ran: whether the suite was is another question."""
    exit_code = facts.pod.test.exit_code if facts.pod and facts.pod.test else None
    if verdict.cause is not Cause.NO_TESTS or exit_code != 0 or not facts.results.complete:
        return verdict
    found = Evidence(facts.subject, "results", f"{facts.results.skipped} skipped, none to run")
    return Verdict(Cause.PASS, Fault.NONE, (found, *verdict.evidence), "Nothing to do.")
