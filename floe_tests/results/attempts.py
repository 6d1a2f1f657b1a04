"""The results of a suite that had several attempts: what one of them reported as failed stays.

The last attempt says what the suite is. An attempt before it may have been ended by the
infrastructure, and what it had reported by then is true all the same: a test that failed in it and
passed in a later one is flaky, and has failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import SuiteResults

_SHOWN = 5


def with_earlier(last: SuiteResults, earlier: Sequence[SuiteResults]) -> SuiteResults:
    """Return the results of the last attempt, with the failures of those before it.

    Args:
        last: Results of the last attempt.
        earlier: Results of the attempts before it, oldest first; attempt 1 is the first of them.

    Returns:
        The last attempt's counts of collected and reported tests, and its cases: one that failed
        before is a failure, with both accounts in its message and text. A failed test that the
        last attempt does not know is added.
    """
    cases = {case.name: case for case in last.cases}
    kept: list[str] = []
    for number, results in reversed(list(enumerate(earlier, start=1))):
        for failure in results.cases:
            now = cases.get(failure.name)
            if failure.outcome.is_failing and (now is None or not now.outcome.is_failing):
                kept.append(failure.name)
                cases[failure.name] = _with_both(failure, now, number, of=len(earlier) + 1)
    if not kept:
        return last
    names = ", ".join(kept[:_SHOWN]) + (f" and {len(kept) - _SHOWN} more" if kept[_SHOWN:] else "")
    notice = f"{names}: failed in an attempt before the last one; a reported failure stays."
    return replace(
        last,
        cases=tuple(cases.values()),
        failed_before=tuple(kept),
        notices=(*last.notices, notice),
    )


def _with_both(failure: CaseResult, now: CaseResult | None, number: int, *, of: int) -> CaseResult:
    """Return a failure of an earlier attempt, with what became of the test in the last one."""
    then = "not reported" if now is None else now.outcome
    return replace(
        failure,
        message=f"failed in attempt {number}, {then} in attempt {of}: {failure.message}",
        seconds=failure.seconds if now is None else now.seconds,
        file=failure.file or (now.file if now else None),
        line=failure.line or (now.line if now else None),
        passed_later=now is not None and now.outcome is CaseOutcome.PASSED,
    )
