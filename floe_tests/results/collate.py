"""One suite's results out of the files that its pod sent.

A pod that ended well sends `collection.json` (how many tests it was about to run), `events.jsonl`
(each as it happened) and `junit.xml`. A pod that was killed sends what it had. Here both become the
same: the cases, how many there should have been, and what was running when it ended.

JUnit comes first, because every test tool writes it. What it lacks is taken from the events. Where
the two disagree the worse outcome stands: nothing is green because of a file that a test could have
written itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from floe_tests.core.deadline import Deadline
from floe_tests.core.json_values import count_of, is_object
from floe_tests.core.words import listed
from floe_tests.exporter.results import COLLECTION_FILE, EVENTS_FILE
from floe_tests.results import accounts
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally, bounded_name
from floe_tests.results.formats import foreign, junit
from floe_tests.results.formats.events import EventReader
from floe_tests.results.formats.junit.texts import attached, joined
from floe_tests.results.reconcile import under_event_names
from floe_tests.results.result_files import is_plain_file, junit_files, versions

Source = Literal["junit", "events", "none"]

_MAX_COLLECTION_BYTES = 64 * 1024
_MOST_TESTS = 10_000_000
_CHUNK_BYTES = 256 * 1024
_READ_SECONDS = 120
_SHOWN_NAMES = 5
_SHOWN_CHARACTERS = 60
_COUNTS = ("collected", "deselected", "sessions", "collecting")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResults:
    """What one suite reported.

    Attributes:
        cases: The cases, each name once.
        source: Where they come from: "junit" when the JUnit files hold them all, "events" when at
            least one had to be taken from the events, "none" when there are no results at all.
        collected: Tests that were about to run. None when the test tool did not say.
        deselected: Tests that were left out on request. None when the test tool did not say.
        counts_all_sessions: Whether `collected` counts the tests of all sessions so far, those
            included whose files were replaced.
        reported: Cases that are tests, so that `reported == collected` in a complete run.
        in_junit: Those of them that the JUnit files hold.
        in_events: Those of them that the events hold from beginning to end.
        in_flight: Names of the tests that were running when the events ended. One that had failed
            already and was cleaning up is among the cases as well.
        ends_early: Whether the events came whole and end inside the session.
        doubts: Why there may have been more tests than these, failed ones among them: a JUnit file
            that cannot be used, with no whole account of pytest's events beside it; or such events
            and no JUnit. Only the count of collected tests can rule it out.
        has_result_file: Whether at least one JUnit file could be read to its end, or all of the
            events, with or without a test.
        contradictions: What JUnit files declare and do not show, and sessions that ended before
            they had collected, a sentence each: there were more tests or failures than these.
        session_finished: Whether pytest came to its own end.
        exit_status: pytest's own exit status; None when it did not come to its end.
        has_events: Whether pytest's events are there, from the beginning of a session on.
        failed_before: Names of the cases that failed in an attempt before the last one alone.
        failed_again: Names of the cases that failed in more than one attempt.
        vanished: What an attempt before the last one had and the last one lacks, a sentence each.
        notices: What was unreadable, cut, contradictory or left out, for people.
        told_by: The files that tell of each case, by its name.
    """

    cases: tuple[CaseResult, ...]
    source: Source
    collected: int | None
    deselected: int | None
    reported: int
    in_flight: tuple[str, ...]
    session_finished: bool
    exit_status: int | None
    notices: tuple[str, ...]
    counts_all_sessions: bool = False
    in_junit: int = 0
    in_events: int = 0
    ends_early: bool = False
    has_events: bool = False
    failed_before: tuple[str, ...] = ()
    failed_again: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    has_result_file: bool = False
    contradictions: tuple[str, ...] = ()
    told_by: Mapping[str, frozenset[str]] = field(
        default_factory=dict[str, frozenset[str]], compare=False, repr=False
    )

    @property
    def tally(self) -> Tally:
        """The cases, counted."""
        return Tally.of(self.cases)

    @property
    def expected_failures(self) -> int:
        """Skipped cases that ran and failed as they were expected to (xfail)."""
        return sum(1 for case in self.cases if case.is_expected_failure)

    @property
    def flaky(self) -> tuple[str, ...]:
        """Names of the tests that passed only when the test tool ran them again."""
        return tuple(
            case.name for case in self.cases if case.reruns and case.outcome is CaseOutcome.PASSED
        )

    @property
    def is_uncounted(self) -> bool:
        """Whether tests reported, and nobody said how many were collected."""
        return self.collected is None and self.reported > 0

    @property
    def missing(self) -> int | None:
        """Tests that were collected and never reported; None when nobody said how many."""
        return None if self.collected is None else max(0, self.collected - self.reported)


def collate(
    directory: Path, *, cut: Collection[str] = (), deadline: Deadline | None = None
) -> SuiteResults:
    """Read the received files of one suite.

    Args:
        directory: Holds `collection.json`, `events.jsonl`, and JUnit files also in subdirectories
            (`result_files`), and what these held before they were replaced. Each may be missing;
            links are not followed.
        cut: Paths of files whose end is missing because a cap cut them. Where the events are
            among them, the test that they end in may have ended.
        deadline: When to stop reading; by default after two minutes. What was not read by then is
            among the doubts.

    Returns:
        What could be read. Whatever the files hold, this does not raise: a file that cannot be
        used is named in the notices.
    """
    deadline = deadline or Deadline(_READ_SECONDS)
    # One after the other: a hundred accounts at once would be a hundred times the memory.
    earlier = (_collate(version, cut=(), deadline=deadline) for version in versions(directory))
    results = accounts.united(earlier, _collate(directory, cut=cut, deadline=deadline))
    if not deadline.passed:
        return results
    late = f"reading the results took longer than {deadline.seconds:g} s, and was ended"
    return replace(results, doubts=(late, *results.doubts), notices=(late, *results.notices))


def _collate(directory: Path, *, cut: Collection[str], deadline: Deadline) -> SuiteResults:
    """Read the files of one account."""
    notices: list[str] = []
    counts = _read_collection(directory / COLLECTION_FILE)
    collected = counts.collected
    events = _read_events(directory / EVENTS_FILE, notices, deadline)
    searched = junit_files(directory)
    report = junit.read_all(searched.paths, root=directory, deadline=deadline)
    unused = list(report.damage)
    if not searched.is_whole:
        unused.append("There are more files than are searched for JUnit; the rest is left.")
    notices += (*report.notices, *unused, *foreign.notices_of(searched.unread))
    from_junit = {case.name: case for case in report.cases}
    if (unused or not from_junit) and events.session_started:
        unused += events.notices
    in_flight = events.in_flight
    if EVENTS_FILE in cut:
        in_flight = tuple(name for name in in_flight if name not in from_junit)
    from_events = _unite(events.cases, events.cut_short)
    if events.session_started:
        from_junit = under_event_names(from_junit, from_events, in_flight=in_flight)
    told_by = dict(zip(from_junit, report.sources, strict=True))
    for name in from_events:
        told_by[name] = told_by.get(name, frozenset()) | {EVENTS_FILE}
    from_junit = _without_unended(from_junit, in_flight, notices)
    cases, source = _combine(from_junit, from_events, notices)
    reported = _count_tests(cases)
    if collected is not None and reported > collected:
        notices.append(f"{reported} tests were reported, {collected} were collected.")
    contradictions = report.contradictions
    if events.is_whole and collected == reported:
        # All are there, whatever the JUnit file promises.
        notices += [f"{told}." for told in contradictions]
        contradictions = ()
    return SuiteResults(
        cases=cases,
        source=source,
        collected=collected,
        deselected=counts.deselected,
        counts_all_sessions=counts.sessions is not None,
        reported=reported,
        in_flight=in_flight,
        session_finished=events.session_finished,
        exit_status=events.exit_status,
        has_events=events.session_started,
        notices=tuple(notices),
        in_junit=_count_tests(from_junit.values()),
        in_events=_count_tests(events.cases),
        doubts=() if events.is_whole else tuple(unused),
        ends_early=events.ends_early and EVENTS_FILE not in cut,
        has_result_file=bool(report.files) or events.is_whole,
        contradictions=(*contradictions, *counts.contradictions),
        told_by=told_by,
    )


def _count_tests(cases: Iterable[CaseResult]) -> int:
    return sum(1 for case in cases if not case.is_collection)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What `collection.json` says."""

    collected: int | None = None
    deselected: int | None = None
    sessions: int | None = None
    collecting: int | None = None
    damage: str = ""

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What speaks against the number of collected tests."""
        if self.damage:
            return (f"{COLLECTION_FILE} {self.damage}",)
        if not self.collecting:
            return ()
        one = self.collecting == 1
        who = "1 pytest session" if one else f"{self.collecting} pytest sessions"
        return (f"{who} ended before {'it' if one else 'they'} had collected any test",)


def _read_collection(path: Path) -> _Counts:
    """Read the counts. A file that is there and says no number proves nothing, and is damage."""
    if not (path.exists() or path.is_symlink()):
        return _Counts()
    try:
        fields = _fields_of(path)
    except (OSError, ValueError, RecursionError) as error:
        return _Counts(damage=f"cannot be read ({error})")
    if not is_object(fields):
        return _Counts(damage='is no JSON object: write {"collected": N}')
    counts = {name: count_of(fields.get(name), largest=_MOST_TESTS) for name in _COUNTS}
    # floe-tests-pytest writes null where a session did not say what it deselected.
    wrong = [n for n, count in counts.items() if count is None and fields.get(n) is not None]
    if wrong:
        value = bounded_name(json.dumps(fields[wrong[0]]))[:_SHOWN_CHARACTERS]
        return _Counts(damage=f"says {wrong[0]} = {value}, which is no number of tests")
    if counts["collected"] is None:
        return _Counts(damage="has no number in `collected`, which counts the collected tests")
    return _Counts(
        collected=counts["collected"],
        deselected=counts["deselected"],
        sessions=counts["sessions"],
        collecting=counts["collecting"],
    )


def _fields_of(path: Path) -> object:
    """Read a small JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no plain file, or no JSON.
    """
    if not is_plain_file(path):
        message = "it is no plain file"
        raise ValueError(message)
    with path.open("rb") as file:
        return json.loads(file.read(_MAX_COLLECTION_BYTES + 1))


def _read_events(path: Path, notices: list[str], deadline: Deadline) -> EventReader:
    reader = EventReader()
    if not is_plain_file(path):
        return reader
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                reader.take(chunk)
                if deadline.passed:
                    reader.give_up(f"reading them took longer than {deadline.seconds:g} s")
                    break
    except OSError as error:
        notices.append(f"{path.name} cannot be read ({error.strerror}).")
    notices.extend(reader.notices)
    return reader


def _without_unended(
    cases: dict[str, CaseResult], in_flight: Sequence[str], notices: list[str]
) -> dict[str, CaseResult]:
    """Leave out tests that JUnit calls passed and that never ended.

    A session that is stopped in the middle of a test writes it into its JUnit file without a
    failure, as if it had passed.
    """
    unended = [
        name for name in in_flight if name in cases and cases[name].outcome is CaseOutcome.PASSED
    ]
    if unended:
        notices.append(
            f"JUnit calls {listed(unended, shown=_SHOWN_NAMES)} passed; it was still running."
        )
    return {name: case for name, case in cases.items() if name not in unended}


def _unite(cases: Iterable[CaseResult], more: Iterable[CaseResult]) -> dict[str, CaseResult]:
    united = {case.name: case for case in cases}
    for case in more:
        earlier = united.get(case.name)
        united[case.name] = case if earlier is None else earlier.merged_with(case)
    return united


def _combine(
    from_junit: dict[str, CaseResult], from_events: dict[str, CaseResult], notices: list[str]
) -> tuple[tuple[CaseResult, ...], Source]:
    if not from_junit and not from_events:
        return (), "none"
    cases = {name: _enriched(case, from_events.get(name)) for name, case in from_junit.items()}
    changed = [name for name, case in cases.items() if case.outcome != from_junit[name].outcome]
    if changed:
        shown = listed(changed, shown=_SHOWN_NAMES)
        notices.append(f"JUnit and events disagree on {shown}; the worse outcome stands.")
    added = [name for name in from_events if name not in cases]
    if not added:
        return tuple(cases.values()), "junit"
    if from_junit:
        notices.append(f"JUnit lacks {listed(added, shown=_SHOWN_NAMES)}; taken from the events.")
    cases.update((name, from_events[name]) for name in added)
    return tuple(cases.values()), "events"


def _enriched(case: CaseResult, event: CaseResult | None) -> CaseResult:
    """Add what the events know of a case and JUnit does not: place, output, reruns."""
    if event is None:
        return case
    if event.outcome != case.outcome:
        return replace(case.merged_with(event), seconds=max(case.seconds, event.seconds))
    return replace(
        case,
        message=case.message or event.message,
        text=_longer_text(case, event),
        file=case.file or event.file,
        line=case.line or event.line,
        reruns=max(case.reruns, event.reruns),
    )


def _longer_text(case: CaseResult, event: CaseResult) -> str:
    """Return the longer text, with the files that the shorter one alone names."""
    shorter, longer = sorted((case, event), key=lambda each: len(each.text))
    lost = [path for path in shorter.attachments if path not in longer.attachments]
    return joined([longer.text, attached(lost)]) if lost else longer.text
