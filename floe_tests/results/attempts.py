"""The results of a suite that had several attempts: what one of them reported as failed stays.

The last attempt says what the suite is. An attempt before it may have been ended by the
infrastructure, and what it had reported by then is true all the same: a test that failed in it and
passed in a later one is flaky, and has failed. A fresh attempt runs the same tests: where it has
fewer, its results are not complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from floe_tests.core.words import listed
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
        last attempt does not know is added. Where the last attempt has fewer tests than one before
        it, `vanished` says so; other tests that it lacks are in the notices.
    """
    vanished, notices = _lacking(last, earlier)
    last = replace(
        last,
        vanished=vanished,
        failed_again=_failed_again((*earlier, last)),
        notices=(*last.notices, *notices),
    )
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
    names = listed(kept, shown=_SHOWN)
    notice = f"{names}: failed in an attempt before the last one; a reported failure stays."
    return replace(
        last,
        cases=tuple(cases.values()),
        failed_before=tuple(kept),
        notices=(*last.notices, notice),
    )


def _failed_again(attempts: Sequence[SuiteResults]) -> tuple[str, ...]:
    failures = Counter(
        case.name for results in attempts for case in results.cases if case.outcome.is_failing
    )
    return tuple(name for name, count in failures.items() if count > 1)


def _lacking(
    last: SuiteResults, earlier: Sequence[SuiteResults]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compare the last attempt with those before it.

    Returns:
        What makes its results incomplete, because there are fewer; and what is merely to be said,
        because there are as many under other names.
    """
    known = {case.name for case in last.cases}
    vanished: list[str] = []
    notices: list[str] = []
    final = len(earlier) + 1
    for number, results in enumerate(earlier, start=1):
        told = (*(case.name for case in results.cases if case.has_run), *results.in_flight)
        names = [name for name in dict.fromkeys(told) if name not in known]
        expected = max(results.collected or 0, results.reported)
        lacks = f": {listed(names, shown=_SHOWN)}" if names else ""
        if expected > last.reported:
            how = "collected" if expected == results.collected else "reported"
            vanished.append(
                f"attempt {number} {how} {expected} tests, attempt {final} reported "
                f"{last.reported}{lacks}"
            )
        elif names:
            notices.append(f"attempt {number} had tests that attempt {final} lacks{lacks}.")
    return tuple(vanished), tuple(notices)


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
