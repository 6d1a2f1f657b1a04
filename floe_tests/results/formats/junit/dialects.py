"""What some tools write into a test case that is neither an element nor an attribute."""

from __future__ import annotations

import re

from floe_tests.results.formats.junit.case import OpenCase
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
