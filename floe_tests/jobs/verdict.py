"""The verdict: whose fault a red run is, by fixed rules, with the evidence.

One table, read from the top; the first rule that finds evidence decides. What is most certain
stands first: a cancelled run is cancelled whatever else it shows, and a test is blamed last, when
nothing else explains the failure and the results are proved complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from floe_tests.evidence import Evidence
from floe_tests.jobs.facts import ContainerFacts, EventFacts, Facts, PodFacts

# pytest's exit codes. Source: https://docs.pytest.org/en/stable/reference/exit-codes.html
_PYTEST_INTERRUPTED = 2
_PYTEST_INTERNAL_ERROR = 3
_PYTEST_USAGE_ERROR = 4
_PYTEST_NO_TESTS = 5
# 128 + SIGKILL, what a container's exit code is after a kill.
_KILLED = 137
# From this share of failed tests on, and this many tests, the environment is suspected: the tests
# hardly broke all at once. Red all the same, but left out of flakiness.
_SUSPECT_SHARE = 0.8
_SUSPECT_TESTS = 10

_LINE_CHARACTERS = 400

IMAGE_PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
CONTAINER_CONFIG_REASONS = frozenset(
    {"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"}
)
_START_ERROR_REASONS = frozenset({"ContainerCannotRun", "StartError", "RunContainerError"})
_NODE_REFUSED_REASONS = frozenset({"UnexpectedAdmissionError", "NodeAffinity", "NodeShutdown"})
_NODE_LOST_REASONS = frozenset({"NodeLost", "Unknown"})
_JOB_REFUSED_REASONS = frozenset({"FailedCreate"})
_VOLUME_REASONS = frozenset({"FailedMount", "FailedAttachVolume"})


class Fault(StrEnum):
    """Whose fault a verdict is."""

    NONE = "none"
    TEST = "test"
    PLATFORM = "platform"
    RESOURCES = "resources"
    INFRASTRUCTURE = "infrastructure"
    CONFIGURATION = "configuration"
    HARNESS = "harness"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What a run came to, for a gate: green, red, or not said."""

    PASSED = "passed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """The name of a verdict."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    TEST_FAILURE = "TEST_FAILURE"
    SUSPECT_ENV = "SUSPECT_ENV"
    TEST_TIMEOUT = "TEST_TIMEOUT"
    NO_TESTS = "NO_TESTS"
    INTERRUPTED = "INTERRUPTED"
    RESULT_LOST = "RESULT_LOST"
    RESOURCE_OOM = "RESOURCE_OOM"
    RESOURCE_EVICTED = "RESOURCE_EVICTED"
    KILLED_UNKNOWN = "KILLED_UNKNOWN"
    PLATFORM_FAIL = "PLATFORM_FAIL"
    CONFIG = "CONFIG"
    HARNESS = "HARNESS"
    INFRA_CLUSTER = "INFRA_CLUSTER"
    INFRA_IMAGE = "INFRA_IMAGE"
    INFRA_CAPACITY = "INFRA_CAPACITY"
    INFRA_NODE = "INFRA_NODE"
    INFRA_DISRUPTED = "INFRA_DISRUPTED"
    INFRA_START = "INFRA_START"
    CLEANUP_FAIL = "CLEANUP_FAIL"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Verdict:
    """What a run came to.

    Attributes:
        cause: Its name.
        fault: Whose fault it is.
        evidence: What it rests on, most telling first.
        remedy: What to do next.
        retries: How many fresh attempts the rule allows.
    """

    cause: Cause
    fault: Fault
    evidence: tuple[Evidence, ...]
    remedy: str
    retries: int = 0

    @property
    def passed(self) -> bool:
        """Whether the run is green."""
        return self.cause is Cause.PASS

    @property
    def outcome(self) -> Outcome:
        """Green, red or cancelled."""
        if self.fault is Fault.CANCELLED:
            return Outcome.CANCELLED
        return Outcome.PASSED if self.passed else Outcome.FAILED

    def __str__(self) -> str:
        """Give the verdict as one line."""
        if self.passed:
            return str(self.cause)
        why = str(self.evidence[0]) if self.evidence else self.remedy
        line = why.splitlines()[0] if why else ""
        return f"{self.cause} ({self.fault}): {line[:_LINE_CHARACTERS]}"


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes:
        cause: The verdict's name.
        fault: Whose fault it is.
        when: The rule in words, for the documentation.
        remedy: What to do next.
        find: Looks for the evidence; none means that the rule does not apply.
        retries: How many fresh attempts are allowed; infrastructure alone has any, and, once, a
            kill that nothing explains.
    """

    cause: Cause
    fault: Fault
    when: str
    remedy: str
    find: Callable[[Facts], Sequence[Evidence]] = field(repr=False)
    retries: int = 0


def classify(facts: Facts) -> Verdict:
    """Give the verdict on one attempt.

    Args:
        facts: What was observed.

    Returns:
        The verdict of the first rule that finds evidence.
    """
    for rule in RULES:
        evidence = tuple(rule.find(facts))
        if evidence:
            return Verdict(
                cause=rule.cause,
                fault=rule.fault,
                evidence=evidence,
                remedy=rule.remedy,
                retries=rule.retries,
            )
    return Verdict(
        cause=Cause.HARNESS,
        fault=Fault.HARNESS,
        evidence=(Evidence(subject=facts.subject, field="facts", value="no rule applies"),),
        remedy="Report this run with its facts: the table of verdicts has a gap.",
    )


def _cancelled(facts: Facts) -> Sequence[Evidence]:
    if facts.cancelled is None:
        return ()
    return [Evidence(facts.subject, "cancelled", facts.cancelled), *_progress(facts)]


def _error_of(party: str) -> Callable[[Facts], Sequence[Evidence]]:
    def find(facts: Facts) -> Sequence[Evidence]:
        if facts.error is None or facts.error.party != party:
            return ()
        return [Evidence(facts.subject, "error", facts.error.message), *facts.error.evidence]

    return find


def _exporter_oom(facts: Facts) -> Sequence[Evidence]:
    return _terminated(facts, _exporter(facts), reasons={"OOMKilled"})


def _test_oom(facts: Facts) -> Sequence[Evidence]:
    found = _terminated(facts, _test(facts), reasons={"OOMKilled"})
    return [*found, *_in_flight(facts)] if found else ()


def _container_config(facts: Facts) -> Sequence[Evidence]:
    waiting = _waiting(facts, CONTAINER_CONFIG_REASONS)
    refused = [
        _event(event)
        for event in facts.events
        if event.reason in _JOB_REFUSED_REASONS and facts.pod is None
    ]
    started = _terminated(facts, _test(facts), reasons=_START_ERROR_REASONS)
    return [*waiting, *refused, *started]


def _image(facts: Facts) -> Sequence[Evidence]:
    waiting = _waiting(facts, IMAGE_PULL_REASONS)
    return [*waiting, *_events(facts, {"Failed"})] if waiting else ()


def _node_refused(facts: Facts) -> Sequence[Evidence]:
    return _pod_reason(facts, _NODE_REFUSED_REASONS)


def _disrupted(facts: Facts) -> Sequence[Evidence]:
    return _condition(facts, "DisruptionTarget", status=True)


def _evicted(facts: Facts) -> Sequence[Evidence]:
    return _pod_reason(facts, {"Evicted"})


def _vanished(facts: Facts) -> Sequence[Evidence]:
    pod = facts.pod
    if pod is None:
        return ()
    if pod.vanished:
        return [
            Evidence(f"pod/{pod.name}", "metadata", "deleted while it ran, and not by this run"),
            *_events(facts, {"NodeNotReady", "TaintManagerEviction", "Killing"}),
            *_in_flight(facts),
        ]
    return _pod_reason(facts, _NODE_LOST_REASONS) or (
        [Evidence(f"pod/{pod.name}", "status.phase", pod.phase)] if pod.phase == "Unknown" else ()
    )


def _capacity(facts: Facts) -> Sequence[Evidence]:
    if facts.passed_deadline != "start":
        return ()
    unscheduled = [
        Evidence(
            f"pod/{pod.name}", f"condition {item.type}", f"{item.reason}: {item.message}", item.time
        )
        for pod in [facts.pod]
        if pod is not None
        for item in pod.conditions
        if item.type == "PodScheduled" and not item.status
    ]
    return [*unscheduled, _deadline(facts)] if unscheduled else ()


def _start(facts: Facts) -> Sequence[Evidence]:
    test = _test(facts)
    ran = test is not None and test.started_at is not None
    late = facts.passed_deadline in {"start", "image"} or _deadline_exceeded(facts)
    if ran or not late:
        return ()
    return [_deadline(facts), *_events(facts, _VOLUME_REASONS), *_waiting(facts, None)]


def _timeout(facts: Facts) -> Sequence[Evidence]:
    if facts.passed_deadline in {"tests", "pod", "job"} or _deadline_exceeded(facts):
        return [_deadline(facts), *_in_flight(facts), *_progress(facts)]
    limit = dict(facts.deadlines).get("tests")
    unfinished = not facts.results.session_finished
    if limit is not None and unfinished and (facts.tests_seconds or 0) >= limit:
        seconds = Evidence(
            facts.subject,
            "seconds of the tests",
            f"{facts.tests_seconds:.0f}, the deadline is {limit:g}",
        )
        return [seconds, *_in_flight(facts), *_progress(facts)]
    return ()


def _killed(facts: Facts) -> Sequence[Evidence]:
    if _test_exit(facts) != _KILLED:
        return ()
    return [*_exit_evidence(facts), *_in_flight(facts)]


def _interrupted(facts: Facts) -> Sequence[Evidence]:
    return _exit_evidence(facts) if _test_exit(facts) == _PYTEST_INTERRUPTED else ()


def _harness_exit(facts: Facts) -> Sequence[Evidence]:
    codes = {_PYTEST_INTERNAL_ERROR, _PYTEST_USAGE_ERROR}
    return _exit_evidence(facts) if _test_exit(facts) in codes else ()


def _no_tests(facts: Facts) -> Sequence[Evidence]:
    results = facts.results
    if _test_exit(facts) == _PYTEST_NO_TESTS:
        return _exit_evidence(facts)
    # Nothing said and nothing written is not "no tests": that is a result that never came.
    said = results.reported > 0 or results.collected == 0
    none_ran = said and results.passed + results.failed == 0
    if _test_exit(facts) != 0 or not results.complete or not none_ran:
        return ()
    skipped = f"{results.skipped} skipped, none ran"
    return [*_exit_evidence(facts), Evidence(facts.subject, "results", skipped)]


def _lost(facts: Facts) -> Sequence[Evidence]:
    results = facts.results
    if results.complete and results.reported > 0:
        return ()
    problems = results.problems or ("no test result arrived",)
    return [
        *(Evidence(facts.subject, "results", problem) for problem in problems),
        *_exit_evidence(facts),
        *_in_flight(facts),
        *_progress(facts),
    ]


def _suspect(facts: Facts) -> Sequence[Evidence]:
    results = facts.results
    enough = results.failed > 0 and results.reported >= _SUSPECT_TESTS
    if not enough or results.failed < _SUSPECT_SHARE * (results.reported - results.skipped):
        return ()
    share = f"{results.failed} of {results.reported - results.skipped} tests failed"
    return [Evidence(facts.subject, "results", share), *_failures(facts)]


def _failed(facts: Facts) -> Sequence[Evidence]:
    if facts.results.failed:
        return [*_failures(facts), *_exit_evidence(facts)]
    return _exit_evidence(facts) if _test_exit(facts) not in {0, None} else ()


def _passed(facts: Facts) -> Sequence[Evidence]:
    if _test_exit(facts) != 0:
        return ()
    return [
        *_exit_evidence(facts),
        Evidence(
            facts.subject,
            "results",
            f"{facts.results.reported} reported, checksums match: {facts.results.passed} passed, "
            f"{facts.results.skipped} skipped",
        ),
    ]


def _test(facts: Facts) -> ContainerFacts | None:
    return facts.pod.test if facts.pod else None


def _exporter(facts: Facts) -> ContainerFacts | None:
    return facts.pod.exporter if facts.pod else None


def _test_exit(facts: Facts) -> int | None:
    container = _test(facts)
    return container.exit_code if container and container.state == "terminated" else None


def _terminated(
    facts: Facts, container: ContainerFacts | None, *, reasons: frozenset[str] | set[str]
) -> list[Evidence]:
    if container is None or container.state != "terminated" or container.reason not in reasons:
        return []
    finished = container.finished_at.isoformat() if container.finished_at else None
    message = f": {container.message}" if container.message else ""
    return [
        Evidence(
            _pod_name(facts.pod),
            f"container {container.name} terminated",
            f"{container.reason}, exit code {container.exit_code}{message}",
            finished,
        )
    ]


def _waiting(facts: Facts, reasons: frozenset[str] | None) -> list[Evidence]:
    return [
        Evidence(
            _pod_name(facts.pod),
            f"container {container.name} waiting",
            f"{container.reason}: {container.message}".rstrip(": "),
        )
        for container in (_test(facts), _exporter(facts))
        if container is not None
        and container.state == "waiting"
        and (reasons is None or container.reason in reasons)
    ]


def _pod_reason(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    pod = facts.pod
    if pod is None or pod.reason not in reasons:
        return []
    return [
        Evidence(_pod_name(pod), "status.reason", f"{pod.reason}: {pod.message}"),
        *_in_flight(facts),
    ]


def _condition(facts: Facts, kind: str, *, status: bool) -> list[Evidence]:
    if facts.pod is None:
        return []
    return [
        Evidence(
            _pod_name(facts.pod), f"condition {kind}", f"{item.reason}: {item.message}", item.time
        )
        for item in facts.pod.conditions
        if item.type == kind and item.status is status
    ]


def _deadline_exceeded(facts: Facts) -> bool:
    by_job = any(item.reason == "DeadlineExceeded" and item.status for item in facts.job_conditions)
    return by_job or (facts.pod is not None and facts.pod.reason == "DeadlineExceeded")


def _deadline(facts: Facts) -> Evidence:
    name = facts.passed_deadline or "pod"
    limit = dict(facts.deadlines).get(name)
    words = (
        f"{name} deadline of {limit:g} s passed" if limit is not None else f"{name} deadline passed"
    )
    return Evidence(facts.subject, "deadline", words)


def _exit_evidence(facts: Facts) -> list[Evidence]:
    container = _test(facts)
    if container is None or container.exit_code is None:
        return []
    finished = container.finished_at.isoformat() if container.finished_at else None
    return [
        Evidence(
            _pod_name(facts.pod),
            f"container {container.name} exit code",
            str(container.exit_code),
            finished,
        )
    ]


def _in_flight(facts: Facts) -> list[Evidence]:
    return [Evidence(name, "state", "was running") for name in facts.results.in_flight]


def _progress(facts: Facts) -> list[Evidence]:
    results = facts.results
    of = f" of {results.collected}" if results.collected is not None else ""
    return [Evidence(facts.subject, "results", f"{results.reported}{of} tests reported")]


def _failures(facts: Facts) -> list[Evidence]:
    return [Evidence(name, "outcome", "failed") for name in facts.results.failures]


def _events(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    return [_event(event) for event in facts.events if event.reason in reasons]


def _event(event: EventFacts) -> Evidence:
    return Evidence(event.subject, f"event {event.reason}", event.message, event.time)


def _pod_name(pod: PodFacts | None) -> str:
    return f"pod/{pod.name}" if pod else "pod"


RULES: tuple[Rule, ...] = (
    Rule(
        Cause.CANCELLED,
        Fault.CANCELLED,
        "the run was cancelled: a signal, the UI, a newer run on the same ref",
        "Start it again if its result is still wanted.",
        _cancelled,
    ),
    Rule(
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "a setting, the test-job.yaml or an argument is wrong",
        "Correct what the message names; nothing was run.",
        _error_of("configuration"),
    ),
    Rule(
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "the cluster could not be created, or its API stayed unreachable",
        "Look at the machine and the cluster: memory, disk, Docker; then start the run again.",
        _error_of("infrastructure"),
        retries=1,
    ),
    Rule(
        Cause.PLATFORM_FAIL,
        Fault.PLATFORM,
        "what the tier installs did not come up: a chart's pods crash or never become ready",
        "Read the events and logs of the component named in the evidence.",
        _error_of("platform"),
    ),
    Rule(
        Cause.CLEANUP_FAIL,
        Fault.INFRASTRUCTURE,
        "something the run created could not be removed",
        "Remove it with the command in the message.",
        _error_of("cleanup"),
    ),
    Rule(
        Cause.HARNESS,
        Fault.HARNESS,
        "this project's own machinery failed",
        "Report it with the run's log.",
        _error_of("harness"),
    ),
    Rule(
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "the pod can never run: image name invalid, ConfigMap or Secret missing, command not "
        "found, or admission refused it (Pod Security, quota)",
        "Correct test-job.yaml or what it refers to.",
        _container_config,
    ),
    Rule(
        Cause.INFRA_IMAGE,
        Fault.INFRASTRUCTURE,
        "the image could not be pulled within its deadline",
        "Check that the image is in the registry (IMAGE_REGISTRY_PREFIX) and that the node reaches "
        "it.",
        _image,
        retries=1,
    ),
    Rule(
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "the node refused the pod before it ran (admission, affinity, shutdown)",
        "Nothing ran; a fresh attempt is free.",
        _node_refused,
        retries=3,
    ),
    Rule(
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "the cluster took the pod away (condition DisruptionTarget: drain, preemption, eviction by "
        "API)",
        "A fresh attempt; if it repeats, keep the node from being drained while tests run.",
        _disrupted,
        retries=3,
    ),
    Rule(
        Cause.RESOURCE_EVICTED,
        Fault.RESOURCES,
        "the kubelet evicted the pod for what it used (memory, disk)",
        "Raise the limit named in the evidence, or make the tests use less.",
        _evicted,
    ),
    Rule(
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "the pod vanished, or its node did",
        "Look at the node; a fresh attempt runs on another.",
        _vanished,
        retries=3,
    ),
    Rule(
        Cause.HARNESS,
        Fault.HARNESS,
        "the exporter ran out of memory",
        "Report it with the sizes of the files in /results.",
        _exporter_oom,
    ),
    Rule(
        Cause.RESOURCE_OOM,
        Fault.RESOURCES,
        "the test container ran out of memory (OOMKilled)",
        "Raise resources.limits.memory in test-job.yaml, or make the test that was running use "
        "less.",
        _test_oom,
    ),
    Rule(
        Cause.INFRA_CAPACITY,
        Fault.INFRASTRUCTURE,
        "no node had room for the pod up to the start deadline",
        "Free or add capacity, or lower the requests in test-job.yaml.",
        _capacity,
        retries=1,
    ),
    Rule(
        Cause.INFRA_START,
        Fault.INFRASTRUCTURE,
        "the test container did not start by its deadline, for another reason",
        "Read the events in the evidence.",
        _start,
        retries=1,
    ),
    Rule(
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "the suite had started and did not end by its deadline (a hang in collection counts)",
        "Look at the test that was running, or raise deadlines.tests_seconds and the budget.",
        _timeout,
    ),
    Rule(
        Cause.KILLED_UNKNOWN,
        Fault.RESOURCES,
        "the test container was killed (137), and neither memory nor a disruption explains it",
        "Read the node's log; a process of the test may have killed its own container.",
        _killed,
        retries=1,
    ),
    Rule(
        Cause.INTERRUPTED,
        Fault.TEST,
        "the test program was interrupted, or its collection failed (pytest exit code 2)",
        "Read the collection errors in the report.",
        _interrupted,
    ),
    Rule(
        Cause.HARNESS,
        Fault.HARNESS,
        "the test program failed itself (pytest exit codes 3 and 4)",
        "Read the end of the pod's log.",
        _harness_exit,
    ),
    Rule(
        Cause.NO_TESTS,
        Fault.CONFIGURATION,
        "no test was collected (pytest exit code 5), or every one was skipped",
        "Check the path, the markers and the groups of the run.",
        _no_tests,
    ),
    Rule(
        Cause.RESULT_LOST,
        Fault.HARNESS,
        "the test program ended, and its results are not proved complete",
        "Whatever arrived is in the report; run it again and keep the environment to look into it.",
        _lost,
    ),
    Rule(
        Cause.SUSPECT_ENV,
        Fault.TEST,
        "at least 80 % of at least 10 tests failed: hardly all of them broke at once",
        "Look at the platform first. The run is red, and stays out of flakiness.",
        _suspect,
    ),
    Rule(
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests failed, and the results are complete",
        "Read the failures.",
        _failed,
    ),
    Rule(
        Cause.PASS,
        Fault.NONE,
        "every collected test was reported, none failed, checksums match, exit code 0",
        "Nothing to do.",
        _passed,
    ),
)
