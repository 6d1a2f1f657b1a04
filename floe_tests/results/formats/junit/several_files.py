"""Tests that several files of one run tell of: one test each, all the same.

Maven writes some tests twice. Surefire puts the first tries of a class into the file of its inner
class (`@Nested`), and the reruns into the class' own. And beside Surefire's files, or alone in its
own folder, TestNG's two reporters tell of the same tests again. Bazel keeps a file for each attempt
of a flaky target beside that of the last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from floe_tests.results.cases import CaseOutcome
from floe_tests.results.formats.junit.suites import FoundCase, Writer
from floe_tests.results.formats.junit.texts import with_earlier_try

# Source: https://bazel.build/reference/be/common-definitions#test.flaky
_LAST_ATTEMPT = "test.xml"
_ATTEMPTS = "test_attempts"
_ATTEMPT = re.compile(r"attempt_\d+\.xml")
_SHOWN_NAMES = 3
_PARAMETERS = re.compile(r"[\[(].*| #\d+$", re.DOTALL)


def once(found: Sequence[FoundCase]) -> tuple[list[FoundCase], list[str]]:
    """Return each test of several files once, and what is to be said of the files.

    Args:
        found: The cases of all files, under the names that their elements give.
    """
    kept, notices = _without_second_accounts(found)
    return _with_attempts_of_targets(_with_reruns_of_nested_classes(kept)), notices


def _with_attempts_of_targets(found: Sequence[FoundCase]) -> list[FoundCase]:
    """Join the attempts of Bazel: `test_attempts/attempt_1.xml` came before `test.xml`."""
    attempts: dict[tuple[PurePath, str], list[FoundCase]] = {}
    for one in (each for each in found if _ATTEMPTS in each.source):
        source = PurePath(one.source)
        if _ATTEMPT.fullmatch(source.name) and source.parent.name == _ATTEMPTS:
            attempts.setdefault((source.parent.parent, one.case.name), []).append(one)
    if not attempts:
        return list(found)
    joined: set[int] = set()
    for one in found:
        place, name = PurePath(one.source), one.case.name
        earlier = attempts.get((place.parent, name), []) if place.name == _LAST_ATTEMPT else []
        for each in earlier:
            if each.case.outcome.is_failing and one.case.outcome is not CaseOutcome.SKIPPED:
                one.case = with_earlier_try(one.case, each.case)
                one.also = (*one.also, each.source)
                joined.add(id(each))
    return [one for one in found if id(one) not in joined]


def _with_reruns_of_nested_classes(found: Sequence[FoundCase]) -> list[FoundCase]:
    strays = {_place(one): one for one in found if _is_stray(one)}
    if not strays:
        return list(found)
    joined: set[int] = set()
    for one in found:
        stray = strays.get(_place(one))
        if stray is None or one is stray or one.place.path[-1] != _class_of(one):
            continue
        tries = sorted((stray, one), key=lambda each: not each.case.outcome.is_failing)
        if not tries[0].case.outcome.is_failing or tries[1].case.outcome is CaseOutcome.SKIPPED:
            continue
        one.case = with_earlier_try(tries[1].case, tries[0].case)
        one.also = (stray.source,)
        joined.add(id(stray))
    return [one for one in found if id(one) not in joined]


def _is_stray(one: FoundCase) -> bool:
    """Whether it stands in the file of an inner class of its own."""
    return one.place.path[-1].startswith(f"{_class_of(one)}$")


def _class_of(one: FoundCase) -> str:
    return one.case.name.partition("::")[0]


def _place(one: FoundCase) -> tuple[PurePath, str]:
    return PurePath(one.source).parent, one.case.name


def _without_second_accounts(
    found: Sequence[FoundCase],
) -> tuple[list[FoundCase], list[str]]:
    """Leave out files of TestNG's that say of no test more than better files do."""
    if len({one.writer for one in found}) == 1:
        return list(found), []
    by_file: dict[str, list[FoundCase]] = {}
    for one in found:
        if one.writer is not Writer.OTHER:
            by_file.setdefault(one.source, []).append(one)
    told = {source: _failing_by_test(cases) for source, cases in by_file.items()}
    known: dict[PurePath, dict[Writer, dict[str, bool]]] = {}
    for source, tests in told.items():
        for folder in _near(source):
            of_writer = known.setdefault(folder, {}).setdefault(by_file[source][0].writer, {})
            for test, is_failing in tests.items():
                of_writer[test] = of_writer.get(test, False) or is_failing
    left_out = [
        source
        for source, tests in told.items()
        if _are_told(tests, _better(known, source, by_file[source][0].writer))
    ]
    dropped = set(left_out)
    kept = [one for one in found if one.source not in dropped]
    return kept, [_notice(left_out)] if left_out else []


def _notice(left_out: Sequence[str]) -> str:
    more = len(left_out) - _SHOWN_NAMES
    names = ", ".join(left_out[:_SHOWN_NAMES]) + (f" and {more} more files" if more > 0 else "")
    return f"left out, for other files of Surefire and TestNG tell of the same tests: {names}."


def _near(source: str) -> set[PurePath]:
    """Return the folders in or below which other reports of the same tests may be."""
    folder = PurePath(source).parent
    return {folder, folder.parent}


def _better(
    known: Mapping[PurePath, Mapping[Writer, Mapping[str, bool]]], source: str, writer: Writer
) -> list[Mapping[str, bool]]:
    """Return what better files near a file tell."""
    return [
        tests
        for folder in PurePath(source).parents
        for other, tests in known.get(folder, {}).items()
        if other > writer
    ]


def _are_told(tests: Mapping[str, bool], better: Sequence[Mapping[str, bool]]) -> bool:
    """Whether all tests are told, and each failure as a failure."""
    return bool(better) and all(
        any(test in known and (known[test] or not is_failing) for known in better)
        for test, is_failing in tests.items()
    )


def _failing_by_test(cases: Iterable[FoundCase]) -> Mapping[str, bool]:
    failing: dict[str, bool] = {}
    for one in cases:
        classname, _, method = one.case.name.partition("::")
        test = f"{classname}::{_PARAMETERS.sub('', method)}"
        failing[test] = failing.get(test, False) or one.case.outcome.is_failing
    return failing
