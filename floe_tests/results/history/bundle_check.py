"""Whether what a bundle says of a run can be true: its verdicts, its counts and its times.

A bundle may have been edited, or put together from two. A run that contradicts itself is refused,
with the field and both values: no other run of the history could be trusted beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from floe_tests.core.errors import ConfigurationError
from floe_tests.core.verdict import FAULTS, Cause, Fault, Verdict
from floe_tests.results.cases import Tally
from floe_tests.results.records import AttemptRecord, RunRecord, SuiteRecord

AHEAD = timedelta(days=1)
"""So far may a clock be ahead, its zone mistaken included; what is beyond has not happened."""

_SECONDS = 1e-3
_COUNTS = ("tests", "passed", "failed", "errors", "skipped")


def is_future(time: datetime | None, *, now: datetime | None = None) -> bool:
    """Return whether a time lies so far ahead that nothing can have begun at it."""
    return time is not None and time > (now or datetime.now(UTC)) + AHEAD


def require_sound(path: Path, run: RunRecord) -> None:
    """Refuse a run that contradicts itself.

    Args:
        path: Its bundle.
        run: The run.

    Raises:
        ConfigurationError: It does; the message names file, field and both values.
    """
    for said in _contradictions(run):
        message = f"{path}: {said}. Copy it again from the run."
        raise ConfigurationError(message)


def _contradictions(run: RunRecord) -> Iterator[str]:
    yield from _of_times("run", {"started_at": run.started_at, "finished_at": run.finished_at})
    yield from _of_verdict("run", run)
    if run.cause == Cause.PASS and not run.suites:
        yield "run.cause is 'PASS', and run.suites has 0 suites: nothing passed"
    for suite in run.suites:
        field = f"run.suites.{suite.name}"
        yield from _of_verdict(field, suite)
        if run.cause == Cause.PASS and suite.cause != Cause.PASS:
            yield f"run.cause is 'PASS', and {field}.cause is {suite.cause!r}"
        if suite.cause == Cause.PASS:
            yield from _of_pass(field, suite)
        yield from _of_counts(field, suite)
        for number, attempt in enumerate(suite.attempts):
            place = f"{field}.attempts.{number}"
            yield from _of_times(place, {"started_at": attempt.started_at})
            yield from _of_cause(place, attempt)


def _of_times(field: str, times: Mapping[str, datetime | None]) -> Iterator[str]:
    now = datetime.now(UTC)
    for name, time in times.items():
        if time is not None and is_future(time, now=now):
            yield f"{field}.{name} is {time.isoformat()}, and now is {now:%Y-%m-%dT%H:%M}Z"


def _of_cause(field: str, judged: AttemptRecord | RunRecord | SuiteRecord) -> Iterator[str]:
    """Hold a cause, and whose fault it is, against the table of verdicts."""
    faults = {str(f) for cause, allowed in FAULTS.items() if cause == judged.cause for f in allowed}
    if not faults:
        yield (
            f"{field}.cause is {judged.cause!r}, which is no verdict of this floe-tests, such as "
            f"{Cause.PASS} or {Cause.TEST_FAILURE} (a newer one may have more)"
        )
    elif judged.fault is not None and judged.fault not in faults:
        known = " or ".join(sorted(faults))
        yield f"{field}.fault is {judged.fault!r}, and that of {judged.cause} is {known}"


def _of_verdict(field: str, judged: RunRecord | SuiteRecord) -> Iterator[str]:
    yield from _of_cause(field, judged)
    if judged.cause not in set(Cause):
        return
    fault = Fault.CANCELLED if judged.cause == Cause.CANCELLED else Fault.UNKNOWN
    outcome = Verdict(Cause(judged.cause), fault, (), "").outcome
    if judged.outcome != outcome:
        yield f"{field}.outcome is {judged.outcome!r}, and that of {judged.cause} is {outcome}"


def _of_counts(field: str, suite: SuiteRecord) -> Iterator[str]:
    counted = Tally.of(suite.cases)
    for name in _COUNTS:
        said, found = getattr(suite.tally, name), getattr(counted, name)
        if said != found:
            yield f"{field}.tally.{name} is {said}, and its cases are {found}"
    if not math.isclose(suite.tally.seconds, counted.seconds, rel_tol=_SECONDS, abs_tol=_SECONDS):
        yield (
            f"{field}.tally.seconds is {suite.tally.seconds:g}, and its cases took "
            f"{counted.seconds:g}"
        )
    if suite.reported > counted.tests:
        yield f"{field}.reported is {suite.reported}, and it has {counted.tests} cases"


def _of_pass(field: str, suite: SuiteRecord) -> Iterator[str]:
    """Find what the gate lets no suite pass with."""
    excused = set(suite.quarantined)
    for case in suite.cases:
        if case.outcome.is_failing and case.name not in excused:
            yield (
                f"{field}.cause is 'PASS', and the outcome of its case {case.name[:80]!a}, which "
                f"is not in quarantine, is {str(case.outcome)!r}"
            )
    if suite.collected is not None and suite.collected > suite.reported:
        yield (
            f"{field}.cause is 'PASS', and {field}.collected is {suite.collected} with "
            f"{suite.reported} reported"
        )
    if not any(case.has_run for case in suite.cases):
        yield f"{field}.cause is 'PASS', and of its {len(suite.cases)} cases none ran"
