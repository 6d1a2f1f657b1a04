"""What speaks for the end of the test program, and of those beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.ends import (
    CRASHES,
    KILLED,
    PYTEST_INTERNAL_ERROR,
    PYTEST_USAGE_ERROR,
    blamed,
    counts_failures,
    exit_code,
    is_settled_red,
    left_early,
    pytest_ended_with,
)
from floe_tests.execution.verdict.evidence.pod import (
    deadline_exceeded,
    has_begun,
)
from floe_tests.execution.verdict.evidence.words import (
    bad_end,
    deadline_evidence,
    exit_evidence,
    in_flight,
    progress,
)
from floe_tests.execution.verdict.facts import Facts


def unusable_command(facts: Facts) -> Sequence[Evidence]:
    """The tests' own command is wrong: pytest could not begin with it."""
    return pytest_ended_with(facts, {PYTEST_USAGE_ERROR})


def timeout(facts: Facts) -> Sequence[Evidence]:
    """The tests did not end by their deadline."""
    if is_settled_red(facts):
        return ()
    if facts.passed_deadline in {"tests", "pod", "job"} or deadline_exceeded(facts):
        return [deadline_evidence(facts), *in_flight(facts), *progress(facts)]
    limit = dict(facts.deadlines).get("tests")
    unfinished = not facts.results.session_finished
    if limit is not None and unfinished and (facts.tests_seconds or 0) >= limit:
        seconds = Evidence(
            facts.subject,
            "seconds of the tests",
            f"{facts.tests_seconds:.0f}, the deadline is {limit:g}",
        )
        return [seconds, *in_flight(facts), *progress(facts)]
    return ()


def killed(facts: Facts) -> Sequence[Evidence]:
    """The tests were killed, and nothing says by whom."""
    if exit_code(facts) not in KILLED or is_settled_red(facts) or counts_failures(facts):
        return ()
    if facts.results.complete and blamed(facts) > 0:
        return ()  # whoever ended it: its results are whole, and a fresh attempt takes none back
    return [*exit_evidence(facts), *progress(facts), *in_flight(facts)]


def crashed(facts: Facts) -> Sequence[Evidence]:
    """The test program crashed, or left in the middle of its tests."""
    if is_settled_red(facts) or counts_failures(facts):
        return ()
    if exit_code(facts) in CRASHES:
        return [*exit_evidence(facts), *in_flight(facts), *progress(facts)]
    if own_trouble := pytest_ended_with(facts, {PYTEST_INTERNAL_ERROR}):
        return [*own_trouble, *in_flight(facts), *progress(facts)]
    if not left_early(facts):
        return ()
    code = exit_evidence(facts)
    left = Evidence(facts.subject, "session", "the test program left before its session was over")
    return [left, *in_flight(facts), *code, *progress(facts)]


# 128 + SIGTERM, or SIGKILL where the grace was over: the kubelet ended it.
_ENDED_ON_REQUEST = (0, 143, 137)


def beside(facts: Facts) -> list[Evidence]:
    """Return how containers beside the tests failed: it may explain what the tests met."""
    if facts.pod is None:
        return []
    # A sidecar that died was started again; the kubelet ends the others after the tests.
    died = [one for one in facts.pod.init if one.restarts and has_begun(facts)]
    failed = [
        one
        for one in facts.pod.sidecars
        if one not in died and one.state == "terminated" and one.exit_code not in _ENDED_ON_REQUEST
    ]
    return [
        *(item for one in facts.pod.others for item in bad_end(facts, one)),
        *(item for one in failed for item in bad_end(facts, one, kind="sidecar")),
        *(
            item
            for one in died
            for item in bad_end(facts, replace(one, state="unknown"), kind="sidecar")
        ),
    ]
