"""pytest's events (pytest-reportlog), read while they arrive; other tools' adapters write them too.

JUnit is written when pytest ends; a killed pod never ends. The events of a test are written as it
happens, so from them the progress is shown, and the results of a pod that died are rebuilt: every
test that finished, and which one was running. Outcomes, names and messages are those of pytest's
JUnit file, so that both sources give the same counts.

A test in whose set-up the pod died is not seen as running: pytest reports a set-up when it is over.

Source: https://github.com/pytest-dev/pytest-reportlog
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace

from floe_tests.core.json_values import count_of, is_array, is_object, text_of
from floe_tests.results.cases import (
    MESSAGE_BYTES,
    NAMES_BYTES,
    TEXT_BYTES,
    CaseOutcome,
    CaseResult,
    Merging,
    Tally,
    TextBudget,
    bounded_name,
    case_name,
    case_name_of_node,
    cut,
    legible,
    memory_bytes,
)
from floe_tests.results.formats.json_lines import JsonLines
from floe_tests.results.formats.junit.fault import XFAIL_MESSAGE
from floe_tests.results.formats.junit.texts import tried
from floe_tests.results.formats.longrepr import (
    crash_message,
    sections_text,
    skip_reason,
    traceback_text,
)

_TEST_REPORTS = frozenset({"TestReport", "SubTestReport", "SubtestReport"})
_PHASES = frozenset({"setup", "call", "teardown"})
_MAX_NODE_ID_CHARACTERS = 8 * 1024
_MAX_IN_FLIGHT = 1_000
# More are no test's; each would cost memory.
_MAX_FAULTS = 20
_LARGEST_EXIT_STATUS = 255
_LONGEST_SECONDS = 1e6
_MOST_UNREADABLE_LINES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLimits:
    """What the events may cost to read.

    Attributes:
        cases: Number of cases that are kept; further ones are counted in a notice.
        text_bytes: Text kept of all cases together, and again of all tests that are running.
        names_bytes: Memory of all names together; cases beyond it are counted in a notice.
    """

    cases: int = 100_000
    text_bytes: int = 24 * 1024 * 1024
    names_bytes: int = NAMES_BYTES


DEFAULT_LIMITS = EventLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A case that just finished.

    Attributes:
        case: The case. Reported again with its worse outcome when a test ran a second time.
        tally: All cases so far, this one included.
    """

    case: CaseResult
    tally: Tally


@dataclass(slots=True)
class _Fault:
    outcome: CaseOutcome
    message: str
    text: str
    is_expected: bool = False


@dataclass(slots=True)
class _RunningTest:
    """A test of which reports came, the last one not yet."""

    name: str
    file: str | None = None
    line: int | None = None
    seconds: float = 0.0
    faults: list[_Fault] = field(default_factory=list[_Fault])
    note: str = ""
    is_rerun: bool = False
    reruns: int = 0
    tries: list[_Fault] = field(default_factory=list[_Fault])
    text_bytes: int = 0

    def end_try(self) -> int:
        """Keep what failed as an earlier try, and return the memory of the texts that went.

        Its tool runs the test again: what failed until now is no outcome.
        """
        before = self.text_bytes
        room = _MAX_FAULTS - len(self.tries)
        self.tries += self.faults[: max(0, room)]
        self.faults.clear()
        self.text_bytes = sum(memory_bytes(fault.text) for fault in self.tries)
        self.note, self.is_rerun = "", False
        self.reruns += 1
        return before - self.text_bytes

    def drop_last_text(self) -> int:
        """Leave out the newest text, and give what it took."""
        fault = self.faults[-1]
        dropped = memory_bytes(fault.text)
        fault.text = ""
        self.text_bytes -= dropped
        return dropped


class EventReader:
    """Reads one stream of events.

    Whatever it is fed, it does not raise: what is no event is counted in a notice.
    """

    def __init__(self, limits: EventLimits = DEFAULT_LIMITS) -> None:
        """Start before the first event.

        Args:
            limits: What the events may cost.
        """
        self._limits = limits
        self._lines = JsonLines()
        self._budget = TextBudget(limits.text_bytes)
        self._names_left_bytes = limits.names_bytes
        self._running_left_bytes = limits.text_bytes
        self._are_texts_left_out = False
        self._cases: dict[str, CaseResult] = {}
        self._running: dict[str, _RunningTest] = {}
        self._counts = dict.fromkeys(CaseOutcome, 0)
        self._seconds = 0.0
        self._unreadable_lines = 0
        self._dropped_cases = 0
        self._unnamed_cases = 0
        self._given_up = ""
        self._merging = Merging()
        self.session_started = False
        self.session_finished = False
        self.exit_status: int | None = None
        """Exit status that pytest declared at its end; None before."""

    @property
    def cases(self) -> tuple[CaseResult, ...]:
        """Cases that finished, in the order in which they did."""
        return tuple(self._cases.values())

    @property
    def tally(self) -> Tally:
        """The finished cases, counted."""
        return Tally(
            tests=len(self._cases),
            passed=self._counts[CaseOutcome.PASSED],
            failed=self._counts[CaseOutcome.FAILED],
            errors=self._counts[CaseOutcome.ERROR],
            skipped=self._counts[CaseOutcome.SKIPPED],
            seconds=self._seconds,
        )

    @property
    def in_flight(self) -> tuple[str, ...]:
        """Names of the tests whose set-up was reported and whose clean-up was not."""
        return tuple(bounded_name(test.name) for test in self._running.values())

    @property
    def cut_short(self) -> tuple[CaseResult, ...]:
        """Tests in flight that have failed already, as far as they came.

        When the stream ends here, their failure is known, whatever their clean-up would have been.
        """
        return tuple(
            _case(test)
            for test in self._running.values()
            if any(fault.outcome.is_failing for fault in test.faults)
        )

    @property
    def is_whole(self) -> bool:
        """Whether the session came to its end, and every case of it was kept."""
        left_out = self._dropped_cases + self._unnamed_cases + self._lines.lost_lines
        return self.session_finished and not left_out and not self._given_up

    @property
    def ends_early(self) -> bool:
        """Whether the stream ends inside a session."""
        return self.session_started and not self.session_finished

    @property
    def notices(self) -> tuple[str, ...]:
        """What could not be read or was left out, for people."""
        notices: list[str] = []
        if self._given_up:
            notices.append(f"The events were not read to their end: {self._given_up}.")
        if self._unreadable_lines:
            notices.append(f"{self._unreadable_lines} lines of the events are no events.")
        if self._lines.lost_lines:
            notices.append(f"{self._lines.lost_lines} events were too long and are lost.")
        if self._lines.has_partial_line:
            notices.append("The events end inside a line.")
        if self._dropped_cases:
            notices.append(
                f"{self._dropped_cases} cases beyond {self._limits.cases} were not kept."
            )
        if self._unnamed_cases:
            notices.append(
                f"{self._unnamed_cases} cases were not kept: all names together are too long."
            )
        if self._budget.is_used_up or self._are_texts_left_out:
            notices.append("The texts of some failures were left out: they are too long together.")
        return tuple(notices)

    def feed(self, data: bytes) -> tuple[Progress, ...]:
        """Take the next bytes of the stream, cut anywhere.

        Returns:
            The cases that these bytes finished.
        """
        return tuple(
            Progress(case=case, tally=self.tally)
            for line in self._lines.feed(data)
            if (case := self._take_line(line)) is not None
        )

    def take(self, data: bytes) -> None:
        """Take the next bytes of a stream whose progress nobody watches."""
        for line in self._lines.feed(data):
            self._take_line(line)

    def give_up(self, reason: str) -> None:
        """Read no further: what would have come is lost."""
        self._given_up = reason

    def _take_line(self, line: bytes) -> CaseResult | None:
        if self._given_up:
            return None
        event: object = None
        # Looked for first: it costs a hundredth of reading a line that is no event.
        if b"$report_type" in line:
            with suppress(ValueError, RecursionError):
                event = json.loads(line.decode(errors="replace"))
        if is_object(event) and "$report_type" in event:
            return self._take(event)
        self._unreadable_lines += 1
        if self._unreadable_lines >= _MOST_UNREADABLE_LINES:
            self.give_up(f"more than {_MOST_UNREADABLE_LINES} of their lines are no events")
        return None

    def _take(self, event: dict[str, object]) -> CaseResult | None:
        """Take one event; give the case that it finished."""
        kind = event["$report_type"]
        if kind == "SessionStart":
            self.session_started, self.session_finished, self.exit_status = True, False, None
        elif kind == "SessionFinish":
            self.session_finished = True
            self.exit_status = count_of(event.get("exitstatus"), largest=_LARGEST_EXIT_STATUS)
        elif kind == "CollectReport":
            return self._take_collection(event)
        elif isinstance(kind, str) and kind in _TEST_REPORTS:
            return self._take_test(event, is_subtest=kind != "TestReport")
        # Warnings, and kinds that a later pytest or a plugin adds, say nothing about a case.
        return None

    def _take_collection(self, event: dict[str, object]) -> CaseResult | None:
        node_id = _node_id(event)
        outcome = text_of(event.get("outcome"))
        if node_id is None or outcome not in {"failed", "skipped"}:
            return None
        longrepr = event.get("longrepr")
        if outcome == "failed":
            case_outcome, message = CaseOutcome.ERROR, "collection failure"
            text = traceback_text(longrepr)
        else:
            case_outcome, message = CaseOutcome.SKIPPED, "collection skipped"
            _, text = skip_reason(longrepr)
        return self._finish(
            CaseResult(
                name=case_name_of_node(node_id),
                outcome=case_outcome,
                seconds=0.0,
                message=message,
                text=text,
                file=node_id.partition("::")[0],
                is_collection=True,
            )
        )

    def _take_test(self, event: dict[str, object], *, is_subtest: bool) -> CaseResult | None:
        node_id = _node_id(event)
        if node_id is None:
            self._unreadable_lines += 1
            return None
        test = self._running.get(node_id)
        if test is None:
            if len(self._running) >= _MAX_IN_FLIGHT:
                self._dropped_cases += 1
                return None
            test = self._running[node_id] = _RunningTest(_case_name(event, node_id))
        held_bytes = test.text_bytes
        _add_report(test, event, is_subtest=is_subtest)
        self._running_left_bytes -= test.text_bytes - held_bytes
        if self._running_left_bytes < 0 and test.text_bytes > held_bytes:
            self._running_left_bytes += test.drop_last_text()
            self._are_texts_left_out = True
        when = text_of(event.get("when"))
        if is_subtest or (when in _PHASES and when != "teardown"):
            return None
        if test.is_rerun:
            self._running_left_bytes += test.end_try()
            return None
        # `when` is "???" when a worker of pytest-xdist died: no further report will come.
        del self._running[node_id]
        self._running_left_bytes += test.text_bytes
        return self._finish(_case(test))

    def _finish(self, case: CaseResult) -> CaseResult | None:
        earlier = self._cases.get(case.name)
        if earlier is None:
            self._names_left_bytes -= memory_bytes(case.name, case.file or "")
            if len(self._cases) >= self._limits.cases:
                self._dropped_cases += 1
                return None
            if self._names_left_bytes < 0:
                self._unnamed_cases += 1
                return None
        case = self._budget.keep(case)
        if earlier is not None:
            self._counts[earlier.outcome] -= 1
            self._seconds -= earlier.seconds
            case = self._merging.of(earlier, case)
        self._cases[case.name] = case
        self._counts[case.outcome] += 1
        self._seconds += case.seconds
        return case


def _node_id(event: dict[str, object]) -> str | None:
    node_id = event.get("nodeid")
    if not isinstance(node_id, str) or not 0 < len(node_id) <= _MAX_NODE_ID_CHARACTERS:
        return None
    return node_id


def _case_name(event: dict[str, object], node_id: str) -> str:
    """Return a test's name: pytest's, or the one that another tool's JUnit file has."""
    classname = event.get("classname")
    if not isinstance(classname, str):
        return case_name_of_node(node_id)
    return case_name(classname=classname, name=text_of(event.get("name")) or node_id)


def _add_report(test: _RunningTest, event: dict[str, object], *, is_subtest: bool) -> None:
    location = event.get("location")
    if is_array(location) and len(location) > 1:
        test.file = text_of(location[0]) or None
        # pytest counts lines from 0 here.
        test.line = location[1] + 1 if isinstance(location[1], int) else None
    duration = event.get("duration")
    if isinstance(duration, int | float) and not is_subtest:
        # A subtest's time is part of its test's.
        test.seconds += min(max(duration, 0.0), _LONGEST_SECONDS)
    outcome = text_of(event.get("outcome"))
    if outcome == "rerun":
        test.is_rerun = True
        _add_fault(test, _failure(event, is_subtest=is_subtest))
    elif outcome in {"failed", "error"}:
        _add_fault(test, _failure(event, is_subtest=is_subtest))
    elif outcome == "skipped" and not is_subtest:
        _add_fault(test, _skip(event))
    elif outcome == "passed" and "wasxfail" in event:
        test.note = f"unexpectedly passed: {_expected_reason(event)}"


def _add_fault(test: _RunningTest, fault: _Fault) -> None:
    """Add what decides the outcome, and the text of the first few."""
    is_known = any(earlier.outcome is fault.outcome for earlier in test.faults)
    if is_known and len(test.faults) >= _MAX_FAULTS:
        return
    fault.message = cut(legible(fault.message), MESSAGE_BYTES)
    fault.text = cut(legible(fault.text), TEXT_BYTES)
    test.faults.append(fault)
    test.text_bytes += memory_bytes(fault.text)


def _failure(event: dict[str, object], *, is_subtest: bool) -> _Fault:
    longrepr = event.get("longrepr")
    message = crash_message(longrepr)
    outcome = CaseOutcome.FAILED
    if event.get("outcome") == "error":  # of a tool whose JUnit file calls it one
        outcome = CaseOutcome.ERROR
    elif event.get("when") != "call" and not is_subtest:
        outcome = CaseOutcome.ERROR
        phase = "teardown" if event.get("when") == "teardown" else "setup"
        message = f'failed on {phase} with "{message}"'
    parts = traceback_text(longrepr), sections_text(event.get("sections"))
    return _Fault(outcome, message, "\n\n".join(part for part in parts if part))


def _skip(event: dict[str, object]) -> _Fault:
    if "wasxfail" in event:
        message = f"{XFAIL_MESSAGE}{_expected_reason(event)}"
        return _Fault(CaseOutcome.SKIPPED, message, "", is_expected=True)
    reason, place = skip_reason(event.get("longrepr"))
    return _Fault(CaseOutcome.SKIPPED, reason, place)


def _expected_reason(event: dict[str, object]) -> str:
    return text_of(event.get("wasxfail")).removeprefix("reason: ")


def _case(test: _RunningTest) -> CaseResult:
    base = CaseResult(
        name=test.name,
        outcome=CaseOutcome.PASSED,
        seconds=test.seconds,
        message=test.note,
        file=test.file,
        line=test.line,
        reruns=test.reruns,
    )
    # The order in which JUnit's elements weigh: a failure, an error, a skip.
    earlier = [
        tried(number, fault.message, fault.text) for number, fault in enumerate(test.tries, start=1)
    ]
    for outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR, CaseOutcome.SKIPPED):
        first = next((fault for fault in test.faults if fault.outcome is outcome), None)
        if first is not None:
            texts = [*(fault.text for fault in test.faults), *earlier]
            return replace(
                base,
                outcome=outcome,
                message=first.message,
                text="\n\n".join(text for text in texts if text),
                is_expected_failure=first.is_expected,
            )
    if not earlier:
        return base
    return replace(base, message=test.note or test.tries[0].message, text="\n\n".join(earlier))
