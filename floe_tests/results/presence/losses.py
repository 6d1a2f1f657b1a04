"""Which tests of the last good runs are not there as they were.

A test is known by its function: its name without what parametrisation puts into brackets, because
those values may come from data. A function is gone when none of its tests reported. It has fewer
tests when fewer than in any of these runs did. It is skipped when it ran in all of them, and now
does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from floe_tests.results.cases import CaseOutcome, CaseResult

_REPEATED = re.compile(r" #\d+$")

LossKind = Literal["gone", "fewer", "skipped"]


class PastTest(NamedTuple):
    """What the last good runs did with a test.

    Attributes:
        name: Its name.
        file: Its source file, where known.
        seen: In which of the runs it reported, a bit a run; bit 0 is the newest.
        ran: In which of them it was not skipped.
    """

    name: str
    file: str | None
    seen: int
    ran: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A function that is not there as it was.

    Attributes:
        function: Its name, without parameters.
        kind: What became of it.
        cases: Names of the tests that are lost; of some with parameters, those of the newest run.
        tests: How many are lost.
        file: Its source file, where known.
        last: Which of the good runs was the last that had it; 0 is the newest.
    """

    function: str
    kind: LossKind
    cases: tuple[str, ...]
    tests: int
    file: str | None = None
    last: int = 0


@dataclass(frozen=True, slots=True)
class Reported:
    """What a suite reported now.

    Attributes:
        names: Every test.
        ran: Those that were not skipped; one that failed as expected ran.
        skipped_modules: Modules that were skipped as a whole.
    """

    names: frozenset[str]
    ran: frozenset[str]
    skipped_modules: tuple[str, ...]

    @classmethod
    def of(cls, cases: Iterable[CaseResult]) -> Reported:
        """Sort a suite's cases."""
        names, ran, modules = set[str](), set[str](), list[str]()
        for case in cases:
            name, skipped = case.name, case.outcome is CaseOutcome.SKIPPED
            skipped = skipped and not case.is_expected_failure
            if case.is_collection:
                modules += [name] if skipped else []
                continue
            names.add(name)
            if not skipped:
                ran.add(name)
        return cls(frozenset(names), frozenset(ran), tuple(modules))

    def functions(self) -> dict[str, tuple[int, int]]:
        """Return how many tests each function has, and how many of them ran."""
        found: dict[str, tuple[int, int]] = {}
        for name in self.names:
            function = function_of(name)
            tests, ran = found.get(function, (0, 0))
            found[function] = tests + 1, ran + (name in self.ran)
        return found

    def has_all(self, tests: Iterable[PastTest]) -> bool:
        """Return whether the tests are here as they were: usual, and quick."""
        return all(test.name in (self.ran if test.ran & 1 else self.names) for test in tests)


def function_of(name: str) -> str:
    """Return a test's name without its parameters, and without the number of a repeated one."""
    function = name.partition("[")[0]
    return _REPEATED.sub("", function) if " #" in function else function


def bare(function: str) -> str:
    """Return a function's own name."""
    return function.rpartition("::")[2]


def container(function: str) -> str:
    """Return what a function is in: its class or module."""
    return function.rpartition("::")[0]


def by_function(tests: Iterable[PastTest]) -> dict[str, list[PastTest]]:
    """Return tests by their functions."""
    found: dict[str, list[PastTest]] = {}
    for test in tests:
        function = function_of(test.name)
        if function in found:
            found[function].append(test)
        else:
            found[function] = [test]
    return found


def runs_of(tests: Iterable[PastTest]) -> int:
    """Return in which of the runs one of these tests reported, a bit a run."""
    runs = 0
    for test in tests:
        runs |= test.seen
    return runs


def losses(
    past: Mapping[str, Sequence[PastTest]],
    now: Reported,
    functions: Mapping[str, tuple[int, int]],
) -> Iterator[Loss]:
    """Return what is not there as it was.

    Args:
        past: The tests of each function, as `by_function` gives them.
        now: What was reported.
        functions: Its functions.
    """
    for function, tests in past.items():
        if len(tests) > 1 or tests[0].name not in now.ran:
            yield from _losses_of(function, tests, now, functions.get(function, (0, 0)))


def _losses_of(
    function: str, tests: Sequence[PastTest], now: Reported, here: tuple[int, int]
) -> Iterator[Loss]:
    last = _lowest(runs_of(tests))
    newest = [test for test in tests if test.seen >> last & 1]
    file = next((test.file for test in newest if test.file), None)
    left, ran = here
    least = _fewest([test.seen for test in tests], runs=runs_of(tests))
    least_ran = _fewest([test.ran for test in tests], runs=runs_of(tests))
    if left == 0:
        names = tuple(test.name for test in newest)
        kind: LossKind = "skipped" if _is_in(function, now.skipped_modules) else "gone"
        yield Loss(function, kind, names, least, file, last)
        return
    if ran == 0 and least_ran > 0:
        names = tuple(test.name for test in newest if test.ran >> last & 1)
        yield Loss(function, "skipped", names, least_ran, file, last)
        return
    fewer = max(0, least - left)
    if fewer:
        names = tuple(test.name for test in newest if test.name not in now.names)
        yield Loss(function, "fewer", names, fewer, file, last)
    skipped = least_ran - fewer - ran
    if skipped > 0:
        did_run = (test.name for test in newest if test.ran >> last & 1)
        names = tuple(name for name in did_run if name not in now.ran)
        yield Loss(function, "skipped", names, skipped, file, last)


def _fewest(masks: Sequence[int], *, runs: int) -> int:
    """Return the smallest number of masks with a bit, over the bits of `runs`."""
    known = [bit for bit in range(runs.bit_length()) if runs >> bit & 1]
    return min(sum(mask >> bit & 1 for mask in masks) for bit in known)


def _lowest(mask: int) -> int:
    """Return the place of a mask's lowest bit."""
    return (mask & -mask).bit_length() - 1


def _is_in(function: str, modules: Sequence[str]) -> bool:
    return any(function.startswith((f"{module}.", f"{module}::")) for module in modules)
