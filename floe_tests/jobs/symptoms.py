"""What speaks for each verdict: one function a rule, from facts to the evidence it finds.

No evidence means that the rule does not apply. Which rule comes before which, and what each is
called, stands in verdict.py alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from floe_tests.evidence import Evidence
from floe_tests.jobs.facts import (
    ContainerFacts,
    EventFacts,
    Facts,
    NodeFacts,
    PodFacts,
    timestamp,
)

# pytest's exit codes. Source: https://docs.pytest.org/en/stable/reference/exit-codes.html
_TESTS_FAILED = 1
_PYTEST_INTERRUPTED = 2
_PYTEST_INTERNAL_ERROR = 3
_PYTEST_USAGE_ERROR = 4
_PYTEST_NO_TESTS = 5
# 128 + SIGKILL and 128 + SIGTERM: what a container's exit code is after a kill.
_KILLED = frozenset({137, 143})
# From this share of failed tests on, and this many tests, the environment is suspected: the tests
# hardly broke all at once. Red all the same, but left out of flakiness.
_SUSPECT_SHARE = 0.8
_SUSPECT_TESTS = 10

_SHOWN_RUNNING = 5

IMAGE_PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
CONTAINER_CONFIG_REASONS = frozenset(
    {"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"}
)
_START_ERROR_REASONS = frozenset({"ContainerCannotRun", "StartError", "RunContainerError"})
# What the kubelet gives when it refuses a pod that was bound to it.
# Source: https://github.com/kubernetes/kubernetes/tree/master/pkg/kubelet/lifecycle
_NODE_REFUSED_REASONS = frozenset(
    {
        "UnexpectedAdmissionError",
        "NodeAffinity",
        "NodePorts",
        "NodeShutdown",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "OutOfephemeral-storage",
    }
)
_NODE_LOST_REASONS = frozenset({"NodeLost", "Unknown"})
_JOB_REFUSED_REASONS = frozenset({"FailedCreate"})
_VOLUME_REASONS = frozenset({"FailedMount", "FailedAttachVolume"})


def cancelled(facts: Facts) -> Sequence[Evidence]:
    """The run was cancelled."""
    if facts.cancelled is None:
        return ()
    return [Evidence(facts.subject, "cancelled", facts.cancelled), *_progress(facts)]


def error_of(party: str) -> Callable[[Facts], Sequence[Evidence]]:
    """An error of this package at the door of one party."""

    def find(facts: Facts) -> Sequence[Evidence]:
        if facts.error is None or facts.error.party != party:
            return ()
        return [Evidence(facts.subject, "error", facts.error.message), *facts.error.evidence]

    return find


def exporter_oom(facts: Facts) -> Sequence[Evidence]:
    """The exporter ran out of memory, and results are missing."""
    exporter = _exporter(facts)
    # A sidecar is restarted and sends everything again: then nothing is lost, and nobody to blame.
    if exporter is None or facts.results.complete:
        return ()
    found = [
        item
        for container in (exporter, exporter.previous)
        for item in _terminated(facts, container, reasons={"OOMKilled"})
    ]
    return [*found, *_progress(facts)] if found else ()


def test_oom(facts: Facts) -> Sequence[Evidence]:
    """The tests ran out of memory."""
    found = _terminated(facts, _test(facts), reasons={"OOMKilled"})
    return [*found, *_progress(facts), *_in_flight(facts)] if found else ()


def container_config(facts: Facts) -> Sequence[Evidence]:
    """The pod can never run as it is written."""
    waiting = _waiting(facts, CONTAINER_CONFIG_REASONS)
    refused = [
        _event(event)
        for event in facts.events
        if event.reason in _JOB_REFUSED_REASONS and facts.pod is None
    ]
    started = _terminated(facts, _test(facts), reasons=_START_ERROR_REASONS)
    return [*waiting, *refused, *started]


def image(facts: Facts) -> Sequence[Evidence]:
    """The image cannot be pulled."""
    waiting = _waiting(facts, IMAGE_PULL_REASONS)
    return [*waiting, *_events(facts, {"Failed"})] if waiting else ()


def node_refused(facts: Facts) -> Sequence[Evidence]:
    """The node took the pod and did not run it."""
    return _pod_reason(facts, _NODE_REFUSED_REASONS)


def disrupted(facts: Facts) -> Sequence[Evidence]:
    """The cluster took the pod away while its tests ran."""
    found = _condition(facts, "DisruptionTarget")
    # A kubelet that evicts says so when the containers have ended, and not before.
    by_kubelet = bool(_pod_reason(facts, {"Evicted", "Terminated"}))
    if not found or (not by_kubelet and _ended_before(facts, found[0].time)):
        return ()
    return [
        *found,
        *_pod_reason(facts, {"Evicted"}),
        *_events(facts, {"Evicted", "Preempted", "TaintManagerEviction"}),
        *_in_flight(facts),
        *_progress(facts),
    ]


def evicted(facts: Facts) -> Sequence[Evidence]:
    """The kubelet evicted the pod, and no disruption of the node is the reason."""
    return _pod_reason(facts, {"Evicted"})


def vanished(facts: Facts) -> Sequence[Evidence]:
    """The pod is gone, or its node is, and this run did not ask for it."""
    pod = facts.pod
    if pod is None:
        return ()
    if facts.node is not None:
        return [*_node(facts.node), *_in_flight(facts), *_progress(facts)]
    if pod.vanished or (pod.deleted_at is not None and not _ended_before(facts, pod.deleted_at)):
        return [
            Evidence(
                f"pod/{pod.name}",
                "metadata.deletionTimestamp",
                "deleted while it ran, and not by this run",
                pod.deleted_at,
            ),
            *_events(facts, {"NodeNotReady", "TaintManagerEviction", "Killing"}),
            *_in_flight(facts),
            *_progress(facts),
        ]
    return _pod_reason(facts, _NODE_LOST_REASONS) or (
        [Evidence(f"pod/{pod.name}", "status.phase", pod.phase)] if pod.phase == "Unknown" else ()
    )


def capacity(facts: Facts) -> Sequence[Evidence]:
    """No node took the pod up to the start deadline."""
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


def start(facts: Facts) -> Sequence[Evidence]:
    """The tests did not start by their deadline."""
    test = _test(facts)
    ran = test is not None and test.started_at is not None
    late = facts.passed_deadline in {"start", "image"} or _deadline_exceeded(facts)
    if ran or not late:
        return ()
    return [_deadline(facts), *_events(facts, _VOLUME_REASONS), *_waiting(facts, None)]


def timeout(facts: Facts) -> Sequence[Evidence]:
    """The tests did not end by their deadline."""
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


def killed(facts: Facts) -> Sequence[Evidence]:
    """The tests were killed, and nothing says by whom."""
    if _test_exit(facts) not in _KILLED:
        return ()
    return [*_exit_evidence(facts), *_progress(facts), *_in_flight(facts)]


def interrupted(facts: Facts) -> Sequence[Evidence]:
    """The test program was interrupted, or could not collect."""
    return _exit_evidence(facts) if _test_exit(facts) == _PYTEST_INTERRUPTED else ()


def harness_exit(facts: Facts) -> Sequence[Evidence]:
    """The test program failed itself."""
    codes = {_PYTEST_INTERNAL_ERROR, _PYTEST_USAGE_ERROR}
    return _exit_evidence(facts) if _test_exit(facts) in codes else ()


def no_tests(facts: Facts) -> Sequence[Evidence]:
    """There was nothing to run."""
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


def lost(facts: Facts) -> Sequence[Evidence]:
    """The results are not proved complete."""
    results = facts.results
    if results.complete and results.reported > 0:
        return ()
    problems = results.problems or ("no test result arrived",)
    return [
        *(Evidence(facts.subject, "results", problem) for problem in problems),
        *_exporter_end(facts),
        *_exit_evidence(facts),
        *_in_flight(facts),
        *_progress(facts),
    ]


def suspect(facts: Facts) -> Sequence[Evidence]:
    """Nearly everything failed at once."""
    results = facts.results
    # A quarantined failure was expected, and so tells nothing about the platform.
    blamed = _blamed(facts)
    ran = results.reported - results.skipped - len(results.quarantined)
    enough = blamed > 0 and results.reported >= _SUSPECT_TESTS
    if not enough or blamed < _SUSPECT_SHARE * ran:
        return ()
    share = f"{blamed} of {ran} tests failed"
    return [Evidence(facts.subject, "results", share), *_failures(facts)]


def failed(facts: Facts) -> Sequence[Evidence]:
    """Tests failed."""
    if _blamed(facts):
        return [*_failures(facts), *_exit_evidence(facts)]
    return _exit_evidence(facts) if _test_exit(facts) not in {None, *_good_exits(facts)} else ()


def expired(facts: Facts) -> Sequence[Evidence]:
    """A quarantine has outlived its last day."""
    return [Evidence(facts.subject, "quarantine", line) for line in facts.results.expired]


def broken(facts: Facts) -> Sequence[Evidence]:
    """A soak passed a hard limit."""
    return facts.judged.broken if facts.judged else ()


def drifting(facts: Facts) -> Sequence[Evidence]:
    """Something grew in a soak, and would reach its limit."""
    return facts.judged.drifts if facts.judged else ()


def regressed(facts: Facts) -> Sequence[Evidence]:
    """A measurement became worse."""
    return facts.judged.regressions if facts.judged else ()


def inconclusive(facts: Facts) -> Sequence[Evidence]:
    """There is less than a judgement needs."""
    return facts.judged.doubts if facts.judged else ()


def so_far(facts: Facts) -> Sequence[Evidence]:
    """Give how far a soak came, and what it had found by then; no reason for any verdict."""
    judged = facts.judged
    if judged is None:
        return ()
    return (*judged.achieved, *judged.broken, *judged.drifts, *judged.regressions)


def passed(facts: Facts) -> Sequence[Evidence]:
    """The test program ended well."""
    results = facts.results
    if _test_exit(facts) not in _good_exits(facts):
        return ()
    excused = len(results.quarantined)
    words = f", {excused} failed in quarantine" if excused else ""
    return [
        *_exit_evidence(facts),
        Evidence(
            facts.subject,
            "results",
            f"{results.reported} reported, checksums match: {results.passed} passed, "
            f"{results.skipped} skipped{words}",
        ),
        *(Evidence(name, "outcome", "failed, quarantined") for name in results.quarantined),
        *(facts.judged.notes if facts.judged else ()),
    ]


def _blamed(facts: Facts) -> int:
    """Give how many tests failed that may not."""
    return facts.results.failed - len(facts.results.quarantined)


def _good_exits(facts: Facts) -> frozenset[int]:
    """Give the exit codes of a test program that ended well; 1 where only failures say so."""
    return frozenset({0, _TESTS_FAILED}) if facts.results.quarantined else frozenset({0})


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
        *(_progress(facts) if facts.results.started else ()),
        *_in_flight(facts),
    ]


def _node(node: NodeFacts) -> list[Evidence]:
    if not node.exists:
        return [Evidence(f"node/{node.name}", "metadata", "the cluster has it no more")]
    ready = node.ready
    if ready is None:
        return [Evidence(f"node/{node.name}", "status", "it does not report")]
    return [
        Evidence(
            f"node/{node.name}",
            "condition Ready",
            f"{ready.reason}: {ready.message}".rstrip(": "),
            ready.time,
        )
    ]


def _ended_before(facts: Facts, time: str | None) -> bool:
    """Tell whether the tests had come to their own end before something befell their pod.

    Kubernetes' times are whole seconds: within one, a session that finished counts as ended.
    """
    test, moment = _test(facts), timestamp(time)
    if test is None or test.finished_at is None or moment is None or test.exit_code in _KILLED:
        return False
    at_once = facts.results.session_finished and test.finished_at == moment
    return test.finished_at < moment or at_once


def _condition(facts: Facts, kind: str) -> list[Evidence]:
    if facts.pod is None:
        return []
    return [
        Evidence(
            _pod_name(facts.pod), f"condition {kind}", f"{item.reason}: {item.message}", item.time
        )
        for item in facts.pod.conditions
        if item.type == kind and item.status
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


def _exporter_end(facts: Facts) -> list[Evidence]:
    """Give how the exporter ended, where it did not end well."""
    exporter = _exporter(facts)
    ends = [] if exporter is None else [exporter, exporter.previous]
    return [
        Evidence(
            _pod_name(facts.pod),
            f"container {end.name} terminated",
            f"{end.reason}, exit code {end.exit_code}",
            end.finished_at.isoformat() if end.finished_at else None,
        )
        for end in ends
        if end is not None and end.state == "terminated" and end.exit_code
    ]


def _in_flight(facts: Facts) -> list[Evidence]:
    return [Evidence(name, "state", "was running") for name in facts.results.in_flight]


def _progress(facts: Facts) -> list[Evidence]:
    """Say in one sentence how far the suite came: `43 of 60 reported, test_x was running`."""
    results = facts.results
    of = f" of {results.collected}" if results.collected is not None else ""
    running = ", ".join(results.in_flight[:_SHOWN_RUNNING])
    more = len(results.in_flight) - _SHOWN_RUNNING
    running += f" and {more} more" if more > 0 else ""
    state = f", {running} was running" if running else ""
    return [Evidence(facts.subject, "results", f"{results.reported}{of} reported{state}")]


def _failures(facts: Facts) -> list[Evidence]:
    return [Evidence(name, "outcome", "failed") for name in facts.results.failures]


def _events(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    return [_event(event) for event in facts.events if event.reason in reasons]


def _event(event: EventFacts) -> Evidence:
    return Evidence(event.subject, f"event {event.reason}", event.message, event.time)


def _pod_name(pod: PodFacts | None) -> str:
    return f"pod/{pod.name}" if pod else "pod"
