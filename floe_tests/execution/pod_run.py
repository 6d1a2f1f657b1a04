"""One pod of a suite, from its creation to its judged end.

It is told what was heard, and says what it wants; it waits for nothing and owns no thread. A suite
in one pod has one of these (`execution/job_run.py`), a suite in shards one for each
(`execution/sharding/`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from floe_tests.core.deadline import Deadline
from floe_tests.core.log import Log
from floe_tests.core.verdict import Verdict
from floe_tests.execution.attempt import judge
from floe_tests.execution.exporter_log import ExporterLog, Keeping
from floe_tests.execution.observation import Observation, has_ended
from floe_tests.execution.pod_watcher import PodSeen, PodWatcher, Said
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.start import Start
from floe_tests.execution.timeouts import LINGERING_BYTES, TESTS_SLACK_SECONDS
from floe_tests.execution.verdict.facts import DeadlineName, Facts, NodeFacts, PodFacts, run_seconds
from floe_tests.kube.objects import JsonObject, part


class PodRun:
    """One pod, followed."""

    def __init__(
        self,
        seen: Observation,
        *,
        directory: Path,
        watcher: PodWatcher,
        log: Log,
        keeping: Keeping,
        is_resumed: bool = False,
    ) -> None:
        """Begin with nothing seen.

        Args:
            seen: Keeps what is seen of it.
            directory: Where its results go.
            watcher: Hears it.
            log: Receives what is said of it.
            keeping: What is kept of it.
            is_resumed: Whether a process before this one may have followed it.
        """
        self.directory = directory
        self.watcher = watcher
        self.keeping = keeping
        self._deadlines = seen.spec.deadlines
        self._deadline = seen.spec.deadline
        self._seen = seen
        self._say = log
        self.is_resumed = is_resumed
        self._exporter_log = ExporterLog(
            directory, spec=seen.spec, watcher=watcher, log=log, keeping=keeping
        )
        self.start = Start(seen)
        self._tests: Deadline | None = None
        self.is_absent = False
        self.started_at = datetime.now(UTC)
        self._clock = self._deadline(float("inf"))

    # --- What is heard

    def hear(self, said: Said) -> None:
        """Take what was heard of it."""
        if isinstance(said, PodSeen):
            self.see(said.pod)
        else:
            self._exporter_log.hear(said)

    def see(self, pod: JsonObject | None) -> None:
        """Take the pod as it is now; None when it is there no more."""
        is_first = self._seen.pod is None
        if is_first:
            self._seen.job = None  # what was seen of it without a pod is out of date
        self._seen.see(pod)
        self.is_absent = pod is None
        facts = self.facts
        test = facts.test if facts else None
        if test is not None and test.state == "running" and self._tests is None:
            # What the tests have had before a resume counts; of others this clock knows enough.
            ran = run_seconds(test) if is_first and self.is_resumed else None
            left = self._deadlines.tests_seconds + TESTS_SLACK_SECONDS - max(0.0, ran or 0.0)
            self._tests = self._deadline(max(0.0, left))
            if self.keeping.shows_progress and facts is not None:
                self._say(f"tests started on {facts.node}")

    def read(self) -> None:
        """Begin to follow the exporter's log."""
        self._exporter_log.follow(self.name, is_over=self._exporter_is_over)

    def lose_node(self, node: NodeFacts) -> None:
        """Note that its node is lost."""
        self._say(f"node {node.name} is lost, and pod/{self.name} with it")
        self._seen.node = node

    def cancel(self, reason: str) -> None:
        """Note that the run was cancelled."""
        self._seen.cancelled = reason

    def pass_deadline(self, name: DeadlineName) -> None:
        """Note the deadline that ends it; the first one counts."""
        self._seen.pass_deadline(name)

    def leave(self) -> None:
        """Let go of it, for the process that resumes the run."""
        self._exporter_log.leave()

    # --- What it is

    @property
    def receiver(self) -> Receiver:
        """What keeps its results."""
        return self._exporter_log.receiver

    @property
    def seen(self) -> Observation:
        """What was seen of it."""
        return self._seen

    @property
    def facts(self) -> PodFacts | None:
        """The facts of its pod; None before the first look."""
        return self._seen.pod_facts()

    @property
    def job(self) -> str:
        """Name of the pod's Job."""
        return str(part(self._seen.pod or {}, "metadata", "labels").get("job-name", ""))

    @property
    def name(self) -> str:
        """Name of the pod; empty before the first look."""
        return self._seen.pod_name or ""

    @property
    def is_there(self) -> bool:
        """Whether there is a pod now."""
        return self._seen.pod is not None and not self.is_absent

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
    def has_ended_by_itself(self) -> bool:
        """Whether its tests had ended, whatever became of it then."""
        facts = self.facts
        return facts is not None and has_ended(facts)

    @property
    def has_ended(self) -> bool:
        """Whether its tests have ended, or never will run."""
        return self.is_gone or self.has_ended_by_itself

    @property
    def is_heard(self) -> bool:
        """Whether its exporter may still say something."""
        return self._exporter_log.may_say_more and not self.is_absent

    @property
    def is_read(self) -> bool:
        """Whether its log is followed, or was."""
        return self._exporter_log.is_followed

    @property
    def node_is_lost(self) -> bool:
        """Whether nobody can end it where it is."""
        return self._seen.node is not None

    @property
    def has_company(self) -> bool:
        """Whether other containers run on beside tests that have ended."""
        facts = self.facts
        if facts is None or facts.test is None or not self.has_ended:
            return False
        return any(other.state in {"running", "waiting"} for other in facts.others)

    @property
    def lingers(self) -> bool:
        """Whether its exporter stays for questions, as one does that wrote much."""
        facts = self.facts
        runs = facts is not None and facts.exporter_runs
        return runs and self.receiver.received_bytes >= LINGERING_BYTES

    def is_unplaced(self, seconds: float) -> bool:
        """Return whether it has waited for a node for so long."""
        facts = self.facts
        is_pending = facts is not None and facts.phase == "Pending" and not facts.node
        return is_pending and not self.is_absent and self._clock.elapsed_seconds > seconds

    def _exporter_is_over(self) -> bool:
        """Return whether the exporter writes no more: a sidecar that fails is started again."""
        facts = self.facts
        return facts is None or self.is_gone or (has_ended(facts) and not facts.exporter_runs)

    # --- What it wants

    @property
    def wants_reader(self) -> bool:
        """Whether there is a log to read, and nobody has begun to."""
        facts = self.facts
        exporter = facts.exporter if facts else None
        there_is_one = exporter is not None and exporter.state != "waiting"
        return there_is_one and not self.is_read and not self.is_absent

    @property
    def silent_on(self) -> str:
        """The node to look at, for its exporter has not been heard for a while; else empty."""
        facts, log = self.facts, self._exporter_log
        if facts is None or log.last_is_expected or self.has_ended or not log.is_quiet:
            return ""
        return facts.node

    def is_over(self) -> bool:
        """Decide whether there is nothing more to wait for."""
        pod = self.facts
        if pod is None or self.node_is_lost or self._seen.cancelled:
            return pod is not None
        self._exporter_log.ask_for_lost(pod)
        if self.has_ended or self._exporter_log.last_is_expected:
            return self._export_is_over()
        if self._tests is not None:
            if self._tests.passed:
                self._say("the tests did not end by their deadline: stopping the pod")
                self.pass_deadline("tests")
            return False
        return self.start.is_over(pod)

    @property
    def is_to_be_stopped(self) -> bool:
        """Whether a deadline has passed for a pod that still runs."""
        return self._seen.passed in {"tests", "job"} and not self._exporter_log.last_is_expected

    def expect_last(self) -> None:
        """Wait for what the exporter of a pod that was told to end still sends."""
        self._exporter_log.expect_last()

    @property
    def is_to_be_finished(self) -> bool:
        """Whether its exporter is to be told that the tests have ended.

        The kubelet tells it once all other containers have ended, and some here have not.
        """
        facts = self.facts
        runs = facts is not None and facts.exporter_runs and not self.is_absent
        return runs and self.has_company and not self._seen.is_dismissed

    def dismiss(self) -> None:
        """Note that this run ends the pod, because its tests have ended."""
        self._seen.is_dismissed = True

    def _export_is_over(self) -> bool:
        if not self.is_read:
            # Its turn to be read is still to come, if there is anything to read.
            return not self.wants_reader
        return self._exporter_log.is_read_to_its_end(
            self.name, is_gone=self.is_gone, is_absent=self.is_absent
        )

    def judged(self, *, elapsed_seconds: float | None = None) -> tuple[Facts, Verdict]:
        """Judge it by what it has sent: reads its files, and lets go of what it held in memory.

        Args:
            elapsed_seconds: Since the attempt began; None where that was when it was first seen.
        """
        self._exporter_log.close()
        elapsed = self._clock.elapsed_seconds if elapsed_seconds is None else elapsed_seconds
        facts = self._seen.facts(elapsed_seconds=elapsed)
        completeness = self.receiver.finish(facts)
        return judge(facts, directory=self.receiver.directory, completeness=completeness)
