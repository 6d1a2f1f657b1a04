"""One pod of a sharded suite, from its creation to its judgement.

It is told what was heard, and says what it wants; it waits for nothing and owns no thread. What
ends it is what ends a suite of one pod, by the same deadlines (`jobs/runner.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.deadline import Deadline
from floe_tests.evidence import Evidence
from floe_tests.jobs.attempt import judge
from floe_tests.jobs.facts import DeadlineName, ErrorFacts, Facts, NodeFacts, PodFacts
from floe_tests.jobs.handover import FrameJournal
from floe_tests.jobs.listener import FramesAgain
from floe_tests.jobs.lost_frames import LostFrames
from floe_tests.jobs.manifest import JobRequest
from floe_tests.jobs.observation import Observation, has_ended
from floe_tests.jobs.pod_end import exporter_lingers
from floe_tests.jobs.receiver import Receiver
from floe_tests.jobs.shards.listener import PodListener
from floe_tests.jobs.shards.record import ShardAttempt
from floe_tests.jobs.start import Start
from floe_tests.jobs.verdict import Cause, Fault, Verdict
from floe_tests.jobs.waits import (
    EXPORT_SECONDS,
    LAST_SILENCE_SECONDS,
    SILENT_SECONDS,
    TESTS_SLACK_SECONDS,
)
from floe_tests.kube import JsonObject, part
from floe_tests.results.events import EventLimits

Log = Callable[[str], None]

_BESIDE_READS = 3
# What is shown while a shard runs; its results are read from the disk in the end.
_LIVE_LIMITS = EventLimits(cases=20_000, text_bytes=256 * 1024, names_bytes=4 * 1024 * 1024)


class ShardPod:
    """One pod, followed."""

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self,
        request: JobRequest,
        *,
        place: tuple[int, int],
        container: str,
        directory: Path,
        listener: PodListener,
        log: Log,
        keeps_frames: bool = False,
    ) -> None:
        """Begin with nothing seen.

        Args:
            request: The suite's attempt.
            place: Shard and number of the shard's attempt.
            container: Name of the test container.
            directory: Where its results go.
            listener: Hears it.
            log: Receives what is said of it.
            keeps_frames: Whether what it sends is kept for a process that takes the run up.
        """
        self.shard, self.number = place
        self.directory = directory
        self.listener = listener
        self._request = request
        self._log = log
        self._seen = Observation(request, container)
        # Received anew, from frames that a process before has kept: half a file is no beginning.
        shutil.rmtree(directory / "results", ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        self._journal = FrameJournal(directory, log=self._say) if keeps_frames else None
        self.receiver = Receiver(
            directory / "results",
            log=self._say,
            limits=_LIVE_LIMITS,
            shows_progress=False,
            journal=self._journal,
        )
        self._lost = LostFrames(self.receiver, listener, log=self._say)
        self.is_read = False
        self._log_done = False
        self._beside_reads = 0
        self._read_beside_at = 0.0
        self._start = Start(request.deadlines, self._seen)
        self._tests: Deadline | None = None
        self._export: Deadline | None = None
        self.started_at = datetime.now(UTC)
        self._clock = Deadline(request.deadlines.job_seconds)
        self.is_judging = False
        self.is_absent = False

    # --- What is heard

    def see(self, pod: JsonObject | None) -> None:
        """Take the pod as it is now; None when it is there no more."""
        self._seen.see(pod)
        self.is_absent = pod is None
        facts = self.facts
        running = facts is not None and facts.test is not None and facts.test.state == "running"
        if running and self._tests is None:
            self._tests = Deadline(self._request.deadlines.tests_seconds + TESTS_SLACK_SECONDS)

    def feed(self, data: bytes, *, first: bool) -> None:
        """Take the next bytes of the exporter's log."""
        if first:
            self.receiver.begin()
        self.receiver.feed(data)

    def take_again(self, answer: FramesAgain) -> None:
        """Take frames that were asked for again, or a log that was read beside."""
        if self._lost.is_asking:
            self._lost.take(answer)
        else:
            self.receiver.feed_lines(answer.lines)

    def end_log(self) -> None:
        """Note that there is no more of the exporter's log."""
        self._log_done = True

    def lose_node(self, node: NodeFacts) -> None:
        """Note that its node is lost."""
        self._seen.node = node

    def cancel(self, reason: str) -> None:
        """Note that the run was cancelled."""
        self._seen.cancelled = reason

    def fail(self, error: ErrorFacts) -> None:
        """Note the error that ended the run."""
        self._seen.error = error

    def pass_deadline(self, name: DeadlineName) -> None:
        """Note the deadline that ends it; the first one counts."""
        self._seen.pass_deadline(name)

    def see_events(self, events: list[JsonObject]) -> None:
        """Take events about it."""
        self._seen.see_events(events)

    def leave(self) -> None:
        """Let go of it, for the process that takes the run up."""
        self.listener.stop()
        if self._journal is not None:
            self._journal.close()

    # --- What it is

    @property
    def facts(self) -> PodFacts | None:
        """The facts of its pod; None before the first look."""
        return self._seen.pod_facts()

    @property
    def uid(self) -> str:
        """The pod's identity."""
        return str(part(self._seen.pod or {}, "metadata").get("uid", ""))

    @property
    def job(self) -> str:
        """Name of the pod's Job."""
        return str(part(self._seen.pod or {}, "metadata", "labels").get("job-name", ""))

    @property
    def name(self) -> str:
        """Name of the pod."""
        return self._seen.pod_name or ""

    @property
    def has_started(self) -> bool:
        """Whether its tests have been seen to run, or to have run."""
        facts = self.facts
        return facts is not None and facts.test is not None and facts.test.started_at is not None

    @property
    def has_node(self) -> bool:
        """Whether it has a node, and has not ended."""
        facts = self.facts
        on_node = facts is not None and bool(facts.node) and not has_ended(facts)
        return on_node and not self.is_absent

    @property
    def is_gone(self) -> bool:
        """Whether it is there no more, and this run did not ask for that."""
        return self._seen.vanished

    @property
    def has_ended(self) -> bool:
        """Whether its tests have ended, or never will run."""
        facts = self.facts
        return self.is_gone or (facts is not None and has_ended(facts))

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether its tests had ended, whatever became of it then."""
        facts = self.facts
        return facts is not None and has_ended(facts)

    @property
    def is_heard(self) -> bool:
        """Whether its exporter may still say something."""
        return (
            self.is_read
            and not (self.is_judging or self._log_done or self.is_absent)
            and not self.receiver.has_manifest
        )

    def is_unplaced(self, seconds: float) -> bool:
        """Tell whether it has waited for a node for so long."""
        facts = self.facts
        waits = facts is not None and facts.phase == "Pending" and not facts.node
        return waits and not self.is_absent and self._clock.elapsed_seconds > seconds

    @property
    def node_is_lost(self) -> bool:
        """Whether nobody can end it where it is."""
        return self._seen.node is not None

    @property
    def wants_reader(self) -> bool:
        """Whether there is a log to read, and nobody has begun to."""
        facts = self.facts
        exporter = facts.exporter if facts else None
        there_is_one = exporter is not None and exporter.state != "waiting"
        return there_is_one and not self.is_read and not self.is_absent

    @property
    def is_quiet(self) -> bool:
        """Whether its exporter has not been heard for a while: its node is to be looked at."""
        silent = self.receiver.silent_seconds
        return silent is None or silent > SILENT_SECONDS

    @property
    def lingers(self) -> bool:
        """Whether its exporter stays for questions, as one does that wrote much."""
        return exporter_lingers(self.facts, self.receiver)

    def exporter_is_over(self) -> bool:
        """Tell whether the exporter writes no more: a sidecar that fails is started again."""
        facts = self.facts
        return facts is None or self.is_gone or (has_ended(facts) and not facts.exporter_runs)

    # --- What it wants

    def is_over(self) -> bool:
        """Decide whether there is nothing more to wait for."""
        pod = self.facts
        if pod is None or self.node_is_lost or self._seen.cancelled:
            return True
        self._lost.ask(pod)
        if self.has_ended or self._export is not None:
            return self._export_is_over()
        if self._tests is not None:
            if self._tests.passed:
                self._say("the tests did not end by their deadline: stopping the pod")
                self.pass_deadline("tests")
            return False
        return self._start.is_over(pod)

    @property
    def is_to_be_stopped(self) -> bool:
        """Whether a deadline has passed for a pod that still runs."""
        return self._seen.passed in {"tests", "job"} and self._export is None

    def expect_last(self) -> None:
        """Wait for what the exporter of a pod that was told to end still sends."""
        self._export = Deadline(EXPORT_SECONDS)

    def _export_is_over(self) -> bool:
        if not self.is_read:
            # Its turn to be read is still to come, if there is anything to read.
            return not self.wants_reader
        self._export = self._export or Deadline(EXPORT_SECONDS)
        if self.receiver.has_manifest or self._export.passed:
            return True
        if self._log_done and (self.is_gone or self._beside_reads >= 1):
            return not self._lost.is_asking
        silent = self.receiver.silent_seconds
        again = self._clock.elapsed_seconds - self._read_beside_at
        due = self._log_done or (silent is not None and silent > LAST_SILENCE_SECONDS)
        if due and self._beside_reads < _BESIDE_READS and again > LAST_SILENCE_SECONDS:
            self._beside_reads += 1
            self._read_beside_at = self._clock.elapsed_seconds
            self.listener.read_beside()
        return False

    def judged(self) -> ShardAttempt:
        """Judge it by what it has sent: reads its files, and lets go of what it held in memory."""
        self.listener.stop()
        if self._journal is not None:
            self._journal.remove()
        facts = self._seen.facts(None, elapsed_seconds=self._clock.elapsed_seconds)
        facts = replace(facts, subject=f"shard/{self.shard}")
        completeness = self.receiver.finish(facts)
        facts, verdict = judge(facts, directory=self.receiver.directory, completeness=completeness)
        return ShardAttempt(
            shard=self.shard,
            number=self.number,
            job=self.job,
            facts=facts,
            verdict=_of_a_part(facts, verdict),
            started_at=self.started_at,
            seconds=self._clock.elapsed_seconds,
        )

    def _say(self, line: str) -> None:
        self._log(f"shard {self.shard}: {line}")


def _of_a_part(facts: Facts, verdict: Verdict) -> Verdict:
    """Let a shard be without a test that ran: whether the suite was is another question."""
    exit_code = facts.pod.test.exit_code if facts.pod and facts.pod.test else None
    if verdict.cause is not Cause.NO_TESTS or exit_code != 0 or not facts.results.complete:
        return verdict
    found = Evidence(facts.subject, "results", f"{facts.results.skipped} skipped, none to run")
    return Verdict(Cause.PASS, Fault.NONE, (found, *verdict.evidence), "Nothing to do.")
