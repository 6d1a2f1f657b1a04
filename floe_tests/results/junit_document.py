"""What a JUnit document says, gathered while it is being parsed.

No tree is built: an element is forgotten when it closes, so a file of 64 MiB costs little more than
the texts that are kept of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from floe_tests.results.cases import (
    NAMES_BYTES,
    TEXT_BYTES,
    CaseOutcome,
    CaseResult,
    TextBudget,
    case_name,
    memory_bytes,
)

_FaultKind = Literal["failure", "error", "skipped"]
_FAULTS: dict[str, _FaultKind] = {"failure": "failure", "error": "error", "skipped": "skipped"}
# Surefire keeps the earlier tries of a rerun test in these; the first two say that it passed then.
_RERUNS = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
_OUTPUTS = {"system-out": "standard output", "system-err": "standard error"}
# GoogleTest and CTest mark a test that did not run in an attribute alone.
_NOT_RUN = frozenset({"notrun", "disabled", "skipped", "suppressed"})

_PYTEST_SUITES = frozenset({"pytest", "pytest tests"})
_PYTEST_COLLECTION = ("collection failure", "collection skipped")
_PYTEST_TEARDOWN = "failed on teardown with"

# A case with more than these is no test's; each would cost memory.
_MAX_FAULTS = 20
_MAX_OUTPUTS = 10

# Read more than a case keeps, so that the cut in the middle knows the end of most texts.
_READ_CHARACTERS = 4 * TEXT_BYTES
_TYPE_CHARACTERS = 1024


class MalformedDocument(Exception):  # noqa: N818 - an inner signal; callers see UnreadableResults
    """The document is no JUnit, or beyond a limit."""


@dataclass(slots=True)
class _Text:
    """Character data of one element, bounded: the beginning, and the newest part of the rest."""

    head: list[str] = field(default_factory=list[str])
    tail: str = ""
    head_characters: int = 0

    def add(self, data: str) -> None:
        if self.head_characters < _READ_CHARACTERS:
            self.head.append(data)
            self.head_characters += len(data)
        else:
            self.tail = (self.tail + data)[-TEXT_BYTES:]

    def __str__(self) -> str:
        return "".join(self.head) + self.tail


@dataclass(slots=True)
class _Fault:
    kind: _FaultKind
    message: str
    type: str
    text: _Text = field(default_factory=_Text)


@dataclass(slots=True)
class _OpenCase:
    name: str
    attributes: dict[str, str]
    faults: list[_Fault] = field(default_factory=list[_Fault])
    outputs: list[tuple[str, _Text]] = field(default_factory=list[tuple[str, _Text]])
    reruns: int = 0


@dataclass(slots=True)
class _OpenSuite:
    name: str
    declared_failing: int
    shown_failing: int = 0
    faults: list[_Fault] = field(default_factory=list[_Fault])


class JUnitDocument:
    """Receives the parser's events (`start`, `end`, `data`, `close`) and keeps the cases."""

    def __init__(self, *, max_cases: int, max_depth: int, text_bytes: int) -> None:
        """Start an empty document.

        Args:
            max_cases: Number of test cases beyond which the document is refused.
            max_depth: Nesting of elements beyond which it is refused.
            text_bytes: Text kept of all cases together; the rest is left out with a notice.
        """
        self._max_cases = max_cases
        self._max_depth = max_depth
        self._budget = TextBudget(text_bytes)
        self._names_left_bytes = NAMES_BYTES
        self._depth = 0
        self._suites: list[_OpenSuite] = []
        self._case: _OpenCase | None = None
        self._text: _Text | None = None
        self._cases: dict[str, CaseResult] = {}
        self._occurrences: dict[str, int] = {}
        self._read = 0
        self._is_pytest = False

    def cases(self) -> tuple[CaseResult, ...]:
        """Give the cases in the document's order."""
        return tuple(self._cases.values())

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take an opening tag."""
        tag = _local(tag)
        self._depth += 1
        if self._depth > self._max_depth:
            message = f"its elements are nested deeper than {self._max_depth}"
            raise MalformedDocument(message)
        if self._depth == 1 and tag not in {"testsuites", "testsuite"}:
            message = f"its root is <{tag[:40]}>, not <testsuites> or <testsuite>"
            raise MalformedDocument(message)
        if self._case is not None:
            self._start_inside_case(tag, attributes)
        elif tag in {"testsuites", "testsuite"}:
            self._start_suite(attributes)
        elif tag == "testcase":
            self._start_case(attributes)
        elif tag in {"failure", "error"}:
            self._text = _add_fault(self._suites[-1].faults, tag, attributes)

    def data(self, text: str) -> None:
        """Take character data."""
        if self._text is not None:
            self._text.add(text)

    def end(self, tag: str) -> None:
        """Take a closing tag."""
        tag = _local(tag)
        self._depth -= 1
        if tag in _FAULTS or tag in _OUTPUTS:
            self._text = None
        elif tag == "testcase" and self._case is not None:
            if not self._is_unended(self._case):
                self._add(_finished(self._case))
            self._case = None
        elif tag in {"testsuites", "testsuite"} and self._case is None:
            self._end_suite()

    def close(self) -> None:
        """Take the document's end."""

    def _start_suite(self, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        self._is_pytest = self._is_pytest or name in _PYTEST_SUITES
        declared = _count(attributes.get("failures")) + _count(attributes.get("errors"))
        self._suites.append(_OpenSuite(name=name, declared_failing=declared))

    def _start_case(self, attributes: dict[str, str]) -> None:
        # pytest writes an empty class name for a module; tools that write none mean the suite's.
        classname = attributes.get("classname", self._suites[-1].name)
        name = attributes.get("name", "")
        self._case = _OpenCase(case_name(classname=classname, name=name), attributes)

    def _start_inside_case(self, tag: str, attributes: dict[str, str]) -> None:
        case = self._case
        if case is None:
            return
        if tag in _FAULTS:
            self._text = _add_fault(case.faults, tag, attributes)
        elif tag in _OUTPUTS and len(case.outputs) < _MAX_OUTPUTS:
            output = _Text()
            case.outputs.append((_OUTPUTS[tag], output))
            self._text = output
        elif tag in _RERUNS:
            case.reruns += 1

    def _is_unended(self, case: _OpenCase) -> bool:
        """Tell what pytest writes of the test in whose middle it was stopped: a bare element."""
        named = "name" in case.attributes or "classname" in case.attributes
        return self._is_pytest and not named and not case.faults

    def _end_suite(self) -> None:
        suite = self._suites.pop()
        if suite.faults or (suite.declared_failing and not suite.shown_failing):
            faults = suite.faults or [
                _Fault(
                    "error",
                    message=f"the suite declares {suite.declared_failing} failures and errors, and "
                    "none of its test cases shows one",
                    type="",
                )
            ]
            case = _OpenCase(case_name(classname=suite.name, name="(suite)"), {}, faults)
            suite.shown_failing += 1
            self._add(_finished(case))
        if self._suites:
            self._suites[-1].shown_failing += suite.shown_failing

    def _add(self, case: CaseResult) -> None:
        self._names_left_bytes -= memory_bytes(case.name, case.file or "")
        if self._names_left_bytes < 0:
            message = f"the names of its test cases take more than {NAMES_BYTES} bytes"
            raise MalformedDocument(message)
        self._read += 1
        if self._read > self._max_cases:
            message = f"it holds more than {self._max_cases} test cases"
            raise MalformedDocument(message)
        if self._suites and case.outcome.is_failing:
            self._suites[-1].shown_failing += 1
        earlier = self._cases.get(case.name)
        if earlier is None:
            self._cases[case.name] = self._budget.keep(case)
        elif case.message.startswith(_PYTEST_TEARDOWN):
            self._cases[case.name] = earlier.merged_with(self._budget.keep(case))
        elif self._is_pytest:
            merged = earlier.merged_with(self._budget.keep(case))
            self._cases[case.name] = replace(merged, reruns=earlier.reruns + 1)
        else:
            numbered = self._numbered(case)
            self._cases[numbered.name] = self._budget.keep(numbered)

    def _numbered(self, case: CaseResult) -> CaseResult:
        number = self._occurrences.get(case.name, 1)
        name = case.name
        while name in self._cases:
            number += 1
            name = f"{case.name} #{number}"
        self._occurrences[case.name] = number
        return replace(case, name=name)


def _finished(case: _OpenCase) -> CaseResult:
    outcome = CaseOutcome.PASSED
    if case.attributes.get("status", case.attributes.get("result", "")).lower() in _NOT_RUN:
        outcome = CaseOutcome.SKIPPED
    faults: list[_Fault] = []
    for kind, kind_outcome in (
        ("failure", CaseOutcome.FAILED),
        ("error", CaseOutcome.ERROR),
        ("skipped", CaseOutcome.SKIPPED),
    ):
        faults = [fault for fault in case.faults if fault.kind == kind]
        if faults:
            outcome = kind_outcome
            break
    message = _message(faults[0]) if faults else ""
    texts = [str(fault.text).strip("\n") for fault in case.faults]
    if outcome.is_failing:
        # What a passing test printed is of no use to anybody afterwards.
        texts += [f"--- {title} ---\n{text}" for title, text in case.outputs if str(text).strip()]
    return CaseResult(
        name=case.name,
        outcome=outcome,
        seconds=_seconds(case.attributes.get("time")),
        message=message,
        text="\n\n".join(text for text in texts if text.strip()),
        file=case.attributes.get("file"),
        line=_count(case.attributes.get("line")) or None,
        reruns=case.reruns,
        is_collection="::" not in case.name and message.startswith(_PYTEST_COLLECTION),
    )


def _message(fault: _Fault) -> str:
    if fault.type == "pytest.xfail":
        return f"expected failure: {fault.message}"
    if fault.message:
        return fault.message
    first_line = next((line for line in str(fault.text).splitlines() if line.strip()), "")
    if fault.type and not first_line.startswith(fault.type):
        return f"{fault.type}: {first_line}" if first_line else fault.type
    return first_line


def _add_fault(faults: list[_Fault], tag: str, attributes: dict[str, str]) -> _Text | None:
    """Add a fault and give the text that its element fills; None beyond the limit."""
    if len(faults) >= _MAX_FAULTS:
        return None
    # A tag may be megabytes long.
    message = attributes.get("message", "")[:_READ_CHARACTERS]
    fault_type = attributes.get("type", "")[:_TYPE_CHARACTERS]
    fault = _Fault(_FAULTS[tag], message=message, type=fault_type)
    faults.append(fault)
    return fault.text


def _local(tag: str) -> str:
    """Give a tag without its namespace."""
    return tag.rpartition("}")[2]


def _count(value: str | None) -> int:
    """Read a number of things; what is none counts as 0."""
    if value is None or not value.strip().isdecimal():
        return 0
    return int(value[:12])


def _seconds(value: str | None) -> float:
    """Read a duration; Surefire groups thousands (`1,234.5`), and what is no number counts as 0."""
    try:
        seconds = float((value or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
