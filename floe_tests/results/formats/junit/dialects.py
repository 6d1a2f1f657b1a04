"""What some tools write into a test case that is neither an element nor an attribute."""

from __future__ import annotations

import re

from floe_tests.results.formats.junit.case import OpenCase
from floe_tests.results.formats.junit.fault import XFAIL_TYPE
from floe_tests.results.formats.junit.suites import Producer
from floe_tests.results.formats.junit.words import Element

# Its paths have the time of the run in them: a name with one would be another test each time.
# Source: https://github.com/DevExpress/testcafe-reporter-xunit/blob/master/src/index.js
_UNSTABLE = " (unstable)"
_SCREENSHOTS = re.compile(r" \(screenshots: ([^\n]{1,1024})\)$")
_SCREENSHOTS_LINE = re.compile(r"^\s*\(screenshots: ([^\n]{1,1024})\)\s*$", re.MULTILINE)
# Source: https://onsi.github.io/ginkgo/#repeating-spec-runs-and-managing-flaky-specs
_RETRYING = re.compile(r"^Attempt #\d+ Failed\. +Retrying", re.MULTILINE)
_UNSTABLE_LINE = re.compile(r"^\s*\(unstable\)\s*$", re.MULTILINE)
# Source: doctest.h, failureString and assertString: WARN, WARN_EQ, WARN_THROWS and so on.
_WARNING = re.compile(r"WARN(_\w+)?")
# Source: https://github.com/boostorg/test/blob/develop/include/boost/test/impl/junit_log_formatter.ipp
_OF_BOOST = re.compile(r"\s*(ASSERTION FAILURE|UNCAUGHT EXCEPTION):\n- file *: ")
_SAID_BY_BOOST = re.compile(r"^(?:- message: |EXCEPTION STACK TRACE: -+\n)(.*\S)", re.MULTILINE)
_FAILED_IN_BOOST = "Failures detected in:"


def understand(case: OpenCase, producer: Producer) -> None:
    """Read what a tool says of a case in its own way, before the case becomes a result."""
    if producer is Producer.TESTCAFE:
        _testcafe(case)
    elif producer is Producer.GINKGO:
        case.untold_tries = len(_RETRYING.findall(str(case.outputs)))
        case.keeps_output = bool(case.untold_tries)
    elif producer is Producer.WEBDRIVERIO:
        # A try that failed and was repeated: skipped, with the error beside it.
        said = str(case.outputs.of(Element.STANDARD_ERROR)).strip()
        if said and [fault.kind for fault in case.faults] == [Element.SKIPPED]:
            case.keeps_output = True
            case.faults[0].message = said.partition("\n")[0]
    elif producer is Producer.DOCTEST:
        for fault in case.faults:
            if _WARNING.fullmatch(fault.type):
                fault.kind = Element.OTHER
    elif case.faults and "assertions" in case.attributes:
        _boost(case)


def _boost(case: OpenCase) -> None:
    """Give Boost.Test's failures what they say, and make one that was expected no failure.

    A test that failed names its place in what it printed; one that expected to fail does not.
    """
    if not all(_OF_BOOST.match(str(fault.text)) for fault in case.faults):
        return
    for fault in case.faults:
        said = _SAID_BY_BOOST.search(str(fault.text))
        fault.message = said[1] if said else fault.message
    if _FAILED_IN_BOOST not in str(case.outputs.of(Element.STANDARD_ERROR)):
        for fault in case.faults:
            fault.kind = Element.OTHER
        case.faults[0].kind, case.faults[0].type = Element.SKIPPED, XFAIL_TYPE


def _testcafe(case: OpenCase) -> None:
    """Take screenshots and "(unstable)" out of the name: a passed test had failed before."""
    shots = _SCREENSHOTS.search(case.name)
    name = case.name[: shots.start()] if shots else case.name
    is_unstable = name.endswith(_UNSTABLE)
    case.name = name.removesuffix(_UNSTABLE)
    printed = str(case.outputs)
    case.untold_tries = int(is_unstable or _UNSTABLE_LINE.search(printed) is not None)
    paths = [shots[1]] if shots else _SCREENSHOTS_LINE.findall(printed)
    for path in paths:
        case.add_property({"name": "attachment", "value": path})
