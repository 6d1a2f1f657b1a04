"""What was observed of one attempt to run a suite: the input of its verdict, and nothing else.

Facts are plain values, taken from the Kubernetes API, from the result stream or from a process of
this machine. The verdict is a pure function of them, so a recorded set can be judged again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from floe_tests.core.evidence import Evidence

Party = Literal["configuration", "infrastructure", "platform", "harness", "cleanup"]
DeadlineName = Literal["queue", "start", "image", "tests", "pod", "job"]


@dataclass(frozen=True)
class ContainerFacts:
    """A container's last state.

    Attributes:
        name: Name of the container, or of the program on `local`.
        state: `waiting`, `running`, `terminated`, or `unknown` when the API says nothing.
        reason: Kubernetes' reason for the state (`OOMKilled`, `ErrImagePull`, `Completed`).
        message: Kubernetes' message beside it.
        exit_code: Exit code once terminated.
        started_at: When it started (UTC).
        finished_at: When it ended (UTC).
        restarts: How often it was restarted.
        previous: How the container before the last restart ended, if there was one.
        last_words: The end of its log, where somebody read it; of containers other than the tests'.
        started: Whether it has passed its startup probe; None when the API does not say. An init
            container that only runs to its end never has.
    """

    name: str
    state: Literal["waiting", "running", "terminated", "unknown"]
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restarts: int = 0
    previous: ContainerFacts | None = None
    last_words: str = ""
    started: bool | None = None


@dataclass(frozen=True)
class ConditionFacts:
    """One condition of a pod or Job whose status is True or False."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""
    time: str | None = None


@dataclass(frozen=True)
class PodFacts:
    """A pod as it was last seen.

    Attributes:
        name: Its name; on `local` the name of the process.
        phase: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
        reason: The pod's own reason (`Evicted`, `DeadlineExceeded`, `NodeLost`).
        message: The pod's own message.
        node: The node it was bound to.
        conditions: Its conditions.
        test: The test container.
        exporter: The exporter sidecar.
        init: Its init containers in their order, without the exporter.
        others: Containers that run beside the tests.
        created_at: When the pod was created (UTC).
        vanished: Whether it disappeared before it ended, without this run asking for it.
        deleted_at: When somebody else asked for its deletion; None while nobody has, or this run
            did.
        ended_undisturbed: Whether the test container was seen to have ended while nobody had asked
            for the pod's end: told by the order in which the API reported it, not by timestamps.
        volumes: Names of its emptyDir volumes.
        memory_peak_mib: Highest memory seen, in MiB, where it could be read.
    """

    name: str
    phase: str
    reason: str = ""
    message: str = ""
    node: str = ""
    conditions: tuple[ConditionFacts, ...] = ()
    test: ContainerFacts | None = None
    exporter: ContainerFacts | None = None
    init: tuple[ContainerFacts, ...] = ()
    others: tuple[ContainerFacts, ...] = ()
    created_at: datetime | None = None
    vanished: bool = False
    deleted_at: str | None = None
    ended_undisturbed: bool = False
    volumes: tuple[str, ...] = ()
    memory_peak_mib: float | None = None

    @property
    def sidecars(self) -> tuple[ContainerFacts, ...]:
        """Its native sidecars, without the exporter: of them alone the kubelet says `started`."""
        return tuple(each for each in self.init if each.started is not None)

    @property
    def is_disrupted(self) -> bool:
        """Whether the cluster has said that it takes the pod away.

        Source: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
        """
        return self.reason == "Evicted" or any(
            item.type == "DisruptionTarget" and item.status for item in self.conditions
        )

    @property
    def exporter_runs(self) -> bool:
        """Whether the exporter is there to send and to answer."""
        return self.exporter is not None and self.exporter.state == "running"


@dataclass(frozen=True)
class NodeFacts:
    """The node of a pod, looked at because the pod had gone silent.

    Attributes:
        name: Its name.
        exists: Whether the cluster still has it.
        ready: Its condition Ready; `status` is False both when the node says so and when nobody
            has heard of it. None where the node may not be read.
        is_heard_of: Whether the node still reports: Kubernetes sets Ready to Unknown when not.
    """

    name: str
    exists: bool = True
    ready: ConditionFacts | None = None
    is_heard_of: bool = True


@dataclass(frozen=True)
class EventFacts:
    """A Kubernetes event about the Job or its pod."""

    subject: str
    reason: str
    message: str
    time: str | None = None
    count: int = 1


@dataclass(frozen=True)
class ResultFacts:
    """What arrived of the results, and whether that is all.

    Attributes:
        complete: Whether the stream proved that everything arrived (manifest, checksums, counts).
        problems: What is missing or does not match, one sentence each.
        notices: What was cut, refused or left out on the way, without making the results doubtful.
        cut: Paths of result files that a cap cut.
        collected: Tests that the suite said it would run; None when it did not say.
        reported: Tests with an outcome.
        passed: Tests that passed.
        failed: Tests that failed, errors included.
        skipped: Tests that were skipped.
        failures: Names of failed tests, the first 50.
        said: Names of those failed tests, each with what it said in one line, where it said any.
        quarantined: Names of failed tests that the tier's quarantine list lets fail.
        expired: Entries of that list whose last day is over, one sentence each.
        failed_before: Names of those failed tests that failed in an earlier attempt alone.
        failed_again: Names of failed tests that failed in more than one attempt.
        in_flight: Tests that had started and not ended.
        session_finished: Whether the test program said that it was done.
        exit_status: The exit status that pytest gave itself; None where it did not come to its end,
            or the tests are no pytest's.
        has_events: Whether pytest's events arrived.
        ends_early: Whether these came whole, and end inside the session.
        received: Whether all that the exporter saw has arrived (manifest, checksums), however much
            that is.
        expected_failures: Tests that failed as they were expected to; they count as skipped.
        has_result_file: Whether there is a result file that can be read, with or without a test.
        last_words: The last lines of the tests' log, where no test was reported.
        other_reasons: Lines of the tests' log by which their tool gives its bad exit code another
            reason than failed tests: missed coverage, an error of its own.
        free_bytes: What was still free on the volume of the results at the end; None when unknown.
        started: Whether at least one test started.
        missing: Tests that the last good run had and that are gone or skipped without a word, where
            that makes the run red; what they are first.
        compared: What the suite was compared with; None where it was not.
    """

    complete: bool = False
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    collected: int | None = None
    reported: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    quarantined: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    failed_before: tuple[str, ...] = ()
    failed_again: tuple[str, ...] = ()
    in_flight: tuple[str, ...] = ()
    session_finished: bool = False
    exit_status: int | None = None
    has_events: bool = False
    ends_early: bool = False
    received: bool = False
    expected_failures: int = 0
    has_result_file: bool = False
    last_words: tuple[str, ...] = ()
    other_reasons: tuple[str, ...] = ()
    free_bytes: int | None = None
    started: bool = False
    missing: tuple[Evidence, ...] = ()
    compared: Evidence | None = None


@dataclass(frozen=True)
class JudgedFacts:
    """What the rules of a soak or a benchmark found, by what it speaks for.

    Attributes:
        achieved: How far a soak came; said with every verdict on it.
        broken: Hard limits of a soak that were passed.
        drifts: Growth in a soak that reaches a limit.
        regressions: Measurements of a benchmark that became worse.
        doubts: Why there is less than a judgement needs.
        notes: What is to be said of a good one.
    """

    achieved: tuple[Evidence, ...] = ()
    broken: tuple[Evidence, ...] = ()
    drifts: tuple[Evidence, ...] = ()
    regressions: tuple[Evidence, ...] = ()
    doubts: tuple[Evidence, ...] = ()
    notes: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class ErrorFacts:
    """An error of this package that ended the attempt."""

    party: Party
    message: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that is known about one attempt.

    Attributes:
        subject: What was run, as evidence names it (`job/integration-x7`).
        cancelled: Why the run was cancelled, if it was.
        error: The error that ended it, if one did.
        passed_deadline: The deadline that ended it, if one did.
        pod: The pod, as last seen; None when there never was one.
        node: Its node, where it was lost with the pod on it.
        job_conditions: The Job's conditions.
        suspended: Who keeps the Job suspended, in a few words; None when nobody does.
        events: Events about the Job and the pod, oldest first.
        results: What arrived of the results.
        own_failed: How many tests failed in the pod whose exit code this is; None where all results
            are that pod's. A failure excuses an exit code of its own pod alone.
        judged: What a soak or a benchmark came to; None for other suites.
        elapsed_seconds: From the Job's creation to its end.
        tests_seconds: How long the test container ran.
        deadlines: The deadlines in force, in seconds, by name.
    """

    subject: str
    cancelled: str | None = None
    error: ErrorFacts | None = None
    passed_deadline: DeadlineName | None = None
    pod: PodFacts | None = None
    node: NodeFacts | None = None
    job_conditions: tuple[ConditionFacts, ...] = ()
    suspended: str | None = None
    events: tuple[EventFacts, ...] = ()
    results: ResultFacts = field(default_factory=ResultFacts)
    own_failed: int | None = None
    judged: JudgedFacts | None = None
    elapsed_seconds: float = 0
    tests_seconds: float | None = None
    deadlines: tuple[tuple[DeadlineName, float], ...] = ()


def run_seconds(container: ContainerFacts | None) -> float | None:
    """Return how long a container ran, or has run so far; None when it never did."""
    if container is None or container.started_at is None:
        return None
    end = container.finished_at or datetime.now(UTC)
    return (end - container.started_at).total_seconds()
