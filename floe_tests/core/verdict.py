"""The words of a verdict: its cause, whose fault it is, and what it rests on.

Which facts lead to which is decided by the rules in execution/verdict/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from floe_tests.core.evidence import Evidence

_LINE_CHARACTERS = 400


class Fault(StrEnum):
    """Whose fault a verdict is."""

    NONE = "none"
    TEST = "test"
    PLATFORM = "platform"
    RESOURCES = "resources"
    INFRASTRUCTURE = "infrastructure"
    CONFIGURATION = "configuration"
    HARNESS = "harness"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What a run came to. `passed` alone is green for a gate; the others say why it is not."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """The name of a verdict."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    TEST_FAILURE = "TEST_FAILURE"
    SUSPECT_ENV = "SUSPECT_ENV"
    TEST_TIMEOUT = "TEST_TIMEOUT"
    TEST_CRASH = "TEST_CRASH"
    INIT_FAILED = "INIT_FAILED"
    NO_TESTS = "NO_TESTS"
    TESTS_MISSING = "TESTS_MISSING"
    QUARANTINE_EXPIRED = "QUARANTINE_EXPIRED"
    SOAK_INVARIANT = "SOAK_INVARIANT"
    SOAK_DRIFT = "SOAK_DRIFT"
    REGRESSION = "REGRESSION"
    INCONCLUSIVE = "INCONCLUSIVE"
    INTERRUPTED = "INTERRUPTED"
    RESULT_LOST = "RESULT_LOST"
    RESOURCE_OOM = "RESOURCE_OOM"
    RESOURCE_EVICTED = "RESOURCE_EVICTED"
    RESOURCE_DISK = "RESOURCE_DISK"
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


# Whose fault a verdict of each name can be; the rules are held to it.
FAULTS: Mapping[Cause, frozenset[Fault]] = {
    cause: frozenset(faults)
    for faults, causes in (
        ((Fault.NONE,), (Cause.PASS,)),
        (
            (Fault.TEST,),
            (
                Cause.TEST_FAILURE,
                Cause.SUSPECT_ENV,
                Cause.TEST_TIMEOUT,
                Cause.TEST_CRASH,
                Cause.INIT_FAILED,
                Cause.INTERRUPTED,
            ),
        ),
        ((Fault.TEST, Fault.HARNESS), (Cause.RESULT_LOST,)),
        (
            (Fault.PLATFORM,),
            (Cause.PLATFORM_FAIL, Cause.SOAK_INVARIANT, Cause.SOAK_DRIFT, Cause.REGRESSION),
        ),
        (
            (Fault.RESOURCES,),
            (
                Cause.RESOURCE_OOM,
                Cause.RESOURCE_EVICTED,
                Cause.RESOURCE_DISK,
                Cause.KILLED_UNKNOWN,
            ),
        ),
        (
            (Fault.CONFIGURATION,),
            (Cause.CONFIG, Cause.NO_TESTS, Cause.TESTS_MISSING, Cause.QUARANTINE_EXPIRED),
        ),
        (
            (Fault.INFRASTRUCTURE,),
            (
                Cause.INFRA_CLUSTER,
                Cause.INFRA_IMAGE,
                Cause.INFRA_CAPACITY,
                Cause.INFRA_NODE,
                Cause.INFRA_DISRUPTED,
                Cause.INFRA_START,
                Cause.CLEANUP_FAIL,
            ),
        ),
        ((Fault.HARNESS,), (Cause.HARNESS,)),
        ((Fault.UNKNOWN,), (Cause.INCONCLUSIVE,)),
        ((Fault.CANCELLED,), (Cause.CANCELLED,)),
    )
    for cause in causes
}
# Red by failures that JUnit shows: a file of a run with another cause needs a case that says it.
BY_FAILURES = frozenset({Cause.TEST_FAILURE, Cause.SUSPECT_ENV})
# By the outcomes of tests alone: nothing else explains tests that are missing.
BY_TESTS = BY_FAILURES | {Cause.PASS}
# A shard's end that says nothing yet of its suite: its tests are judged with those of all shards.
JUDGED_TOGETHER = BY_TESTS | {Cause.NO_TESTS, Cause.QUARANTINE_EXPIRED}
# What befalls a shard before its tests begin, and would befall every other one too.
HOPELESS = frozenset({Cause.CONFIG, Cause.INFRA_IMAGE})
# Fresh attempts that any rule may allow; a tier's longest time reckons with them.
MOST_RETRIES = 3


@dataclass(frozen=True)
class Verdict:
    """What a run came to.

    Attributes:
        cause: Its name.
        fault: Whose fault it is.
        evidence: What it rests on, most telling first.
        remedy: What to do next.
        retries: How many fresh attempts the rule allows.
        earlier: Verdicts of the attempts before this one, oldest first, a line each.
    """

    cause: Cause
    fault: Fault
    evidence: tuple[Evidence, ...]
    remedy: str
    retries: int = 0
    earlier: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the run is green."""
        return self.cause is Cause.PASS

    @property
    def outcome(self) -> Outcome:
        """Green, red, cancelled, or too little to say."""
        if self.fault is Fault.CANCELLED:
            return Outcome.CANCELLED
        if self.cause is Cause.INCONCLUSIVE:
            return Outcome.INCONCLUSIVE
        return Outcome.PASSED if self.passed else Outcome.FAILED

    def __str__(self) -> str:
        """Return the verdict as one line."""
        before = "".join(
            f"; attempt {number} was {line}" for number, line in enumerate(self.earlier, start=1)
        )
        if self.passed:
            return f"{self.cause}{before}"
        why = str(self.evidence[0]) if self.evidence else self.remedy
        line = why.splitlines()[0] if why else ""
        return f"{self.cause} ({self.fault}): {line[:_LINE_CHARACTERS]}{before}"
