"""JUnit XML as it is written here, for any CI."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.core import durable
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally, legible
from floe_tests.results.formats.junit.case import MAX_FAULTS
from floe_tests.results.formats.junit.fault import TRIES_TYPE, XFAIL_MESSAGE, XFAIL_TYPE

if TYPE_CHECKING:
    import junitparser
    from junitparser.xunit2 import InterimResult

_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>\n'


def write(
    path: Path,
    cases: Sequence[CaseResult],
    *,
    suite: str,
    properties: Mapping[str, str] | None = None,
    hostname: str | None = None,
    started_at: datetime | None = None,
) -> None:
    """Write cases as one JUnit suite, whole or not at all.

    The file is written beside its place, flushed to the disk and renamed: who reads it sees the
    old content or the new. Reading it back gives the same cases without file and line,
    for which JUnit has no agreed place; earlier tries are Surefire's `flakyFailure` and
    `rerunFailure`. No tree of the whole is built: one of 50,000 cases takes a hundred megabytes.

    Args:
        path: Where to; its directory is created.
        cases: The test cases.
        suite: Name of the suite.
        properties: Properties of the suite.
        hostname: Where the tests ran, for example the pod.
        started_at: When they began, aware.

    Raises:
        OSError: The file cannot be written.
    """
    from junitparser import JUnitXml, TestCase, TestSuite

    element = TestSuite(legible(suite))
    for name, value in (properties or {}).items():
        element.add_property(legible(name), legible(value))
    if hostname is not None:
        element.hostname = legible(hostname)
    if started_at is not None:
        element.timestamp = started_at.isoformat(timespec="milliseconds")
    tally = Tally.of(cases)
    element.tests, element.skipped = tally.tests, tally.skipped
    element.failures, element.errors = tally.failed, tally.errors
    element.time = round(tally.seconds, 3)
    place = TestCase()
    _append(element, place)
    xml = JUnitXml(legible(suite))
    _append(xml, element)
    xml.tests, xml.skipped = tally.tests, tally.skipped
    xml.failures, xml.errors = tally.failed, tally.errors
    xml.time = round(tally.seconds, 3)
    head, _, tail = _serialised(xml).partition(_serialised(place))
    written = (_serialised(_element(case)) for case in cases)
    durable.write(path, itertools.chain([_DECLARATION, head], written, [tail]))


def _serialised(element: junitparser.Element) -> bytes:
    return element.tostring()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - junitparser leaves it untyped


def _element(case: CaseResult) -> junitparser.TestCase:
    import junitparser
    from junitparser.xunit2 import FlakyFailure, RerunFailure

    classname, separator, name = case.name.partition("::")
    if not separator:
        # Empty, not absent: a reader would put the suite's name in its place.
        classname, name = "", case.name
    element = junitparser.TestCase(name, classname, round(case.seconds, 6))
    message = case.message
    if case.is_expected_failure:
        result = junitparser.Skipped(message.removeprefix(XFAIL_MESSAGE), XFAIL_TYPE)
    elif case.outcome is CaseOutcome.PASSED:
        if case.reruns:
            _append_tries(element, case, FlakyFailure)
        return element
    else:
        kind = {
            CaseOutcome.FAILED: junitparser.Failure,
            CaseOutcome.ERROR: junitparser.Error,
            CaseOutcome.SKIPPED: junitparser.Skipped,
        }[case.outcome]
        result = kind(message)
    result.text = case.text
    _append(element, result)
    if case.outcome.is_failing and case.reruns:
        _append_tries(element, replace(case, message="", text=""), RerunFailure)
    return element


def _append_tries(
    element: junitparser.TestCase, case: CaseResult, kind: type[InterimResult]
) -> None:
    """Add an element for each earlier try; the first carries what all of them said."""
    for number in range(min(case.reruns, MAX_FAULTS)):
        tried = kind(case.message if not number else "", TRIES_TYPE)
        if not number:
            tried.text = case.text
        _append(element, tried)


def _append(parent: junitparser.Element, child: junitparser.Element) -> None:
    parent.append(child)  # pyright: ignore[reportUnknownMemberType] - junitparser leaves it untyped
