"""Suites of a JUnit file: what they declare, what their cases show, and who wrote them.

A suite says how many tests it has and how many failed. A file that lost cases on its way still says
so in these counts: where they promise more than there is, the results are not complete. Some
tools count differently by design; what they mean is written down here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from floe_tests.results.cases import CaseResult, TextBudget, bounded_name, cut
from floe_tests.results.formats.junit import words
from floe_tests.results.formats.junit.case import OpenCase, Shown
from floe_tests.results.formats.junit.texts import Outputs, attached, joined

_COUNTED = ("tests", "failures", "errors")
_NOT_RUN = (("skipped", "skips", "skip", "ignored"), ("disabled", "notrun", "not-run"))
_PROPERTIES = 20
_PROPERTY_CHARACTERS = 64
_NAME_CHARACTERS = 200
_SECRET = re.compile(r"secret|passw|token|credential|private|api.?key", re.IGNORECASE)
_OF_GO = "go.version"
# A duration as Python writes it that nobody has rounded.
_UNROUNDED = re.compile(r"\d+\.\d{9,}(e-\d+)?")
# unittest-xml-reporting names each suite by its class and the time of the run.
_TIME_OF_RUN = re.compile(r"-\d{14}$")
# One text for all of a class' tests: enough to see what happened, for as many as people look at.
_SHARED_OUTPUT_BYTES = 8 * 1024
_SHARED_BY_MOST = 20


class Producer(StrEnum):
    """A tool whose files mean something that others' do not."""

    PYTEST = "pytest"
    """Writes a case again for a failure in clean-up and for each rerun; counts subtests as tests,
    which have no case of their own."""
    MOCHA = "Mocha"
    """Counts tests that a filter, or a failure before them, left out."""
    CATCH2 = "Catch2"
    """Counts assertions as tests."""
    DOCTEST = "doctest"
    """Counts assertions as tests, and writes a warning as a failure."""
    MESON = "Meson"
    """Writes a test that ran out of time, or that passed and should have failed, as passed."""
    SUREFIRE = "Surefire"
    """Has different tests of one name (parameters); of TestNG's it calls a try that is
    repeated skipped, with the failure as its message."""
    TESTNG = "TestNG"
    """Has different tests of one name (data providers); calls a try that is repeated skipped,
    without a word, and writes its cases in any order."""
    TESTCAFE = "TestCafe"
    """Says in a test's name that it passed after a failure, and where its screenshots are."""
    GINKGO = "Ginkgo"
    """Tells of tries that it repeated in what the test printed."""
    WEBDRIVERIO = "WebdriverIO"
    """Calls a try that is repeated skipped, with the error beside it."""
    OTHER = ""


class Writer(IntEnum):
    """What writes of one run of TestNG; the largest number says most."""

    OTHER = 0
    TESTNG_XML_REPORTER = 1
    TESTNG_REPORT_REPORTER = 2
    SUREFIRE = 3


def producer_of(tag: str, attributes: Mapping[str, str], known: Producer) -> Producer:
    """Recognise who wrote a file by one of its suites.

    Args:
        tag: The suite's element.
        attributes: Its attributes.
        known: What was recognised before; it stands.
    """
    if known is not Producer.OTHER:
        return known
    name = attributes.get("name", "")
    found = known
    if name == "pytest tests" or (name == "pytest" and tag.lower().endswith("testsuite")):
        found = Producer.PYTEST
    elif name == "Mocha Tests":
        found = Producer.MOCHA
    elif name.startswith("TestCafe Tests"):
        found = Producer.TESTCAFE
    elif attributes.get("hostname") == "tbd":
        found = Producer.CATCH2
    elif _is_doctest(tag, attributes):
        found = Producer.DOCTEST
    elif any("surefire" in value for key, value in attributes.items() if "ocation" in key):
        found = Producer.SUREFIRE
    return found


_OF_PROPERTY = {"specId": Producer.WEBDRIVERIO, "SuiteSucceeded": Producer.GINKGO}
"""Properties of suites that one tool alone writes."""


def producer_by_property(attributes: Mapping[str, str], known: Producer) -> Producer:
    """Recognise who wrote a file by a property of one of its suites."""
    if known is not Producer.OTHER:
        return known
    return _OF_PROPERTY.get(attributes.get("name", ""), known)


def _is_doctest(tag: str, attributes: Mapping[str, str]) -> bool:
    # Version and time are left out where its options say so.
    bare = {"name", "errors", "failures", "tests"}
    return tag.lower() == "testsuite" and (
        "doctest_version" in attributes or set(attributes) == bare
    )


def is_meson(root: Iterable[str], attributes: Mapping[str, str]) -> bool:
    """Whether a suite is Meson's: it names no tool, but nobody else writes these attributes alone.

    Args:
        root: What the root element says of itself.
        attributes: The suite's attributes.
    """
    return (
        set(root) == set(_COUNTED)
        and set(attributes) == {"name", "skipped", "time", *_COUNTED}
        and _UNROUNDED.fullmatch(attributes["time"]) is not None
    )


COUNTS_MORE = {
    Producer.PYTEST: "pytest counts subtests as tests",
    Producer.MOCHA: "Mocha counts tests that were left out",
}
"""Tools that by design declare more tests than they write cases."""


@dataclass(slots=True, eq=False)
class Place:
    """Where in its file a case stands: what tells two tests of one name apart.

    Attributes:
        path: Names of its suites, the outermost first.
        attributes: What else its suite says of itself, such as `hostname`.
        properties: The suite's properties, short ones alone.
    """

    path: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    properties: dict[str, str] = field(default_factory=dict[str, str])

    def add_property(self, attributes: Mapping[str, str]) -> None:
        """Take one of the suite's properties."""
        name, value = attributes.get("name", ""), attributes.get("value", "")
        short = max(len(name), len(value)) <= _PROPERTY_CHARACTERS
        if name and value and short and len(self.properties) < _PROPERTIES:
            self.properties[name] = value

    @property
    def repeats_tests(self) -> bool:
        """Whether its tool writes each try of a test as a case of its own.

        In Go a name is one test's: a suite of gotestsum, which names the version of Go, has a name
        twice because the test ran twice. With most other tools (RSpec, Behave, Robot Framework,
        Ginkgo, Mocha, Jest, vitest) two tests may have one title, and a failure of the one must not
        become a pass of the other.
        """
        return _OF_GO in self.properties


def common_properties(places: Iterable[Place]) -> dict[str, str]:
    """Return what suites say of themselves and no other suite says otherwise, the first ones.

    Ant and Surefire write all that the JVM was started with, passwords included: those stay out.
    """
    values: dict[str, set[str]] = {}
    for place in {id(place): place for place in places}.values():
        for name, value in place.properties.items():
            values.setdefault(name, set()).add(value)
    same = ((name, *found) for name, found in values.items() if len(found) == 1)
    kept = ((name, value) for name, value in same if not _SECRET.search(name))
    return dict(itertools.islice(kept, _PROPERTIES))


@dataclass(slots=True)
class FoundCase:
    """A case and where it stands.

    Attributes:
        case: The case, under the name that its own element gives.
        place: Its suite.
        source: The file that it was read from, where several are read together.
        also: Other files that it was read from.
        writer: What wrote the file.
    """

    case: CaseResult
    place: Place
    source: str = ""
    also: tuple[str, ...] = ()
    writer: Writer = Writer.OTHER


@dataclass(slots=True)
class OpenSuite:
    """A suite whose end has not come yet."""

    name: str
    place: Place
    declared: dict[str, int]
    unreadable: tuple[str, ...]
    shown: Shown = field(default_factory=Shown)
    outputs: Outputs = field(
        default_factory=lambda: Outputs(most=2, most_characters=_SHARED_OUTPUT_BYTES)
    )
    own: OpenCase | None = None
    """Stands for what befell the suite itself."""
    cases: dict[str, FoundCase] = field(default_factory=dict[str, FoundCase])
    """Its own cases by their names, the newest of each."""
    passed_again: list[FoundCase] = field(default_factory=list[FoundCase])
    """Those of them that failed first and passed in a later try."""
    is_repeated: bool = False
    """Whether a test of it ran again that had passed: `go test -count` and no rerun of failures."""
    told_tests: int = 0
    """Tests whose lack was told of an inner suite already."""
    told_failing: int = 0
    left_out: int = 0
    """Tests that were skipped for the suite, before they began."""
    nameless: int = 0
    """Cases of its own that have no name."""

    @classmethod
    def opened(
        cls, attributes: Mapping[str, str], outer: Place | None, *, file: str = ""
    ) -> OpenSuite:
        """Take a suite's opening tag.

        Args:
            attributes: Its attributes.
            outer: The suite around it.
            file: The file that the report is about, where its first suite alone names one.
        """
        name = attributes.get("name", "")
        path = (*(outer.path if outer else ()), _shown(_TIME_OF_RUN.sub("", name)))
        kept = {
            key: _shown(attributes[key])
            for key in ("file", "filepath", "package", "hostname")
            if attributes.get(key)
        }
        if file:
            kept.setdefault("file", _shown(file))
        numbers = {
            key: words.count(attributes.get(key)) for key in itertools.chain(_COUNTED, *_NOT_RUN)
        }
        unreadable = tuple(
            f'{key}="{attributes[key][:40]}"'
            for key in _COUNTED
            if numbers[key] is None and attributes.get(key, "").strip()
        )
        declared = {key: number for key, number in numbers.items() if number is not None}
        return cls(name, Place(path, kept), declared, unreadable)

    @property
    def declared_failing(self) -> int:
        """Failures and errors that it declares; Mocha's own reporter says each in both."""
        failures, errors = self.declared.get("failures", 0), self.declared.get("errors", 0)
        return failures if failures == errors == self.shown.faults else failures + errors

    def hides_failures(self) -> bool:
        """Whether it declares failures and nothing in it shows one."""
        return bool(self.declared_failing) and not (self.shown.faults or self.told_failing)

    def missing(self, producer: Producer) -> str:
        """Say how many tests it declares and does not have, and remember that it was told."""
        # Behave and Jasmine count tests that did not run, and can leave them out of the file.
        not_run = sum(max(self.declared.get(key, 0) for key in keys) for keys in _NOT_RUN)
        hidden = max(0, not_run - self.shown.not_run)
        declared = self.declared.get("tests", 0)
        missing = declared - self.shown.tests - hidden - self.told_tests
        if missing <= 0 or producer in {Producer.CATCH2, Producer.DOCTEST}:
            return ""
        self.told_tests += missing
        return f"suite {self.shown_name} declares {declared} tests and has {self.shown.tests}"

    def unbegun(self) -> str:
        """Say that none of its tests began, where the file does not tell whether that is well."""
        if not self.left_out or self.left_out != self.shown.tests:
            return ""
        return (
            f"suite {self.shown_name}: SetUpTestSuite failed or skipped, and none of its "
            f"{self.left_out} tests began; the program's exit code alone says which"
        )

    def share_output(self, budget: TextBudget) -> None:
        """Give what the suite printed to the failures in it that have no output of their own.

        Gradle, Ant and Bazel write one output for all tests of a class or a target.
        """
        if not self.outputs.texts:
            return
        failing = [one for one in self.cases.values() if one.case.outcome.is_failing]
        silent = [one for one in failing if "--- standard " not in one.case.text]
        if not silent:
            return
        printed = joined(self.outputs.sections(of=" of the suite"))
        names = attached(self.outputs.attachments())
        shared = joined([names, cut(printed, _SHARED_OUTPUT_BYTES)])
        for one in silent[:_SHARED_BY_MOST]:
            text = joined([one.case.text, shared])
            one.case = budget.keep(replace(one.case, text=text))

    def contradictions(self) -> tuple[str, ...]:
        """Say which failures it declares and does not show, and which counts cannot be right."""
        found = [f"declares {text}, which is no number of tests" for text in self.unreadable]
        lacking = self.declared_failing - self.shown.faults - self.told_failing
        if lacking > 0 and not self.hides_failures():
            self.told_failing += lacking
            found.append(
                f"declares {self.declared_failing} failures and errors and shows "
                f"{self.shown.faults}"
            )
        declared = self.declared.get("tests", 0)
        if self.nameless and self.shown.tests > declared > 0:
            found.append(
                f"declares {declared} tests and has {self.shown.tests}, "
                f"{self.nameless} of them without a name"
            )
        return tuple(f"suite {self.shown_name} {text}" for text in found)

    @property
    def shown_name(self) -> str:
        """Its name, as people are told it."""
        return self.place.path[-1] or "without a name"

    def close_into(self, outer: OpenSuite) -> None:
        """Add what it shows to the suite around it."""
        outer.shown.add(self.shown)
        outer.told_tests += self.told_tests
        outer.told_failing += self.told_failing


def _shown(text: str) -> str:
    return bounded_name(text[:_NAME_CHARACTERS]) if text else ""
