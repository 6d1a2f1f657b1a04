"""Results whose files were written more than once: what was replaced stays an account of tests.

`pytest || pytest --lf` overwrites its files, and the second account alone would be green. The
stream keeps what was replaced (`result_files.versions`), and here the accounts become one: a test
that failed and passed later is flaky, one that failed and was not run again has failed.

Later means: in a later version of the same file. Two files have no order between them: a pass in
the one may be older than the failure in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from floe_tests.core.words import listed
from floe_tests.results.cases import CaseOutcome, CaseResult, TextBudget

if TYPE_CHECKING:
    from floe_tests.results.collate import SuiteResults

_SHOWN_NAMES = 5


@dataclass(slots=True)
class _Told:
    """What all accounts so far say."""

    cases: dict[str, CaseResult] = field(default_factory=dict[str, CaseResult])
    failed: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    in_flight: list[str] = field(default_factory=list[str])
    counts: list[int] = field(default_factory=list[int])
    is_proved: bool = True
    counts_grow: bool = True
    open_failures: dict[str, list[tuple[frozenset[str], CaseResult]]] = field(
        default_factory=dict[str, list[tuple[frozenset[str], CaseResult]]]
    )
    """Failures that no later version of their files shows as passed, with the files."""

    def add(self, account: SuiteResults) -> None:
        """Add the next account."""
        budget = TextBudget()
        for case in account.cases:
            files = account.told_by.get(case.name, frozenset())
            self.cases[case.name] = after(self.cases.get(case.name), case)
            self._settle(case, files)
        self.cases = {name: budget.keep(case) for name, case in self.cases.items()}
        self.failed.append(tuple(case.name for case in account.cases if case.outcome.is_failing))
        self.in_flight += account.in_flight
        if account.collected is not None:
            self.counts.append(account.collected)
            self.is_proved = self.is_proved and account.collected == account.reported
            self.counts_grow = self.counts_grow and account.counts_all_sessions

    def _settle(self, case: CaseResult, files: frozenset[str]) -> None:
        """Note a failure, or what a pass says of the failures before it."""
        if case.outcome.is_failing:
            self.open_failures.setdefault(case.name, []).append((files, case))
        elif case.outcome is CaseOutcome.PASSED and case.name in self.open_failures:
            left = [each for each in self.open_failures[case.name] if each[0].isdisjoint(files)]
            # Nobody knows the files of what was not read from any.
            self.open_failures[case.name] = left if files else []

    def decided(self) -> list[CaseResult]:
        """Return the cases; one with a failure that no later try answers has failed."""
        return [
            _still_failed(self.open_failures[name][-1][1], case)
            if self.open_failures.get(name) and not case.outcome.is_failing
            else case
            for name, case in self.cases.items()
        ]


def united(earlier: Iterable[SuiteResults], last: SuiteResults) -> SuiteResults:
    """Return one result of a suite whose files were replaced.

    Args:
        earlier: What the replaced files held, oldest first; read one after the other.
        last: What the files hold now.
    """
    told = _Told()
    for account in earlier:
        told.add(account)
    if not told.failed:
        return last
    told.add(last)
    cases = tuple(case for case in told.decided() if not _was_collected_later(case, last))
    reported = sum(1 for case in cases if not case.is_collection)
    collected = max(told.counts, default=None)
    if collected is not None and told.is_proved and not told.counts_grow:
        # Each account is whole, and later ones may be of other tests: nobody has added them up.
        collected = max(collected, reported)
    more = last.collected is not None and last.reported > last.collected
    told_fewer = (f"{last.reported} of {last.collected} collected tests were reported",)
    lost = [name for name in dict.fromkeys(told.in_flight) if name not in told.cases]
    doubts = [f"{name} was running when an earlier account of the tests ended" for name in lost]
    return replace(
        last,
        cases=cases,
        source=last.source if last.cases or not cases else "events",
        reported=reported,
        collected=collected,
        doubts=(*last.doubts, *doubts),
        contradictions=(*last.contradictions, *(told_fewer if more else ())),
        notices=(*last.notices, *_notices(told, last)),
    )


def after(earlier: CaseResult | None, later: CaseResult) -> CaseResult:
    """Return what two tries of a test come to, the later one after the earlier one."""
    if earlier is None:
        return later
    if _is_same_try(earlier, later):
        return earlier if earlier.reruns > later.reruns else later
    if not earlier.outcome.is_failing:
        return later if not earlier.reruns else _with_tries(later, earlier, more=0)
    if later.outcome is CaseOutcome.SKIPPED:
        # Whoever skips a test has not shown that it passes.
        return earlier
    return _with_tries(later, earlier, more=1)


def _still_failed(failure: CaseResult, other: CaseResult) -> CaseResult:
    """Return a failure that stands, although another file calls the test passed."""
    message = "another result file says passed, and nothing shows that it is the later one"
    text = "\n\n".join(part for part in (failure.text, other.text) if part)
    return replace(failure, message=f"{failure.message} ({message})".strip(), text=text)


def _is_same_try(earlier: CaseResult, later: CaseResult) -> bool:
    """Whether a file was only written again, with what it said before."""
    return (earlier.outcome, earlier.message, earlier.seconds) == (
        later.outcome,
        later.message,
        later.seconds,
    )


def _with_tries(later: CaseResult, earlier: CaseResult, *, more: int) -> CaseResult:
    return replace(
        later,
        reruns=later.reruns + earlier.reruns + more,
        message=later.message or earlier.message,
        text="\n\n".join(text for text in (later.text, earlier.text) if text),
    )


def _was_collected_later(case: CaseResult, last: SuiteResults) -> bool:
    """Whether a module that could not be collected was, later: its tests are there."""
    if not case.is_collection or any(each.name == case.name for each in last.cases):
        return False
    return any(each.name.startswith((f"{case.name}::", f"{case.name}.")) for each in last.cases)


def _notices(told: _Told, last: SuiteResults) -> list[str]:
    """Say what counts although the last account does not have it."""
    final = {case.name: case.outcome for case in last.cases}
    number = len(told.failed)
    notices: list[str] = []
    for place, failed in enumerate(told.failed[:-1], 1):
        names = [name for name in failed if name not in final or not final[name].is_failing]
        if names:
            notices.append(
                f"The results were written {number} times: {_counted(names)} of account {place} "
                f"{'is' if len(names) == 1 else 'are'} kept: {listed(names, shown=_SHOWN_NAMES)}."
            )
    others = [n for n, case in told.cases.items() if n not in final and not case.outcome.is_failing]
    if others:
        notices.append(
            f"The results were written {number} times: {len(others)} tests of earlier accounts "
            f"that the last one does not have count as well: {listed(others, shown=_SHOWN_NAMES)}."
        )
    return notices


def _counted(names: Sequence[str]) -> str:
    return "1 failure" if len(names) == 1 else f"{len(names)} failures"
