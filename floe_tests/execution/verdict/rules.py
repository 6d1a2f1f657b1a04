"""The verdict: whose fault a red run is, by fixed rules, with the evidence.

One table, read from the top; the first rule that finds evidence decides. What is most certain
stands first: a cancelled run is cancelled whatever else it shows, and a test is blamed last, when
nothing else explains the failure and the results are proved complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import FAULTS, MOST_RETRIES, Cause, Fault, Verdict
from floe_tests.execution.verdict.evidence import disruption, program, resources, results, start
from floe_tests.execution.verdict.facts import Facts


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes:
        cause: The verdict's name.
        fault: Whose fault it is.
        when: The rule in words, for the documentation.
        remedy: What to do next.
        find: Looks for the evidence; none means that the rule does not apply.
        looks_at: Object and field that the evidence comes from, for the documentation.
        retries: How many fresh attempts are allowed; infrastructure alone has any, and, once, a
            kill that nothing explains.
    """

    cause: Cause
    fault: Fault
    when: str
    remedy: str
    find: Callable[[Facts], Sequence[Evidence]] = field(repr=False)
    looks_at: str = ""
    retries: int = 0

    def __post_init__(self) -> None:
        """Hold the row to the words of a verdict."""
        if self.fault not in FAULTS[self.cause] or not 0 <= self.retries <= MOST_RETRIES:
            message = f"{self.cause}: core/verdict.py allows no such fault or number of retries."
            raise ValueError(message)


def classify(facts: Facts) -> Verdict:
    """Return the verdict on one attempt.

    Args:
        facts: What was observed.

    Returns:
        The verdict of the first rule that finds evidence.
    """
    for rule in RULES:
        evidence = tuple(rule.find(facts))
        if evidence:
            # Whatever ended it: what it had reported until then is said.
            more = [each for each in results.besides(facts) if each not in evidence]
            return Verdict(
                cause=rule.cause,
                fault=rule.fault,
                evidence=(*evidence, *more),
                remedy=rule.remedy,
                retries=rule.retries,
            )
    return Verdict(
        cause=Cause.HARNESS,
        fault=Fault.HARNESS,
        evidence=(Evidence(subject=facts.subject, field="facts", value="no rule applies"),),
        remedy="Report this run with its facts: the table of verdicts has a gap.",
    )


RULES: tuple[Rule, ...] = (
    Rule(
        Cause.CANCELLED,
        Fault.CANCELLED,
        "the run was cancelled: a signal, the UI, a newer run on the same ref",
        "Start it again if its result is still wanted.",
        results.cancelled,
        looks_at="the run's own record, stamped on the Job as annotation `floe-tests/cancelled`",
    ),
    Rule(
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "a setting, the test-job.yaml or an argument is wrong",
        "Correct what the message names; nothing was run.",
        results.error_of("configuration"),
        looks_at="the error that ended the stage",
    ),
    Rule(
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "the cluster could not be created, or its API stayed unreachable",
        "Look at the machine and the cluster: memory, disk, Docker; then start the run again.",
        results.error_of("infrastructure"),
        looks_at="the error that ended the stage",
        retries=1,
    ),
    Rule(
        Cause.PLATFORM_FAIL,
        Fault.PLATFORM,
        "what the tier installs did not come up: a chart's pods crash or never become ready",
        "Read the events and logs of the component named in the evidence.",
        results.error_of("platform"),
        looks_at="the pods of the release: container states, events, last log lines",
    ),
    Rule(
        Cause.CLEANUP_FAIL,
        Fault.INFRASTRUCTURE,
        "something the run created could not be removed",
        "Remove it with the command in the message.",
        results.error_of("cleanup"),
        looks_at="what is still there at the deadline",
    ),
    Rule(
        Cause.HARNESS,
        Fault.HARNESS,
        "this project's own machinery failed",
        "Report it with the run's log.",
        results.error_of("harness"),
        looks_at="the error that ended the stage",
    ),
    Rule(
        Cause.INFRA_CLUSTER,
        Fault.INFRASTRUCTURE,
        "the cluster could not admit the pod for a trouble of its own: an admission webhook does "
        "not answer, the namespace is going away",
        "Look at the webhook or the namespace named in the evidence.",
        start.webhook,
        looks_at="events `FailedCreate` of the Job (`failed calling webhook`)",
        retries=1,
    ),
    Rule(
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "the pod can never run: image name invalid, ConfigMap, Secret or PersistentVolumeClaim "
        "missing, command not found, or admission refused it (Pod Security, quota)",
        "Correct test-job.yaml or what it refers to.",
        start.container_config,
        looks_at="container state `waiting.reason`, `terminated.reason` of a container that could "
        "not start, events `FailedCreate` of the Job, what the scheduler says of a claim",
    ),
    Rule(
        Cause.INFRA_IMAGE,
        Fault.INFRASTRUCTURE,
        "the image could not be pulled within its deadline",
        "Check that the image is in the registry (IMAGE_REGISTRY_PREFIX) and that the node reaches "
        "it.",
        start.image,
        looks_at="container state `waiting.reason` (`ErrImagePull`, `ImagePullBackOff`), events "
        "`Failed`",
    ),
    Rule(
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "the node refused the pod before it ran (admission, affinity, shutdown)",
        "Nothing ran; a fresh attempt is free.",
        start.node_refused,
        looks_at="pod `status.reason` (`UnexpectedAdmissionError`, `NodeAffinity`, `NodeShutdown`, "
        "`OutOfcpu`, …)",
        retries=3,
    ),
    Rule(
        Cause.RESOURCE_EVICTED,
        Fault.RESOURCES,
        "the pod filled the disk of its node, and was evicted: without what it used, the node "
        "would have had enough",
        "Make the tests write less, or set resources.limits.ephemeral-storage and a sizeLimit on "
        "the volumes named in the evidence.",
        resources.filled_disk,
        looks_at="pod `status.message`: the resource, the threshold, and what each container used",
    ),
    Rule(
        Cause.TEST_FAILURE,
        Fault.TEST,
        "the same tests, none of them in quarantine, failed in more than one attempt, whatever "
        "ended these attempts",
        "Read the failures. A test that ends its own pod, or its node, looks like this as well.",
        results.failed_again,
        looks_at="the tests' outcomes in every attempt",
    ),
    Rule(
        Cause.INFRA_DISRUPTED,
        Fault.INFRASTRUCTURE,
        "the cluster took the pod away (condition DisruptionTarget: drain, preemption, eviction by "
        "API; or a queue that suspended its Job again)",
        "A fresh attempt; if it repeats, keep the node from being drained while tests run.",
        disruption.disrupted,
        looks_at="pod condition `DisruptionTarget` with its reason, unless the tests were over: "
        "their session is complete, or the API reported their end first",
        retries=3,
    ),
    Rule(
        Cause.RESOURCE_EVICTED,
        Fault.RESOURCES,
        "the kubelet evicted the pod for what it used (memory, disk)",
        "Raise the limit named in the evidence, or make the tests use less.",
        disruption.evicted,
        looks_at="pod `status.reason` `Evicted` without that condition, and its message",
    ),
    Rule(
        Cause.INFRA_NODE,
        Fault.INFRASTRUCTURE,
        "the pod was deleted by somebody else, or its node is lost",
        "Look at the node; a fresh attempt runs on another.",
        disruption.vanished,
        looks_at="the pod's absence or `metadata.deletionTimestamp`; the node's condition `Ready` "
        "is `Unknown`; pod `status.reason` `NodeLost`",
        retries=3,
    ),
    Rule(
        Cause.HARNESS,
        Fault.HARNESS,
        "the exporter ran out of memory",
        "Report it with the sizes of the files in /results.",
        resources.exporter_oom,
        looks_at="exporter's state or last state `terminated.reason` `OOMKilled`, and results not "
        "complete",
    ),
    Rule(
        Cause.RESOURCE_OOM,
        Fault.RESOURCES,
        "the test container, or an init container, ran out of memory (OOMKilled)",
        "Raise resources.limits.memory in test-job.yaml, or make the test that was running use "
        "less.",
        resources.out_of_memory,
        looks_at="container state `terminated.reason` `OOMKilled`, and the tests that were running",
    ),
    Rule(
        Cause.INIT_FAILED,
        Fault.TEST,
        "an init container of the test pod failed, or did not end by the start deadline",
        "Read its last words in the evidence, and its log beside the pod's.",
        start.init_failed,
        looks_at="state of the pod's init containers, their exit codes and the ends of their logs",
    ),
    Rule(
        Cause.INFRA_CAPACITY,
        Fault.INFRASTRUCTURE,
        "no node had room for the pod up to the start deadline, or a queue kept its Job suspended "
        "up to the queue's",
        "Free or add capacity, or lower the requests in test-job.yaml; for a queue, look at its "
        "quota and at who suspends the Job.",
        start.capacity,
        looks_at="pod condition `PodScheduled` False with the scheduler's message, at the start "
        "deadline; Job `spec.suspend` with its queue or manager, at the queue deadline",
    ),
    Rule(
        Cause.INFRA_START,
        Fault.INFRASTRUCTURE,
        "the test container did not start by its deadline, for another reason",
        "Read the events in the evidence.",
        start.start,
        looks_at="the start deadline, events `FailedMount` and `FailedAttachVolume`, container "
        "state `waiting`",
        retries=1,
    ),
    Rule(
        Cause.TEST_TIMEOUT,
        Fault.TEST,
        "the suite had started and did not end by its deadline (a hang in collection counts)",
        "Look at the test that was running, or raise deadlines.tests_seconds and the budget.",
        program.timeout,
        looks_at="the deadline that passed, pod or Job reason `DeadlineExceeded`, the tests that "
        "were running",
    ),
    Rule(
        Cause.KILLED_UNKNOWN,
        Fault.RESOURCES,
        "the test container was killed (exit code 137 or 143), and neither memory nor a disruption "
        "explains it",
        "Read the node's log; a process of the test may have killed its own container.",
        program.killed,
        looks_at="container exit code 137 or 143, and the tests that were running",
        retries=1,
    ),
    Rule(
        Cause.RESOURCE_DISK,
        Fault.RESOURCES,
        "the volume of /results was full at the end, and results are missing",
        "Raise the sizeLimit of the volume at /results in test-job.yaml, or make the tests write "
        "less there.",
        resources.full_volume,
        looks_at="what the exporter's manifest says is free on the volume",
    ),
    Rule(
        Cause.TEST_CRASH,
        Fault.TEST,
        "the test program crashed (SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL; an internal error of "
        "pytest, exit code 3), or left before its session was over, and nothing that it wrote was "
        "lost",
        "Look at the test that was running: it, or a library that it calls, ended the program. "
        "The end of the suite's log may have a stack trace.",
        program.crashed,
        looks_at="container exit code 128 + the signal's number; pytest's events without an end, "
        "and the exporter's manifest",
    ),
    Rule(
        Cause.INTERRUPTED,
        Fault.TEST,
        "the test program was interrupted, its collection failed (pytest exit code 2), or its "
        "session ended inside of a test",
        "Read the collection errors in the report.",
        results.interrupted,
        looks_at="pytest's own exit status in its events, or the container's exit code: a pipe or "
        "a wrapper may hide the one",
    ),
    Rule(
        Cause.CONFIG,
        Fault.CONFIGURATION,
        "pytest could not begin: an option, a path, a marker or a conftest of the suite is wrong "
        "(exit code 4)",
        "Read the last lines of the suite's log: pytest says there what it could not use.",
        program.unusable_command,
        looks_at="pytest's own exit status, or the container's exit code: 4",
    ),
    Rule(
        Cause.NO_TESTS,
        Fault.CONFIGURATION,
        "no test was collected (pytest exit code 5), or every one was skipped",
        "Check the path, the markers and the groups of the run.",
        results.no_tests,
        looks_at="exit code 5; or exit code 0 and result files with nothing but skipped tests. "
        "Tests that failed as expected (xfail) did run",
    ),
    Rule(
        Cause.RESULT_LOST,
        Fault.TEST,
        "everything the tests wrote has arrived, but results are missing: fewer tests than "
        "collected, a report that declares more than it holds, a result file that was refused",
        "Look at what the evidence names: the suite ended early, or did not write all its results "
        "to /results.",
        results.never_written,
        looks_at="collected against reported, what JUnit declares against what it holds, the "
        "exporter's refusals",
    ),
    Rule(
        Cause.RESULT_LOST,
        Fault.HARNESS,
        "the test program ended, and its results are not proved complete",
        "Whatever arrived is in the report; run it again and keep the environment to look into it.",
        results.lost,
        looks_at="the exporter's manifest against what arrived, and the exporter's own end",
    ),
    Rule(
        Cause.SUSPECT_ENV,
        Fault.TEST,
        "at least 80 % of at least 10 tests failed: hardly all of them broke at once (an imported "
        "file has no cluster to look at: there it is from 5 tests on)",
        "Look at the platform first. The run is red, and stays out of flakiness.",
        results.suspect,
        looks_at="the tests' outcomes",
    ),
    Rule(
        Cause.TEST_FAILURE,
        Fault.TEST,
        "tests failed that are not in quarantine, in the last attempt or in one before it",
        "Read the failures, or, where only the exit code says so, the end of the suite's log. A "
        "test that passed in a later attempt is flaky: it failed all the same.",
        results.failed,
        looks_at="the tests' outcomes in every attempt, the container's exit code, pytest's own",
    ),
    Rule(
        Cause.SOAK_INVARIANT,
        Fault.PLATFORM,
        "every test passed, and during the soak a hard limit was passed: restarts, out of memory, "
        "a ceiling of memory, disk or CPU, the error budget, a latency",
        "Read the component's log at the time in the evidence; soak.html shows it beside the "
        "others.",
        results.broken,
        looks_at="soak.jsonl by the suite's `soak` settings: component, value, limit, time",
    ),
    Rule(
        Cause.SOAK_DRIFT,
        Fault.PLATFORM,
        "no hard limit was passed, and memory, disk or latency grew: proved, lasting, and at its "
        "limit within the hours that are looked ahead",
        "Look for what the component keeps; a longer soak tells a leak from a cache that fills.",
        results.drifting,
        looks_at="the slope of the component's lower envelope with its interval, and its CUSUM "
        "against the last good run",
    ),
    Rule(
        Cause.REGRESSION,
        Fault.PLATFORM,
        "every test passed, and a measurement is worse than its baseline on the same environment, "
        "beyond chance, `min_effect` and `min_seconds`",
        "Look at the commits and versions in the evidence. If the change is wanted, set "
        "`benchmark.accepted_since`.",
        results.regressed,
        looks_at="benchmark.json against the last good runs, and the change points of the history",
    ),
    Rule(
        Cause.TESTS_MISSING,
        Fault.CONFIGURATION,
        "every test that reported passed, and tests of the last good run with the same selection "
        "and environment are gone or skipped without a word, beyond `missing`",
        "Find what leaves them out: markers, paths, options, the image. If they were removed on "
        "purpose, add a line to the tier's list of `removals`.",
        results.missing,
        looks_at="the tests of the last five good runs on the default branch, the list of "
        "`removals`, and whether a commit took them out of their files",
    ),
    Rule(
        Cause.QUARANTINE_EXPIRED,
        Fault.CONFIGURATION,
        "no other test failed, and an entry of the tier's quarantine list is past its last day",
        "Take the entry out of the list, or have its owner's new date reviewed.",
        results.expired,
        looks_at="the list in the repository, and the date",
    ),
    Rule(
        Cause.INCONCLUSIVE,
        Fault.UNKNOWN,
        "nothing bad was found, and too little was seen to say that all is well: a soak that was "
        "cut short or has gaps, too few samples, measurements that are missing",
        "Read what is missing in the evidence; run it again, longer or on a quieter machine.",
        results.inconclusive,
        looks_at="hours achieved against planned, intervals seen, repetitions of a measurement",
    ),
    Rule(
        Cause.PASS,
        Fault.NONE,
        "every collected test was reported, none failed but in quarantine, checksums match, exit "
        "code 0 (1 with failures in quarantine); where nobody counted the collected tests, it says "
        "so",
        "Nothing to do.",
        results.passed,
        looks_at="container exit code, the manifest, collected = reported",
    ),
)
