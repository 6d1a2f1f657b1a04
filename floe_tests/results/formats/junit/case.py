"""One test case of a JUnit file, from its opening tag to a `CaseResult`."""

from __future__ import annotations

from dataclasses import dataclass, field

from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.formats.junit import words
from floe_tests.results.formats.junit.fault import TRIES_TYPE, Fault
from floe_tests.results.formats.junit.texts import (
    READ_CHARACTERS,
    Outputs,
    Text,
    attached,
    joined,
    section,
    tried,
)
from floe_tests.results.formats.junit.words import Element

# A case with more than these is no test's; each would cost memory.
MAX_FAULTS = 20
_MAX_PROPERTIES = 20
_PROPERTY_CHARACTERS = 200
_TYPE_CHARACTERS = 1024

# CTest calls a test whose program is missing skipped, and fails.
_NEVER_STARTED = "Unable to find "
# PHPUnit 9 writes a test that asserts nothing as an error, and counts and ends as if it had passed.
_RISKY = "\\RiskyTestError"
_PYTEST_COLLECTION = ("collection failure", "collection skipped")
_OUTCOMES = {
    Element.FAILURE: CaseOutcome.FAILED,
    Element.ERROR: CaseOutcome.ERROR,
    Element.FAILED_AGAIN: CaseOutcome.FAILED,
    Element.SKIPPED: CaseOutcome.SKIPPED,
}
_EARLIER = frozenset({Element.PASSED_LATER, Element.FAILED_AGAIN})


@dataclass(slots=True)
class Shown:
    """What a suite's elements show, its inner suites' included.

    Attributes:
        tests: Test cases, and the further tries that stand inside of one.
        not_run: Cases that did not run.
        failing: Cases that make a run red.
        faults: Failures and errors, those of earlier tries included.
    """

    tests: int = 0
    not_run: int = 0
    failing: int = 0
    faults: int = 0

    def add(self, other: Shown) -> None:
        """Add what a case or an inner suite shows."""
        self.tests += other.tests
        self.not_run += other.not_run
        self.failing += other.failing
        self.faults += other.faults


@dataclass(slots=True)
class OpenCase:
    """A test case whose end has not come yet."""

    name: str
    attributes: dict[str, str]
    points: bool = False
    faults: list[Fault] = field(default_factory=list[Fault])
    outputs: Outputs = field(default_factory=Outputs)
    properties: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    fault_count: int = 0
    tries: int = 0
    untold_tries: int = 0
    """Earlier tries that the file mentions, and of which it says nothing else."""
    keeps_output: bool = False
    """Whether what it printed is kept although it did not fail."""

    def add_fault(self, kind: Element, attributes: dict[str, str]) -> Text | None:
        """Add a fault and return the text that its element fills; None beyond the limit."""
        message = attributes.get("message", "")
        if kind is Element.SKIPPED and message.startswith(_NEVER_STARTED):
            kind = Element.ERROR
        if attributes.get("type", "").endswith(_RISKY):
            kind = Element.OTHER
        self.tries += kind in _EARLIER
        self.fault_count += kind is not Element.SKIPPED
        known = any(fault.kind is kind for fault in self.faults)
        if known and len(self.faults) >= MAX_FAULTS:
            return None
        # A tag may be megabytes long.
        message = message[:READ_CHARACTERS]
        kept_type = attributes.get("type", "")[:_TYPE_CHARACTERS]
        fault = Fault(kind, message=message, type=kept_type, of=self.name)
        self.faults.append(fault)
        return fault.text

    def add_property(self, attributes: dict[str, str]) -> None:
        """Add a property; beyond the limit it is left out."""
        name, value = attributes.get("name", ""), attributes.get("value")
        if len(self.properties) < _MAX_PROPERTIES and name and value:
            self.properties.append((name, value[:_PROPERTY_CHARACTERS]))

    @property
    def is_nameless(self) -> bool:
        """Whether it has neither name nor fault: pytest's trace of a test that never ended."""
        return not (self.faults or "name" in self.attributes or "classname" in self.attributes)

    @property
    def was_left_out(self) -> bool:
        """Whether GoogleTest skipped it for its suite: its only reason is its own place."""
        if len(self.faults) != 1 or self.faults[0].kind is not Element.SKIPPED:
            return False
        place = f"{self.attributes.get('file', '')}:{self.attributes.get('line', '')}"
        return place != ":" and self.faults[0].message.strip() == place

    def shown(self, result: CaseResult) -> Shown:
        """Return what it counts for in its suite."""
        return Shown(
            tests=1 + max(0, self.fault_count - 1, self.tries),
            not_run=result.outcome is CaseOutcome.SKIPPED,
            failing=result.outcome.is_failing,
            # No tool counts a failure that it expected.
            faults=0
            if result.is_expected_failure
            else max(
                self.fault_count, result.outcome.is_failing, words.is_undecided(self.attributes)
            ),
        )

    def result(self) -> CaseResult:
        """Return the case as every part of the project sees it."""
        outcome, deciding = self._decided()
        first = next((fault for fault in deciding if not fault.is_empty), None)
        return CaseResult(
            name=self.name,
            outcome=outcome,
            seconds=words.seconds(self.attributes.get("time"), points=self.points),
            message=self._message(outcome, first),
            text=self._text(outcome, first) if self._has_text(outcome) else "",
            file=self.attributes.get("file"),
            line=words.count(self.attributes.get("line")) or None,
            reruns=self.tries + self.untold_tries,
            is_collection=(
                first is not None
                and "::" not in self.name
                and first.message.startswith(_PYTEST_COLLECTION)
            ),
            is_expected_failure=(
                outcome is CaseOutcome.SKIPPED and first is not None and first.is_expected
            ),
        )

    def _has_text(self, outcome: CaseOutcome) -> bool:
        return bool(self.faults) or self.keeps_output or outcome.is_failing

    def _decided(self) -> tuple[CaseOutcome, list[Fault]]:
        """Return the outcome and the faults that say it; an empty one gives way to any other."""
        kinds = (Element.FAILURE, Element.ERROR, Element.FAILED_AGAIN, Element.SKIPPED)
        if not self.faults:
            return words.declared_outcome(self.attributes) or CaseOutcome.PASSED, []
        may_fail = [fault for fault in self.faults if fault.may_fail]
        if may_fail and may_fail[0].is_expected:
            return CaseOutcome.SKIPPED, may_fail
        by_kind = [[fault for fault in self.faults if fault.kind is kind] for kind in kinds]
        present = [faults for faults in by_kind if faults]
        failing = [faults for faults in present if faults[0].kind is not Element.SKIPPED]
        told = [faults for faults in failing if not all(fault.is_empty for fault in faults)]
        ranked = told or failing or present
        deciding = ranked[0] if ranked else []
        outcome = _OUTCOMES[deciding[0].kind] if deciding else CaseOutcome.PASSED
        declared = words.declared_outcome(self.attributes)
        if declared is not None and not outcome.is_failing:
            # An earlier try is no outcome, and a skip is none of a test that says it failed.
            outcome = declared if declared.is_failing or not deciding else outcome
        return outcome, deciding

    def _message(self, outcome: CaseOutcome, first: Fault | None) -> str:
        if first is not None and (told := first.told()):
            return told
        if self.faults and not outcome.is_failing:
            return next((fault.told() for fault in self.faults if fault.told()), "")
        if not outcome.is_failing:
            return ""
        # CTest and Cucumber give a failure no message: what was printed last may say something.
        return self.outputs.last_line() or f"the test case is marked as {outcome}"

    def _text(self, outcome: CaseOutcome, first: Fault | None) -> str:
        parts: list[str] = []
        number = 0
        for fault in self.faults:
            text = str(fault.text).strip("\n")
            if fault.kind in _EARLIER and fault.type != TRIES_TYPE and fault is not first:
                number += 1
                text = tried(number, fault.told(), text)
            elif fault is not first and fault.message and fault.message not in text:
                text = f"{fault.message}\n{text}"
            parts.append(text)
        if outcome.is_failing or self.tries or self.keeps_output:
            # What a test printed that passed at once is of no use to anybody afterwards.
            parts += self._surroundings()
        return joined(parts)

    def _surroundings(self) -> list[str]:
        """Return attachments, properties and outputs; the longest last, where a text is cut."""
        paths = [value for name, value in self.properties if _is_attachment(name)]
        paths += self.outputs.attachments()
        told = [f"{name}: {value}" for name, value in self.properties if not _is_attachment(name)]
        return [attached(paths), section("properties", "\n".join(told)), *self.outputs.sections()]


def _is_attachment(name: str) -> bool:
    """Whether a property names a file that the test left (`attachment`, `testrail_attachment`)."""
    return "attachment" in name.lower()
