"""What a JUnit document says, gathered while it is being parsed.

No tree is built: an element is forgotten when it closes, so a file of 64 MiB costs little more than
the texts that are kept of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from floe_tests.results.cases import (
    NAMES_BYTES,
    SUITE_CASE,
    CaseOutcome,
    CaseResult,
    Merging,
    TextBudget,
    case_name,
    memory_bytes,
)
from floe_tests.results.formats import foreign
from floe_tests.results.formats.junit import dialects, words
from floe_tests.results.formats.junit.case import OpenCase, Shown
from floe_tests.results.formats.junit.suites import (
    COUNTS_MORE,
    FoundCase,
    OpenSuite,
    Producer,
    Writer,
    is_meson,
    producer_by_property,
    producer_of,
)
from floe_tests.results.formats.junit.texts import Text, with_earlier_try
from floe_tests.results.formats.junit.words import Element

_PYTEST_TEARDOWN = "failed on teardown with"
_MOST_TOLD = 50
# Cypress gives each file of tests a report, and names it in this suite alone, which has no test.
_ROOT_OF_CYPRESS = "Root Suite"
_OF_MESON = (
    "Meson wrote this file: in it a test that ran out of time, or that passed and should have "
    "failed, looks as if it had passed. The exit code of `meson test` alone says so"
)
_OUTPUTS = frozenset({Element.STANDARD_OUTPUT, Element.STANDARD_ERROR})


class MalformedDocument(Exception):  # noqa: N818 - an inner signal; callers see UnreadableResults
    """The document is no JUnit, or beyond a limit."""


class FullDocument(MalformedDocument):
    """The document goes on beyond a limit; what was read until there is kept."""


class JUnitDocument:
    """Receives the parser's events (`start`, `end`, `data`) and keeps the cases."""

    def __init__(
        self, *, max_cases: int, max_depth: int, budget: TextBudget, names_bytes: int = NAMES_BYTES
    ) -> None:
        """Start an empty document.

        Args:
            max_cases: Number of test cases beyond which no more are read.
            max_depth: Nesting of elements beyond which it is refused.
            budget: Bounds the text kept of all cases together.
            names_bytes: Memory of all names together.
        """
        self._max_cases = max_cases
        self._max_depth = max_depth
        self._budget = budget
        self.names_left_bytes = names_bytes
        self._depth = 0
        self._suites: list[OpenSuite] = []
        self._cases: list[OpenCase] = []
        self._text: Text | None = None
        self._text_depth = 0
        self._read = 0
        self._points = False
        self._file = ""
        self._root: frozenset[str] = frozenset()
        self._writer = Writer.OTHER
        self._merging = Merging()
        self.is_closed = False
        """Whether its root element has ended."""
        self.producer = Producer.OTHER
        self.found: list[FoundCase] = []
        """The cases, in the document's order."""
        self.started_at: datetime | None = None
        """The earliest time that the document names."""
        self.contradictions: list[str] = []
        """What its suites declare and do not show."""
        self.notices: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take an opening tag."""
        element = words.element_of(tag)
        self._depth += 1
        if self._depth > self._max_depth:
            message = f"its elements are nested deeper than {self._max_depth}"
            raise MalformedDocument(message)
        if self._depth == 1 and (element is not Element.SUITES or tag.endswith("TestRun")):
            raise MalformedDocument(foreign.explained(tag))
        if element is Element.SUITES:
            self._start_suite(tag, attributes)
        elif element is Element.CASE:
            self._start_case(attributes)
        elif self._text is None:
            self._start_inside(tag, element, attributes)

    def comment(self, text: str) -> None:
        """Take a comment: TestNG signs its files in one."""
        if "org.testng." in text[:200] and self.producer is Producer.OTHER:
            self.producer = Producer.TESTNG
            is_report = "JUnitReportReporter" in text[:200]
            self._writer = (
                Writer.TESTNG_REPORT_REPORTER if is_report else Writer.TESTNG_XML_REPORTER
            )

    def data(self, text: str) -> None:
        """Take character data."""
        if self._text is not None:
            self._text.add(text)

    def end(self, tag: str) -> None:
        """Take a closing tag."""
        if self._text is not None and self._depth <= self._text_depth:
            self._text = None
        self._depth -= 1
        element = words.element_of(tag)
        if element is Element.CASE and self._cases:
            self._end_case(self._cases.pop())
        elif element is Element.SUITES and self._suites:
            self._end_suite()
        self.is_closed = not self._depth

    def cut_off(self) -> str:
        """Close what is open where the document ends too early, and say what was being told.

        Returns:
            The name of the test case in whose middle the document ends; empty when there is none.
        """
        self._text = None
        open_case = ""
        while self._cases:
            case = self._cases.pop()
            open_case = case.name
            # Whether one without a failure would have got one is not known.
            if case.faults:
                self._end_case(case)
        while self._suites:
            self._suites.pop()
        return open_case

    def _start_suite(self, tag: str, attributes: dict[str, str]) -> None:
        self.producer = producer_of(words.local_name(tag), attributes, self.producer)
        if self._depth == 1:
            self._root = frozenset(attributes)
        elif self.producer is Producer.OTHER and is_meson(self._root, attributes):
            self.producer = Producer.MESON
            self.notices.append(_OF_MESON)
        self._points = self._points or words.has_decimal_point(attributes.get("time"))
        began = words.time_of(attributes.get("timestamp"))
        if began is not None and (self.started_at is None or began < self.started_at):
            self.started_at = began
        outer = self._suites[-1].place if self._suites else None
        if attributes.get("name") == _ROOT_OF_CYPRESS:
            self._file = attributes.get("file", "")
        self._suites.append(OpenSuite.opened(attributes, outer, file=self._file))

    def _start_case(self, attributes: dict[str, str]) -> None:
        # pytest writes an empty class name for a module; tools that write none mean the suite's.
        suite = attributes.get("suitename") or self._suites[-1].name
        classname = attributes.get("classname", suite)
        name = case_name(classname=classname, name=attributes.get("name", ""))
        self._points = self._points or words.has_decimal_point(attributes.get("time"))
        self._cases.append(OpenCase(name, attributes, points=self._points))
        self._text = None

    def _start_inside(self, tag: str, element: Element, attributes: dict[str, str]) -> None:
        text: Text | None = None
        if self._cases:
            text = self._inside_case(self._cases[-1], tag, element, attributes)
        elif element in _OUTPUTS:
            text = self._suites[-1].outputs.opened(element)
        elif element is Element.PROPERTY:
            self._suites[-1].place.add_property(attributes)
            self.producer = producer_by_property(attributes, self.producer)
        elif element in {Element.FAILURE, Element.ERROR}:
            text = self._suite_case().add_fault(element, attributes)
        if text is not None:
            self._text, self._text_depth = text, self._depth

    @staticmethod
    def _inside_case(
        case: OpenCase, tag: str, element: Element, attributes: dict[str, str]
    ) -> Text | None:
        """Take an element of a case and return the text that it fills."""
        if element is Element.OTHER and words.is_failing_element(tag):
            element = Element.FAILURE
        if element in words.FAULTS:
            return case.add_fault(element, attributes)
        if element in _OUTPUTS:
            return case.outputs.opened(element)
        if element is Element.PROPERTY:
            case.add_property(attributes)
        return None

    def _suite_case(self) -> OpenCase:
        """Return the case that stands for what befell the open suite itself."""
        suite = self._suites[-1]
        if suite.own is None:
            suite.own = OpenCase(case_name(classname=suite.name, name=SUITE_CASE), {})
        return suite.own

    def _end_case(self, case: OpenCase) -> None:
        if self.producer is Producer.PYTEST and case.is_nameless:
            return
        dialects.understand(case, self.producer)
        result = case.result()
        # A failure without a name is of a hook (Surefire), and is counted as its tool likes.
        self._suites[-1].nameless += not (case.faults or case.attributes.get("name", "").strip())
        self._suites[-1].shown.add(case.shown(result))
        self._suites[-1].left_out += case.was_left_out
        self._add(result)

    def _end_suite(self) -> None:
        suite = self._suites[-1]
        if suite.is_repeated and suite.place.repeats_tests:
            # Go itself calls such a run failed.
            for one in suite.passed_again:
                one.case = replace(one.case, outcome=CaseOutcome.FAILED)
        if suite.own is None and suite.hides_failures():
            message = (
                f"the suite declares {suite.declared_failing} failures and errors, and "
                "none of its test cases shows one"
            )
            self._suite_case().add_fault(Element.ERROR, {"message": message})
            suite.told_failing += suite.declared_failing
        if suite.own is not None:
            suite.shown.add(Shown(failing=1, faults=suite.own.fault_count))
            self._add(suite.own.result())
        suite.share_output(self._budget)
        self.contradictions += suite.contradictions()
        if unbegun := suite.unbegun():
            self.notices.append(unbegun)
        if missing := suite.missing(self.producer):
            if self.producer in COUNTS_MORE:
                self.notices.append(f"{missing} ({COUNTS_MORE[self.producer]})")
            else:
                self.contradictions.append(missing)
        del self.contradictions[_MOST_TOLD:], self.notices[_MOST_TOLD:]
        self._suites.pop()
        if self._suites:
            suite.close_into(self._suites[-1])

    def _add(self, case: CaseResult) -> None:
        self._read += 1
        if self._read > self._max_cases:
            message = f"it holds more than {self._max_cases} test cases"
            raise FullDocument(message)
        suite = self._suites[-1]
        earlier = suite.cases.get(case.name)
        if earlier is not None and (earlier.case.file, earlier.case.line) == (case.file, case.line):
            joined = self._joined(earlier.case, case)
            if joined is not None:
                if earlier.case.outcome.is_failing and not joined.outcome.is_failing:
                    suite.passed_again.append(earlier)
                earlier.case = self._budget.keep(joined)
                return
            # A subtest runs again with the test around it.
            suite.is_repeated = suite.is_repeated or not (
                earlier.case.outcome.is_failing or "/" in case.name.rpartition("::")[2]
            )
        self.names_left_bytes -= memory_bytes(case.name, case.file or "")
        if self.names_left_bytes < 0:
            message = f"the names of its test cases take more than {NAMES_BYTES} bytes"
            raise FullDocument(message)
        writer = Writer.SUREFIRE if self.producer is Producer.SUREFIRE else self._writer
        found = FoundCase(self._budget.keep(case), suite.place, writer=writer)
        suite.cases[case.name] = found
        self.found.append(found)

    def _joined(self, earlier: CaseResult, later: CaseResult) -> CaseResult | None:
        """Return the one case that two elements of one name are; None for two tests."""
        if later.message.startswith(_PYTEST_TEARDOWN):
            return self._merging.of(earlier, later)
        if self.producer is Producer.PYTEST:
            return replace(self._merging.of(earlier, later), reruns=earlier.reruns + 1)
        if self.producer is Producer.TESTNG:
            is_try = CaseOutcome.SKIPPED in {earlier.outcome, later.outcome}
            if is_try and later.outcome is CaseOutcome.SKIPPED:
                earlier, later = later, earlier
        elif self.producer is Producer.WEBDRIVERIO:
            is_try = earlier.outcome is CaseOutcome.SKIPPED and bool(earlier.text)
        elif self.producer is Producer.SUREFIRE:
            is_try = earlier.outcome is CaseOutcome.SKIPPED and bool(earlier.message)
        else:
            is_try = earlier.outcome.is_failing and self._suites[-1].place.repeats_tests
        return with_earlier_try(later, earlier) if is_try else None
