"""Words and numbers of JUnit files: how each tool spells an outcome, a duration, a time, a count.

There is no standard, only producers. What they mean is decided here, once, for every reader.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from floe_tests.results.cases import CaseOutcome

_FAILED = frozenset({"failed", "failure", "fail", "timedout", "timeout", "panicked", "interrupted"})
_BROKEN = frozenset({"error", "errored", "broken", "aborted", "crashed", "killed", "exception"})
# GoogleTest, CTest, Ginkgo and converters mark a test that did not run in an attribute alone.
_NOT_RUN = frozenset(
    {
        "notrun",
        "disabled",
        "skipped",
        "skip",
        "suppressed",
        "ignored",
        "pending",
        "notexecuted",
        "inconclusive",
    }
)
# NUnit's words for a test whose assumption does not hold, and for one that passed with a warning.
# Its stylesheet counts both among the errors.
# Source: https://github.com/nunit/nunit-transforms/blob/master/nunit3-junit/nunit3-junit.xslt
_UNDECIDED = frozenset({"inconclusive", "warning"})
_TELLING = frozenset({"status", "result", "outcome", "executed", "success"})
_NO = frozenset({"false", "no", "0"})

# What a tool may call a failure inside of a test case, beside <failure> and <error>.
_FAILING_ELEMENT = re.compile(r"fail|error|exception|timeout|abort|broken|crash")
_EARLIER_TRY = re.compile(r"(flaky|rerun)_?-?(failure|error)")

_GROUPED_BY_COMMA = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
_GROUPED_BY_POINT = re.compile(r"\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}")
# Spaces (French locales write narrow, unbreakable ones) and the Swiss apostrophe.
_GROUP_MARKS = re.compile("[\\s'\u2019]")
_COUNT = re.compile(r"\+?(\d{1,12})(\.0+)?")
_UNITS = {"ms": 1000.0, "s": 1.0}

_ZONE_NAME = re.compile(r" ?(UTC|GMT)$")
_EPOCH = re.compile(r"\d{9,11}(\.\d+)?|\d{12,14}")
_MILLISECONDS_DIGITS = 12
# A zero time (year 1), or the epoch itself, is what a tool writes that has no time; a number that
# is no number of seconds gives a year far ahead.
_YEARS = range(1980, 2200)


class Element(Enum):
    """What an element means to a reader of test cases."""

    SUITES = auto()
    CASE = auto()
    FAILURE = auto()
    ERROR = auto()
    SKIPPED = auto()
    PASSED_LATER = auto()
    """An earlier failed try of a test that passed in the end (Surefire's flakyFailure)."""
    FAILED_AGAIN = auto()
    """A further failed try of a test that failed (Surefire's rerunFailure)."""
    STANDARD_OUTPUT = auto()
    STANDARD_ERROR = auto()
    PROPERTY = auto()
    OTHER = auto()


_ELEMENTS = {
    "testsuites": Element.SUITES,
    "testsuite": Element.SUITES,
    # Eclipse puts its suites into one.
    "testrun": Element.SUITES,
    "testcase": Element.CASE,
    "failure": Element.FAILURE,
    "error": Element.ERROR,
    "skipped": Element.SKIPPED,
    "skip": Element.SKIPPED,
    "ignored": Element.SKIPPED,
    "system-out": Element.STANDARD_OUTPUT,
    "system-err": Element.STANDARD_ERROR,
    "property": Element.PROPERTY,
}

FAULTS = frozenset(
    {
        Element.FAILURE,
        Element.ERROR,
        Element.SKIPPED,
        Element.PASSED_LATER,
        Element.FAILED_AGAIN,
    }
)


def local_name(tag: str) -> str:
    """Return a tag's name without its namespace's prefix."""
    return tag.rpartition(":")[2]


def element_of(tag: str) -> Element:
    """Return what an element means, whatever its namespace and its case."""
    name = local_name(tag).lower()
    known = _ELEMENTS.get(name)
    if known is not None:
        return known
    earlier = _EARLIER_TRY.fullmatch(name)
    if earlier is not None:
        return Element.PASSED_LATER if earlier[1] == "flaky" else Element.FAILED_AGAIN
    return Element.OTHER


def is_failing_element(tag: str) -> bool:
    """Whether an element that no tool is known for names a failure, directly in a test case."""
    return _FAILING_ELEMENT.search(local_name(tag).lower()) is not None


def declared_outcome(attributes: dict[str, str]) -> CaseOutcome | None:
    """Return the outcome that a test case has in its attributes alone; None where it has none."""
    if _TELLING.isdisjoint(attributes):
        return None
    found: set[CaseOutcome] = set()
    for name in ("status", "result", "outcome"):
        word = attributes.get(name, "").lower().replace("_", "").replace("-", "").replace(" ", "")
        if word in _FAILED:
            found.add(CaseOutcome.FAILED)
        elif word in _BROKEN:
            found.add(CaseOutcome.ERROR)
        elif word in _NOT_RUN:
            found.add(CaseOutcome.SKIPPED)
    if attributes.get("executed", "").lower() in _NO:
        found.add(CaseOutcome.SKIPPED)
    elif attributes.get("success", "").lower() in _NO:
        found.add(CaseOutcome.FAILED)
    worst_first = (CaseOutcome.FAILED, CaseOutcome.ERROR, CaseOutcome.SKIPPED)
    return next((outcome for outcome in worst_first if outcome in found), None)


def is_undecided(attributes: dict[str, str]) -> bool:
    """Whether a test case neither passed nor failed, and its suite counts it among the errors."""
    return attributes.get("status", "").lower() in _UNDECIDED


def count(value: str | None) -> int | None:
    """Read a number of things; None where there is none or it cannot be one."""
    match = _COUNT.fullmatch((value or "").strip())
    return int(match[1]) if match else None


def seconds(value: str | None, *, points: bool = False) -> float:
    """Read a duration; what is no number counts as 0.

    The JVM writes in the machine's locale: `0,16`, `1.234,56`, `1,234.56`, `1 234,56`.

    Args:
        value: As the tool wrote it, with or without `s` or `ms` behind it.
        points: Whether the file's other durations have a decimal point: then a lone comma groups.
    """
    text, divisor = _GROUP_MARKS.sub("", value or ""), 1.0
    for unit, of_a_second in _UNITS.items():
        if text.endswith(unit):
            text, divisor = text.removesuffix(unit), of_a_second
            break
    total = 0.0
    for part in text.split(":")[:3]:
        try:
            total = total * 60 + float(_with_point(part, points=points))
        except ValueError:
            return 0.0
    return total / divisor if math.isfinite(total) and total > 0 else 0.0


def has_decimal_point(value: str | None) -> bool:
    """Whether a duration shows that its tool writes a decimal point."""
    text = value or ""
    whole, point, _ = text.partition(".")
    return bool(point) and "." not in text[len(whole) + 1 :] and "," not in text[len(whole) :]


def _with_point(text: str, *, points: bool) -> str:
    if "," not in text:
        return text.replace(".", "") if _GROUPED_BY_POINT.fullmatch(text) else text
    if _GROUPED_BY_POINT.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    groups = _GROUPED_BY_COMMA.fullmatch(text)
    if groups and (points or groups[2] or text.count(",") > 1):
        return text.replace(",", "")
    return text.replace(",", ".")


def time_of(value: str | None) -> datetime | None:
    """Read when something began, in UTC; None where that is no time.

    ISO 8601 (without a zone it is UTC), RFC 1123, what `date` prints, seconds or milliseconds since
    1970.
    """
    text = (value or "").strip()[:64]
    try:
        time = _epoch(text) or _written(text)
        if time is None:
            return None
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
    return time if time.year in _YEARS else None


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    number = float(text)
    is_milliseconds = len(text.partition(".")[0]) >= _MILLISECONDS_DIGITS
    return datetime.fromtimestamp(number / 1000 if is_milliseconds else number, tz=UTC)


def _written(text: str) -> datetime | None:
    if text[:4].isdecimal():
        # Java puts the zone's name behind its offset, TestNG in the place of one.
        return datetime.fromisoformat(_ZONE_NAME.sub("Z", text.partition("[")[0]))
    # JavaScript's own form has words behind the zone.
    javascript = re.fullmatch(r"(\w{3}) (\w{3}) (\d\d) (\d{4}) ([\d:]+) GMT([+-]\d{4}).*", text)
    if javascript:
        day, month, number, year, clock, zone = javascript.groups()
        text = f"{day}, {number} {month} {year} {clock} {zone}"
    return parsedate_to_datetime(text)
