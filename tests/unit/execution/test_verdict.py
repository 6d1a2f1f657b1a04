"""Each rule of the table of verdicts, on pods as the API sends them, and which of two wins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import BY_TESTS, HOPELESS, Cause, Fault, Outcome
from floe_tests.execution.verdict.facts import (
    ConditionFacts,
    ContainerFacts,
    ErrorFacts,
    EventFacts,
    Facts,
    JudgedFacts,
    NodeFacts,
    PodFacts,
    ResultFacts,
)
from floe_tests.execution.verdict.observed import event_facts, pod_facts
from floe_tests.execution.verdict.rules import RULES, Rule, classify

RECORDED = yaml.safe_load(Path(__file__).with_name("pods.yaml").read_text())

SUBJECT = "job/integration-1a2b3c4d-1"
COMPLETE = ResultFacts(
    complete=True,
    received=True,
    collected=4,
    reported=4,
    passed=4,
    session_finished=True,
    has_events=True,
    has_result_file=True,
    started=True,
)
ONE_FAILED = replace(
    COMPLETE, passed=3, failed=1, failures=("tests.integration.test_runs::test_b",)
)
QUARANTINED = replace(ONE_FAILED, failures=(), quarantined=ONE_FAILED.failures)
CUT_OFF = ResultFacts(
    problems=("the exporter sent no manifest",),
    collected=4,
    reported=2,
    passed=2,
    in_flight=("tests.integration.test_runs::test_c",),
    has_events=True,
    started=True,
)
# All that the tests wrote is there, and they wrote no end.
LEFT = replace(
    CUT_OFF,
    received=True,
    ends_early=True,
    problems=("2 of 4 collected tests were reported; test_c was running",),
)
# Of a tool that writes JUnit and nothing else.
JUNIT_ALONE = replace(COMPLETE, has_events=False, session_finished=False, collected=None)
MISSING = Evidence("suite", "presence", "3 of the 7 tests of run 1 missing")
NOTHING = ResultFacts(problems=("no frame arrived",))
DEADLINES = (("start", 300.0), ("image", 60.0), ("tests", 240.0), ("pod", 270.0), ("job", 600.0))
JOB_TOOK_TOO_LONG = (
    ConditionFacts(
        type="Failed",
        status=True,
        reason="DeadlineExceeded",
        message="Job was active longer than specified deadline",
        time="2026-11-23T09:10:00Z",
    ),
)


def recorded(name: str, **changes: Any) -> PodFacts:
    pod = pod_facts(
        RECORDED[name], test_container="test-runner", exporter_container="floe-tests-exporter"
    )
    return replace(pod, **changes)


def event(reason: str, message: str, *, kind: str = "Pod") -> EventFacts:
    (fact,) = event_facts(
        [
            {
                "involvedObject": {"kind": kind, "name": "integration-1a2b3c4d-1"},
                "reason": reason,
                "message": message,
                "lastTimestamp": "2026-11-23T09:00:03Z",
                "count": 3,
            }
        ]
    )
    return fact


def facts(pod: str | PodFacts | None = None, **changes: Any) -> Facts:
    known: dict[str, Any] = {
        "subject": SUBJECT,
        "pod": recorded(pod) if isinstance(pod, str) else pod,
        "results": COMPLETE,
        "deadlines": DEADLINES,
    }
    return Facts(**{**known, **changes})


UNBOUND = recorded("unschedulable")
UNBOUND = replace(
    UNBOUND,
    conditions=tuple(
        replace(each, message='persistentvolumeclaim "data" not found. preemption: not helpful.')
        for each in UNBOUND.conditions
    ),
)
CREATED = event("SuccessfulCreate", f"Created pod: {recorded('running').name}", kind="Job")


def exit_code(name: str, code: int) -> PodFacts:
    pod = recorded(name)
    assert pod.test is not None
    return replace(pod, test=replace(pod.test, exit_code=code))


def with_init(name: str, state: str, **changes: Any) -> PodFacts:
    """A pod whose tests have not begun, and that has an init container of its own."""
    init = ContainerFacts("migrate", state, **changes)  # pyright: ignore[reportArgumentType] - one of the four
    waiting = ContainerFacts("test-runner", "waiting", reason="PodInitializing")
    return recorded(name, test=waiting, init=(init,))


def evicted_for(message: str, **changes: Any) -> PodFacts:
    """A pod that the kubelet evicted because its node ran short."""
    disruption = ConditionFacts(
        "DisruptionTarget", status=True, reason="TerminationByKubelet", message=message
    )
    values = {"reason": "Evicted", "message": message, "conditions": (disruption,), **changes}
    return recorded("killed", **values)


DISK_FILLED = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 4Gi. "
    "Container test-runner was using 9Gi, request is 0, has larger consumption of "
    "ephemeral-storage. "
)
DISK_FILLED_BY_OTHERS = DISK_FILLED.replace("using 9Gi", "using 24Ki")
WEBHOOK_SILENT = (
    'Error creating: Internal error occurred: failed calling webhook "pods.policy.example": failed '
    'to call webhook: Post "https://policy.policy-system.svc:443/mutate?timeout=10s": dial tcp '
    "10.96.3.7:443: connect: connection refused"
)

LOST_NODE = NodeFacts(
    "worker-3",
    is_heard_of=False,
    ready=ConditionFacts(
        "Ready",
        status=False,
        reason="NodeStatusUnknown",
        message="Kubelet stopped posting node status.",
        time="2026-11-23T09:00:50Z",
    ),
)
OUT_OF_MEMORY = ContainerFacts(
    "floe-tests-exporter", "terminated", reason="OOMKilled", exit_code=137
)
STARTED_AGAIN = ContainerFacts("floe-tests-exporter", "running", restarts=1, previous=OUT_OF_MEMORY)


JUDGED = JudgedFacts(achieved=(Evidence("soak", "achieved", "58 min of 60 min, completed"),))
RESTARTED = Evidence("pod/cube-1", "cube restarts", "1, 0 allowed in all", "2026-11-24T09:00:00Z")
GROWING = Evidence("cube", "memory growth", "300 MiB/h, at its limit in 2.0 h")
SLOWER = Evidence("lakehouse_ingest", "regression", "+20 %; commits a..b")
CUT_SHORT = Evidence("soak", "achieved", "3 min of 60 min, terminated")
FIRST_RUN = Evidence("soak", "compared with", "none yet: this is the first good run here")


@dataclass(frozen=True)
class Row:
    """A situation, and the verdict on it: whose fault, and the words of its first evidence."""

    facts: Facts
    cause: Cause
    fault: Fault
    evidence: str
    shown: tuple[str, ...] = field(default=())


ROWS: dict[str, Row] = {
    "green": Row(facts("green"), Cause.PASS, Fault.NONE, "test-runner exit code: 0"),
    "a test failed": Row(
        facts("exit-1", results=ONE_FAILED),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests.integration.test_runs::test_b outcome: failed",
    ),
    "a test failed and said why": Row(
        facts("exit-1", results=replace(ONE_FAILED, said=((ONE_FAILED.failures[0], "no route"),))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests.integration.test_runs::test_b outcome: failed: no route",
    ),
    "a test failed in quarantine": Row(
        facts("exit-1", results=QUARANTINED),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 1",
        shown=(
            "1 failed in quarantine",
            "test_b outcome: failed, quarantined",
            "exit code: 1 is explained by quarantined failures alone: ",
        ),
    ),
    "a test failed in quarantine, and the log has another reason for exit code 1": Row(
        facts("exit-1", results=replace(QUARANTINED, other_reasons=("FAIL Required coverage",))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test-runner exit code: 1",
        shown=("log: FAIL Required coverage",),
    ),
    "every test failed, all in quarantine": Row(
        facts("exit-1", results=replace(QUARANTINED, passed=0, skipped=3)),
        Cause.NO_TESTS,
        Fault.CONFIGURATION,
        "test-runner exit code: 1",
        shown=("3 skipped, 1 failed in quarantine, none passed",),
    ),
    "exit code 137, and a whole report with a failure": Row(
        facts("killed", results=replace(JUNIT_ALONE, passed=3, failed=1, failures=("t::a",))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "t::a outcome: failed",
        shown=("test-runner exit code: 137 (SIGKILL)",),
    ),
    "exit code 137, and a whole report without a failure": Row(
        facts("killed", results=JUNIT_ALONE),
        Cause.KILLED_UNKNOWN,
        Fault.RESOURCES,
        "test-runner exit code: 137",
    ),
    "a failure, and fewer tests than collected (two of one name), all received": Row(
        facts(
            "exit-1",
            results=replace(
                ONE_FAILED,
                complete=False,
                received=True,
                collected=5,
                problems=("4 of 5 collected tests were reported",),
            ),
        ),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests.integration.test_runs::test_b outcome: failed",
        shown=("4 of 5 collected tests were reported",),
    ),
    "a test failed in quarantine, and another one": Row(
        facts("exit-1", results=replace(QUARANTINED, failed=2, passed=2, failures=("t::other",))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "t::other outcome: failed",
    ),
    "a soak passed a hard limit, and something grew": Row(
        facts("green", judged=replace(JUDGED, broken=(RESTARTED,), drifts=(GROWING,))),
        Cause.SOAK_INVARIANT,
        Fault.PLATFORM,
        "cube restarts: 1",
        shown=("58 min of 60 min", "cube memory growth"),
    ),
    "something grew in a soak that was too short": Row(
        facts("green", judged=replace(JUDGED, drifts=(GROWING,), doubts=(CUT_SHORT,))),
        Cause.SOAK_DRIFT,
        Fault.PLATFORM,
        "cube memory growth",
    ),
    "a measurement became worse": Row(
        facts("green", judged=JudgedFacts(regressions=(SLOWER,))),
        Cause.REGRESSION,
        Fault.PLATFORM,
        "lakehouse_ingest regression: +20 %",
    ),
    "a soak was cancelled": Row(
        facts("green", cancelled="a newer run", judged=replace(JUDGED, broken=(RESTARTED,))),
        Cause.CANCELLED,
        Fault.CANCELLED,
        "cancelled: a newer run",
        shown=("58 min of 60 min", "cube restarts: 1"),
    ),
    "a soak was cut short": Row(
        facts("green", judged=replace(JUDGED, doubts=(CUT_SHORT,))),
        Cause.INCONCLUSIVE,
        Fault.UNKNOWN,
        "soak achieved: 3 min of 60 min",
        shown=("58 min of 60 min",),
    ),
    "a soak was well": Row(
        facts("green", judged=replace(JUDGED, notes=(FIRST_RUN,))),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 0",
        shown=("first good run", "58 min of 60 min"),
    ),
    "a test failed in a soak that also drifted": Row(
        facts("exit-1", results=ONE_FAILED, judged=replace(JUDGED, drifts=(GROWING,))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
        shown=("cube memory growth",),
    ),
    "a quarantine is past its last day": Row(
        facts("green", results=replace(COMPLETE, expired=("t::a: the quarantine ended",))),
        Cause.QUARANTINE_EXPIRED,
        Fault.CONFIGURATION,
        "quarantine: t::a: the quarantine ended",
    ),
    "tests of the last good run are not there": Row(
        facts("green", results=replace(COMPLETE, missing=(MISSING,), expired=("t::a: over",))),
        Cause.TESTS_MISSING,
        Fault.CONFIGURATION,
        "suite presence: 3 of the 7 tests of run 1 missing",
    ),
    "a test failed, and others are not there": Row(
        facts("exit-1", results=replace(ONE_FAILED, missing=(MISSING,))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests.integration.test_runs::test_b outcome: failed",
        shown=("suite presence: 3 of the 7 tests of run 1 missing",),
    ),
    "all passed, and nobody counted": Row(
        facts("green", results=replace(COMPLETE, collected=None)),
        Cause.PASS,
        Fault.NONE,
        "exit code: 0",
        shown=("collected count unknown",),
    ),
    "a program exits with its own code and reports no failure": Row(
        facts("exit-1"), Cause.TEST_FAILURE, Fault.TEST, "test-runner exit code: 1"
    ),
    "nine of ten failed": Row(
        facts("exit-1", results=replace(COMPLETE, reported=10, passed=1, failed=9)),
        Cause.SUSPECT_ENV,
        Fault.TEST,
        "9 of 10 tests failed",
    ),
    "pytest was interrupted": Row(
        facts("exit-2"), Cause.INTERRUPTED, Fault.TEST, "test-runner exit code: 2"
    ),
    "a shell found a syntax error, and no test tool ever began": Row(
        facts(
            "exit-2",
            results=ResultFacts(
                received=True, problems=("no result file",), last_words=("sh: unexpected EOF",)
            ),
        ),
        Cause.RESULT_LOST,
        Fault.TEST,
        "no result file",
        shown=("sh: unexpected EOF",),
    ),
    "pytest was interrupted, and a pipe hid its exit code": Row(
        facts("green", results=replace(COMPLETE, exit_status=2)),
        Cause.INTERRUPTED,
        Fault.TEST,
        "pytest's own exit status: 2",
        shown=("test-runner exit code: 0",),
    ),
    "pytest says that tests failed, and none of them arrived": Row(
        facts("green", results=replace(COMPLETE, exit_status=1)),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "pytest's own exit status: 1",
    ),
    "a program that is no pytest ends with exit code 2": Row(
        facts(
            "exit-2", results=replace(JUNIT_ALONE, passed=2, failed=2, failures=("t::a", "t::b"))
        ),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "t::a outcome: failed",
        shown=("exit code: 2",),
    ),
    "a test failed in an attempt that was killed, and passed in the next": Row(
        facts("green", results=replace(ONE_FAILED, failed_before=ONE_FAILED.failures)),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed in an earlier attempt",
    ),
    "a test ends its own pod in every attempt, after it has failed": Row(
        facts(
            recorded("running", vanished=True),
            results=replace(CUT_OFF, failed=1, failures=("t::a",), failed_again=("t::a",)),
        ),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "t::a outcome: failed in more than one attempt",
    ),
    "its failure is in quarantine": Row(
        facts(
            recorded("running", vanished=True),
            results=replace(
                CUT_OFF,
                failed=1,
                failures=("t::a",),
                failed_again=("t::a",),
                quarantined=("t::a",),
            ),
        ),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "deleted while it ran, and not by this run",
    ),
    "a shard ended with exit code 1 and no failure, and another has one in quarantine": Row(
        facts("exit-1", results=QUARANTINED, own_failed=0),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test-runner exit code: 1",
    ),
    "a tool that counts its failures in its exit code, all in quarantine": Row(
        facts(
            exit_code("exit-1", 2),
            results=replace(JUNIT_ALONE, failed=2, passed=2, quarantined=("t::a", "t::b")),
        ),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 2",
    ),
    "the session was over and red, then the node was drained": Row(
        facts("drained", results=replace(ONE_FAILED, complete=False, problems=("no manifest",))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
        shown=("no manifest",),
    ),
    "the session was over and red, then the kubelet evicted the pod": Row(
        facts(evicted_for("The node was low on resource: memory. "), results=ONE_FAILED),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
    ),
    "the session was over and red, then the pod was deleted": Row(
        facts(recorded("running", vanished=True), results=ONE_FAILED),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
    ),
    "the session was over and green, and the pod was gone before its exit code was seen": Row(
        facts(recorded("running", vanished=True)),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "deleted while it ran",
    ),
    "the session was over and red, then the program was killed": Row(
        facts("killed", results=ONE_FAILED),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
        shown=("exit code: 137 (SIGKILL)",),
    ),
    "the session was over and red, and the program hung": Row(
        facts("running", results=ONE_FAILED, passed_deadline="tests"),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
    ),
    "a test was killed by its own memory access": Row(
        facts(exit_code("exit-1", 139), results=LEFT),
        Cause.TEST_CRASH,
        Fault.TEST,
        "test-runner exit code: 139 (SIGSEGV)",
        shown=("test_c state: was running", "2 of 4 reported"),
    ),
    "a crash loses results on their way as well": Row(
        facts(exit_code("exit-1", 134), results=CUT_OFF),
        Cause.TEST_CRASH,
        Fault.TEST,
        "test-runner exit code: 134 (SIGABRT)",
    ),
    "every test passed, and the program crashed on its way out": Row(
        facts(exit_code("exit-1", 139)),
        Cause.TEST_CRASH,
        Fault.TEST,
        "test-runner exit code: 139 (SIGSEGV)",
    ),
    "a test left the program with exit code 0": Row(
        facts("green", results=LEFT),
        Cause.TEST_CRASH,
        Fault.TEST,
        "left before its session was over",
        shown=("test_c state: was running", "exit code: 0"),
    ),
    "JUnit declares more tests than it has": Row(
        facts(
            "green",
            results=replace(
                JUNIT_ALONE, complete=False, reported=1, passed=1, problems=("declares 5, has 1",)
            ),
        ),
        Cause.RESULT_LOST,
        Fault.TEST,
        "results: declares 5, has 1",
    ),
    "a JUnit file without a test": Row(
        facts("green", results=ResultFacts(complete=True, received=True, has_result_file=True)),
        Cause.NO_TESTS,
        Fault.CONFIGURATION,
        "exit code: 0",
    ),
    "an init container failed": Row(
        facts(
            with_init(
                "exit-1",
                "terminated",
                reason="Error",
                exit_code=1,
                last_words="connecting\nmigration failed\n",
            ),
            results=NOTHING,
        ),
        Cause.INIT_FAILED,
        Fault.TEST,
        "init container migrate: exit code 1: connecting | migration failed",
    ),
    "an init container ran out of memory": Row(
        facts(
            with_init("exit-1", "terminated", reason="OOMKilled", exit_code=137), results=NOTHING
        ),
        Cause.RESOURCE_OOM,
        Fault.RESOURCES,
        "container migrate terminated: OOMKilled",
    ),
    "an init container never ends": Row(
        facts(with_init("running", "running"), results=NOTHING, passed_deadline="start"),
        Cause.INIT_FAILED,
        Fault.TEST,
        "init container migrate: still runs, and the tests wait for it",
    ),
    "an init container's image cannot be pulled": Row(
        facts(
            with_init("running", "waiting", reason="ImagePullBackOff", message="not found"),
            results=NOTHING,
            passed_deadline="image",
        ),
        Cause.INFRA_IMAGE,
        Fault.INFRASTRUCTURE,
        "container migrate waiting: ImagePullBackOff: not found",
    ),
    "a claim that the pod names is missing": Row(
        facts(UNBOUND, results=NOTHING, passed_deadline="start"),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        'persistentvolumeclaim "data" not found',
    ),
    "a queue never let the Job begin": Row(
        facts(results=NOTHING, passed_deadline="queue", suspended="by Kueue, in queue team-a"),
        Cause.INFRA_CAPACITY,
        Fault.INFRASTRUCTURE,
        f"{SUBJECT} suspended: by Kueue, in queue team-a",
    ),
    "a queue took the Job's room back": Row(
        facts(
            recorded("running", vanished=True), results=CUT_OFF, suspended="by Kueue, in queue a"
        ),
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        f"{SUBJECT} suspended: by Kueue, in queue a",
    ),
    "a queue took the Job's room back, and gave it again before anybody looked": Row(
        facts(
            recorded("running", vanished=True),
            results=CUT_OFF,
            events=(
                event("Suspended", "Job suspended", kind="Job"),
                CREATED,
                event("Suspended", "Job suspended", kind="Job"),
            ),
        ),
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "event Suspended: Job suspended",
    ),
    "a Job that was suspended before it had a pod lost it later": Row(
        facts(
            recorded("running", vanished=True),
            results=CUT_OFF,
            events=(event("Suspended", "Job suspended", kind="Job"), CREATED),
        ),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "deleted while it ran, and not by this run",
    ),
    "an admission webhook does not answer": Row(
        facts(results=NOTHING, events=(event("FailedCreate", WEBHOOK_SILENT, kind="Job"),)),
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "webhook pods.policy.example answer: none",
    ),
    "the namespace is going away": Row(
        facts(
            results=NOTHING,
            events=(
                event(
                    "FailedCreate",
                    'pods "x" is forbidden: unable to create new content in namespace a because '
                    "it is being terminated",
                    kind="Job",
                ),
            ),
        ),
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "it is being terminated",
    ),
    "the tests filled their node's disk": Row(
        facts(evicted_for(DISK_FILLED, volumes=("results", "tmp")), results=CUT_OFF),
        Cause.RESOURCE_EVICTED,
        Fault.RESOURCES,
        "container test-runner: used 9Gi of the node's ephemeral-storage",
        shown=("emptyDir results, tmp", "Threshold quantity: 10Gi"),
    ),
    "the tests filled the volume of their results": Row(
        facts("exit-1", results=replace(LEFT, free_bytes=0)),
        Cause.RESOURCE_DISK,
        Fault.RESOURCES,
        "volume of /results: full: 0 bytes are free",
    ),
    "somebody else filled the node's disk": Row(
        facts(evicted_for(DISK_FILLED_BY_OTHERS), results=CUT_OFF),
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "condition DisruptionTarget: TerminationByKubelet",
    ),
    "a sidecar died and was started again, and every test passed": Row(
        facts(
            recorded(
                "green",
                init=(
                    ContainerFacts(
                        "proxy",
                        "running",
                        restarts=1,
                        previous=ContainerFacts("proxy", "terminated", "OOMKilled", exit_code=137),
                    ),
                ),
            )
        ),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 0",
        shown=("sidecar proxy: exit code 137 (SIGKILL), OOMKilled, restarted 1 times",),
    ),
    "a sidecar was ended after the tests": Row(
        facts(
            recorded(
                "green",
                init=(ContainerFacts("proxy", "terminated", "OOMKilled", exit_code=137),),
            )
        ),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 0",
    ),
    "a sidecar failed at its end, and every test passed": Row(
        facts(
            recorded(
                "green",
                init=(
                    ContainerFacts(
                        "db",
                        "terminated",
                        "Error",
                        exit_code=1,
                        started=False,
                        last_words="2 checks failed",
                    ),
                    ContainerFacts("proxy", "terminated", "Error", exit_code=143, started=False),
                ),
            )
        ),
        Cause.PASS,
        Fault.NONE,
        "test-runner exit code: 0",
        shown=("sidecar db: exit code 1: 2 checks failed",),
    ),
    "a service beside the tests died, and a test failed": Row(
        facts(
            recorded(
                "exit-1",
                others=(
                    ContainerFacts(
                        "kafka", "terminated", reason="Error", exit_code=3, last_words="no disk"
                    ),
                ),
            ),
            results=ONE_FAILED,
        ),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
        shown=("container kafka: exit code 3: no disk",),
    ),
    "a test ended the session with exit code 0": Row(
        facts(
            "green",
            results=replace(COMPLETE, collected=None, exit_status=0, in_flight=("t::leaves",)),
        ),
        Cause.INTERRUPTED,
        Fault.TEST,
        "t::leaves state: was running",
    ),
    "137 tests failed, and the tool's exit code is their number": Row(
        facts("killed", results=replace(JUNIT_ALONE, reported=9, failed=137, failures=("t::a",))),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "t::a outcome: failed",
    ),
    "more was reported than collected, and a test failed": Row(
        facts(
            "exit-1",
            results=replace(ONE_FAILED, complete=False, collected=2, problems=("4 of 2",)),
        ),
        Cause.TEST_FAILURE,
        Fault.TEST,
        "test_b outcome: failed",
        shown=("4 of 2",),
    ),
    "pytest crashed": Row(
        facts("exit-3", results=CUT_OFF), Cause.TEST_CRASH, Fault.TEST, "exit code: 3"
    ),
    "pytest does not know its options": Row(
        facts("exit-4", results=NOTHING), Cause.CONFIG, Fault.CONFIGURATION, "exit code: 4"
    ),
    "pytest found no test": Row(
        facts("exit-5", results=NOTHING), Cause.NO_TESTS, Fault.CONFIGURATION, "exit code: 5"
    ),
    "another program found no test": Row(
        facts("green", results=ResultFacts(complete=True, collected=0)),
        Cause.NO_TESTS,
        Fault.CONFIGURATION,
        "exit code: 0",
    ),
    "green tests without proof": Row(
        facts("green", results=CUT_OFF),
        Cause.RESULT_LOST,
        Fault.HARNESS,
        "the exporter sent no manifest",
        ("tests.integration.test_runs::test_c state: was running", "2 of 4 reported"),
    ),
    "a missing result without a stated problem": Row(
        facts("green", results=ResultFacts()),
        Cause.RESULT_LOST,
        Fault.HARNESS,
        "no test result arrived",
    ),
    "tests out of memory": Row(
        facts("out-of-memory", results=CUT_OFF),
        Cause.RESOURCE_OOM,
        Fault.RESOURCES,
        "container test-runner terminated: OOMKilled, exit code 137 at 2026-11-23T09:00:11",
        ("tests.integration.test_runs::test_c state: was running",),
    ),
    "exporter out of memory": Row(
        facts("exporter-out-of-memory", results=CUT_OFF),
        Cause.HARNESS,
        Fault.HARNESS,
        "container floe-tests-exporter terminated: OOMKilled",
    ),
    "killed, nobody knows by whom": Row(
        facts("killed", results=CUT_OFF),
        Cause.KILLED_UNKNOWN,
        Fault.RESOURCES,
        "test-runner exit code: 137",
        ("tests.integration.test_runs::test_c state: was running",),
    ),
    "evicted for its own disk": Row(
        facts("evicted-for-its-disk", results=CUT_OFF),
        Cause.RESOURCE_EVICTED,
        Fault.RESOURCES,
        'Evicted: Usage of EmptyDir volume "results" exceeds the limit',
    ),
    "drained": Row(
        facts("drained", results=CUT_OFF),
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "condition DisruptionTarget: EvictionByEvictionAPI",
    ),
    "no room on any node": Row(
        facts("unschedulable", results=NOTHING, passed_deadline="start"),
        Cause.INFRA_CAPACITY,
        Fault.INFRASTRUCTURE,
        "condition PodScheduled: Unschedulable: 0/1 nodes are available: 1 Insufficient memory",
        ("start deadline of 300 s passed",),
    ),
    "image cannot be pulled": Row(
        facts(
            "image-cannot-be-pulled",
            results=NOTHING,
            passed_deadline="image",
            events=(event("Failed", "Failed to pull image: not found"),),
        ),
        Cause.INFRA_IMAGE,
        Fault.INFRASTRUCTURE,
        "container test-runner waiting: ImagePullBackOff: Back-off pulling image",
        ("Failed to pull image: not found",),
    ),
    "the exporter's image cannot be pulled": Row(
        facts("exporter-image-cannot-be-pulled", results=NOTHING, passed_deadline="image"),
        Cause.INFRA_IMAGE,
        Fault.INFRASTRUCTURE,
        "container floe-tests-exporter waiting: ErrImagePull",
    ),
    "image name is invalid": Row(
        facts("image-name-is-invalid", results=NOTHING),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "container test-runner waiting: InvalidImageName",
    ),
    "a ConfigMap is missing": Row(
        facts("configmap-is-missing", results=NOTHING),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        'CreateContainerConfigError: configmap "floe-settings" not found',
    ),
    "the command is not in the image": Row(
        facts("command-is-not-there", results=NOTHING),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "StartError, exit code 128: failed to create containerd task",
    ),
    "admission refuses the pod": Row(
        facts(
            results=NOTHING,
            events=(
                event(
                    "FailedCreate",
                    'Error creating: pods "x" is forbidden: violates PodSecurity "restricted"',
                    kind="Job",
                ),
            ),
        ),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        'job/integration-1a2b3c4d-1 event FailedCreate: Error creating: pods "x" is forbidden',
    ),
    "the node refuses the pod": Row(
        facts("refused-by-its-node", results=NOTHING),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "UnexpectedAdmissionError: Pod was rejected",
    ),
    "the node is lost": Row(
        facts("node-lost", results=CUT_OFF),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "NodeLost: Node worker-3 which was running pod",
    ),
    "the kubelet has gone silent": Row(
        facts("phase-unknown", results=CUT_OFF),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "status.phase: Unknown",
    ),
    "somebody deleted the pod": Row(
        facts(
            results=CUT_OFF,
            pod=recorded("running", vanished=True),
            events=(event("Killing", "Stopping container test-runner"),),
        ),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "deleted while it ran, and not by this run",
        ("Stopping container test-runner", "test_c state: was running"),
    ),
    "somebody deleted the pod, and it had time to end": Row(
        facts(results=CUT_OFF, pod=recorded("killed", deleted_at="2026-11-23T09:00:05+00:00")),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "metadata.deletionTimestamp: deleted while it ran",
    ),
    "evicted by its node, which says so a second after the end": Row(
        facts(
            results=CUT_OFF,
            pod=recorded(
                "killed",
                reason="Evicted",
                message="The node was low on resource: memory.",
                conditions=(
                    ConditionFacts(
                        "DisruptionTarget",
                        status=True,
                        reason="TerminationByKubelet",
                        time="2026-11-23T10:00:00Z",
                    ),
                ),
            ),
        ),
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "condition DisruptionTarget: TerminationByKubelet",
        ("The node was low on resource: memory.",),
    ),
    "the node has stopped": Row(
        facts("running", results=CUT_OFF, node=LOST_NODE),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "node/worker-3 condition Ready: NodeStatusUnknown: Kubelet stopped posting",
        ("tests.integration.test_runs::test_c state: was running", "2 of 4 reported"),
    ),
    "the node is no more": Row(
        facts("running", results=CUT_OFF, node=NodeFacts("worker-3", exists=False)),
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "node/worker-3 metadata: the cluster has it no more",
    ),
    "the exporter ran out of memory and was started again too late": Row(
        facts(
            results=CUT_OFF,
            pod=recorded("exit-1", exporter=STARTED_AGAIN),
        ),
        Cause.HARNESS,
        Fault.HARNESS,
        "container floe-tests-exporter terminated: OOMKilled, exit code 137",
        ("2 of 4 reported",),
    ),
    "ended from outside, nobody knows by whom": Row(
        facts(results=CUT_OFF, pod=exit_code("killed", 143)),
        Cause.KILLED_UNKNOWN,
        Fault.RESOURCES,
        "test-runner exit code: 143",
    ),
    "a volume does not mount": Row(
        facts(
            "volume-does-not-mount",
            results=NOTHING,
            passed_deadline="start",
            events=(event("FailedMount", 'secret "tls" not found'),),
        ),
        Cause.INFRA_START,
        Fault.INFRASTRUCTURE,
        "start deadline of 300 s passed",
        ('secret "tls" not found', "container test-runner waiting: ContainerCreating"),
    ),
    "no pod was ever made": Row(
        facts(results=NOTHING, passed_deadline="start"),
        Cause.INFRA_START,
        Fault.INFRASTRUCTURE,
        "start deadline of 300 s passed",
    ),
    "the suite passed its deadline": Row(
        facts("running", results=CUT_OFF, passed_deadline="tests"),
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "tests deadline of 240 s passed",
        ("tests.integration.test_runs::test_c state: was running", "2 of 4 reported"),
    ),
    "the pod passed its deadline": Row(
        facts("past-the-pods-deadline", results=CUT_OFF),
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "pod deadline of 270 s passed",
    ),
    "the Job passed its deadline": Row(
        facts("running", results=CUT_OFF, job_conditions=JOB_TOOK_TOO_LONG),
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "deadline",
    ),
    "the suite's own timeout ended it": Row(
        facts("exit-1", results=CUT_OFF, tests_seconds=241.0),
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "seconds of the tests: 241, the deadline is 240",
    ),
    "cancelled": Row(
        facts("running", results=CUT_OFF, cancelled="superseded by run 9f8e7d6c"),
        Cause.CANCELLED,
        Fault.CANCELLED,
        f"{SUBJECT} cancelled: superseded by run 9f8e7d6c",
        ("2 of 4 reported",),
    ),
    "a wrong setting": Row(
        facts(error=ErrorFacts("configuration", "no such context")),
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "no such context",
    ),
    "no cluster": Row(
        facts(error=ErrorFacts("infrastructure", "kind ended with exit code 1")),
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "kind ended with exit code 1",
    ),
    "no platform": Row(
        facts(
            error=ErrorFacts(
                "platform",
                "release floe-platform: webserver did not come up",
                (Evidence("pod/webserver-5d", "status", "CrashLoopBackOff"),),
            )
        ),
        Cause.PLATFORM_FAIL,
        Fault.PLATFORM,
        "release floe-platform: webserver did not come up",
        ("pod/webserver-5d status: CrashLoopBackOff",),
    ),
    "left-overs": Row(
        facts(error=ErrorFacts("cleanup", "namespace floe-test-1a2b3c4d is still there")),
        Cause.CLEANUP_FAIL,
        Fault.INFRASTRUCTURE,
        "namespace floe-test-1a2b3c4d is still there",
    ),
    "our own mistake": Row(
        facts(error=ErrorFacts("harness", "KeyError: 'metadata'")),
        Cause.HARNESS,
        Fault.HARNESS,
        "KeyError: 'metadata'",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_each_situation_has_its_cause_fault_and_evidence(row: Row):
    verdict = classify(row.facts)

    assert (verdict.cause, verdict.fault) == (row.cause, row.fault), str(verdict)
    assert row.evidence in str(verdict.evidence[0])
    shown = "\n".join(map(str, verdict.evidence))
    assert all(words in shown for words in row.shown), shown
    assert verdict.remedy


def deciding_rule(found: Facts) -> Rule:
    return next(rule for rule in RULES if rule.find(found))


@pytest.mark.parametrize(
    "rule", RULES, ids=[f"{number} {rule.cause}" for number, rule in enumerate(RULES, start=1)]
)
def test_each_rule_decides_a_situation_of_this_table(rule: Rule):
    assert any(deciding_rule(row.facts) is rule for row in ROWS.values())


def test_every_cause_is_given_by_a_rule():
    assert {rule.cause for rule in RULES} == set(Cause)


def test_only_infrastructure_and_an_unexplained_kill_are_tried_again():
    retried = {rule.cause for rule in RULES if rule.retries}
    of_infrastructure = {rule.cause for rule in RULES if rule.fault is Fault.INFRASTRUCTURE}

    assert retried - of_infrastructure == {Cause.KILLED_UNKNOWN}
    assert max(rule.retries for rule in RULES) <= 3
    assert all(rule.retries <= 1 for rule in RULES if rule.cause is Cause.KILLED_UNKNOWN)


def test_what_would_befall_every_shard_is_not_tried_again():
    assert {rule.retries for rule in RULES if rule.cause in HOPELESS} == {0}


def test_what_tests_decide_is_nobody_elses_fault():
    faults = {rule.fault for rule in RULES if rule.cause in BY_TESTS}

    assert faults == {Fault.NONE, Fault.TEST}


WINNERS: dict[str, tuple[Facts, Cause]] = {
    "cancelled beats an error of ours": (
        facts(cancelled="SIGTERM", error=ErrorFacts("harness", "thread died")),
        Cause.CANCELLED,
    ),
    "cancelled beats out of memory": (
        facts("out-of-memory", cancelled="SIGTERM", results=CUT_OFF),
        Cause.CANCELLED,
    ),
    "cancelled beats green": (facts("green", cancelled="SIGTERM"), Cause.CANCELLED),
    "cancelled beats a passed deadline": (
        facts("running", cancelled="SIGTERM", passed_deadline="tests", results=CUT_OFF),
        Cause.CANCELLED,
    ),
    "an error of the cluster beats what the pod last showed": (
        facts("exit-1", error=ErrorFacts("infrastructure", "API gone"), results=ONE_FAILED),
        Cause.INFRA_CLUSTER,
    ),
    "out of memory beats exit code 137": (
        facts("out-of-memory", results=CUT_OFF),
        Cause.RESOURCE_OOM,
    ),
    "out of memory beats lost results": (
        facts("out-of-memory", results=NOTHING),
        Cause.RESOURCE_OOM,
    ),
    "the exporter's memory beats the results it lost": (
        facts("exporter-out-of-memory", results=NOTHING),
        Cause.HARNESS,
    ),
    "a disruption beats exit code 137": (
        facts("drained", results=CUT_OFF),
        Cause.INFRA_DISRUPTED,
    ),
    "a disruption beats eviction: the node was short, not the pod": (
        facts("evicted-by-its-node", results=CUT_OFF),
        Cause.INFRA_DISRUPTED,
    ),
    "eviction beats exit code 137": (
        facts("evicted-for-its-disk", results=CUT_OFF),
        Cause.RESOURCE_EVICTED,
    ),
    "a deadline beats the 137 that it causes": (
        facts("past-the-pods-deadline", results=CUT_OFF),
        Cause.TEST_TIMEOUT,
    ),
    "an image that cannot be pulled beats the start deadline": (
        facts("image-cannot-be-pulled", results=NOTHING, passed_deadline="start"),
        Cause.INFRA_IMAGE,
    ),
    "a wrong image name beats the start deadline": (
        facts("image-name-is-invalid", results=NOTHING, passed_deadline="start"),
        Cause.CONFIG,
    ),
    "no room beats a late start": (
        facts("unschedulable", results=NOTHING, passed_deadline="start"),
        Cause.INFRA_CAPACITY,
    ),
    "no tests beats lost results": (facts("exit-5", results=NOTHING), Cause.NO_TESTS),
    "a crash of pytest beats lost results": (facts("exit-3", results=NOTHING), Cause.TEST_CRASH),
    "lost results beat a failing test": (
        facts(
            "exit-1",
            results=replace(
                ONE_FAILED,
                complete=False,
                received=False,
                problems=("gap",),
                session_finished=False,
                reported=3,
            ),
        ),
        Cause.RESULT_LOST,
    ),
    "failures of a session that is over beat a file that is lost": (
        facts(
            "green",
            results=replace(ONE_FAILED, complete=False, problems=("gap",), exit_status=1),
        ),
        Cause.TEST_FAILURE,
    ),
    "a disk that the tests filled beats the disruption that it led to": (
        facts(evicted_for(DISK_FILLED), results=CUT_OFF),
        Cause.RESOURCE_EVICTED,
    ),
    "an init container that failed beats the start deadline": (
        facts(
            with_init("exit-1", "terminated", exit_code=1),
            results=NOTHING,
            passed_deadline="start",
        ),
        Cause.INIT_FAILED,
    ),
    "a program that left early beats its results that are not all": (
        facts("green", results=LEFT),
        Cause.TEST_CRASH,
    ),
    "a suspect environment beats the single failures": (
        facts("exit-1", results=replace(COMPLETE, reported=10, passed=2, failed=8)),
        Cause.SUSPECT_ENV,
    ),
    "a failing test beats exit code 0": (facts("green", results=ONE_FAILED), Cause.TEST_FAILURE),
}


@pytest.mark.parametrize(("found", "winner"), WINNERS.values(), ids=WINNERS.keys())
def test_of_two_rules_that_apply_the_more_certain_wins(found: Facts, winner: Cause):
    assert sum(bool(rule.find(found)) for rule in RULES) > 1, "this situation decides nothing"
    assert classify(found).cause is winner


@pytest.mark.parametrize(
    ("reported", "failed", "skipped", "cause"),
    [
        pytest.param(10, 8, 0, Cause.SUSPECT_ENV, id="80 % of ten"),
        pytest.param(10, 7, 0, Cause.TEST_FAILURE, id="70 % of ten"),
        pytest.param(9, 9, 0, Cause.TEST_FAILURE, id="all of nine: too few to suspect"),
        pytest.param(12, 8, 2, Cause.SUSPECT_ENV, id="80 % of those that were not skipped"),
    ],
)
def test_the_environment_is_suspected_from_80_percent_of_ten_tests_on(
    reported: int, failed: int, skipped: int, cause: Cause
):
    passed = reported - failed - skipped
    results = replace(COMPLETE, reported=reported, passed=passed, failed=failed, skipped=skipped)

    assert classify(facts("exit-1", results=results)).cause is cause


def test_a_run_of_skipped_tests_alone_proves_nothing_and_is_not_green():
    """A suite that needs a cluster skips all of its tests on `local`; 0 of 0 failed is no share."""
    results = replace(COMPLETE, collected=12, reported=12, passed=0, skipped=12)

    assert classify(facts("green", results=results)).cause is Cause.NO_TESTS


def test_a_slow_suite_that_said_it_was_done_is_no_timeout():
    assert classify(facts("green", tests_seconds=241.0)).cause is Cause.PASS


def test_facts_that_no_rule_knows_are_our_fault_and_red():
    verdict = classify(facts("container-says-nothing"))

    assert (verdict.cause, verdict.passed) == (Cause.HARNESS, False)
    assert "no rule applies" in str(verdict)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("green", Outcome.PASSED),
        ("cancelled", Outcome.CANCELLED),
        ("a test failed", Outcome.FAILED),
    ],
)
def test_a_gate_sees_green_red_or_cancelled(name: str, outcome: Outcome):
    assert classify(ROWS[name].facts).outcome is outcome


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(recorded("green", exporter=STARTED_AGAIN), id="exporter started again"),
        # Whoever deletes a pod whose tests have ended takes nothing from them.
        pytest.param(recorded("green", deleted_at="2026-11-23T09:01:05+00:00"), id="deleted after"),
        pytest.param(
            recorded(
                "green",
                conditions=(
                    ConditionFacts("DisruptionTarget", status=True, time="2026-11-23T09:01:05Z"),
                ),
            ),
            id="drained after",
        ),
    ],
)
def test_what_befalls_a_pod_whose_results_are_whole_takes_nothing_from_them(pod: PodFacts):
    assert classify(facts(pod)).cause is Cause.PASS


def test_a_verdict_names_the_attempts_before_it():
    drained = str(classify(ROWS["drained"].facts))
    verdict = replace(classify(ROWS["green"].facts), earlier=(drained,))

    assert str(verdict).startswith("PASS; attempt 1 was INFRA_DISRUPTED (infrastructure): pod/")


def test_a_verdict_is_one_line_with_its_first_evidence():
    assert str(classify(ROWS["green"].facts)) == "PASS"
    assert str(classify(ROWS["a test failed"].facts)) == (
        "TEST_FAILURE (test): tests.integration.test_runs::test_b outcome: failed"
    )


def results_of_any_kind() -> st.SearchStrategy[ResultFacts]:
    few = st.integers(min_value=0, max_value=12)
    return st.builds(
        ResultFacts,
        complete=st.booleans(),
        problems=st.sampled_from([(), ("gap",)]),
        collected=st.none() | few,
        reported=few,
        passed=few,
        failed=few,
        skipped=few,
        in_flight=st.sampled_from([(), ("a::b",)]),
        session_finished=st.booleans(),
        exit_status=st.sampled_from([None, 0, 1, 2, 5]),
        has_events=st.booleans(),
        ends_early=st.booleans(),
        received=st.booleans(),
        started=st.booleans(),
    )


@given(
    pod=st.none() | st.sampled_from(sorted(RECORDED)),
    vanished=st.booleans(),
    results=results_of_any_kind(),
    cancelled=st.sampled_from([None, "SIGTERM"]),
    error=st.sampled_from([None, ErrorFacts("platform", "crash"), ErrorFacts("cleanup", "stays")]),
    deadline=st.sampled_from([None, "start", "image", "tests", "pod", "job"]),
)
@example(pod="green", vanished=False, results=COMPLETE, cancelled=None, error=None, deadline=None)
def test_green_always_means_exit_code_0_and_complete_results(
    pod: str | None,
    vanished: bool,  # noqa: FBT001 - drawn
    results: ResultFacts,
    cancelled: str | None,
    error: ErrorFacts | None,
    deadline: Any,
):
    found = facts(
        pod=recorded(pod, vanished=vanished) if pod else None,
        results=results,
        cancelled=cancelled,
        error=error,
        passed_deadline=deadline,
    )

    verdict = classify(found)

    assert verdict.evidence, "a verdict without evidence is a claim"
    if verdict.passed:
        assert found.pod is not None
        assert found.pod.test is not None
        assert found.pod.test.exit_code == 0
        assert (results.complete, results.failed) == (True, 0)
        assert results.exit_status in {None, 0}
        assert results.reported > 0
        assert (cancelled, error, deadline) == (None, None, None)
    if results == COMPLETE and pod == "green" and not (vanished or cancelled or error or deadline):
        assert verdict.passed
