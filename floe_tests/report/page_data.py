"""What a tier's page knows: runs, tests and cells as JSON, small enough to be sent.

Tests are written in columns, because there may be tens of thousands: a name says only how it
differs from the one before, equal cells are counted, and what most tests do not have is a short
list. The script turns it back (`page/data.js`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from floe_tests.config.links import Links
from floe_tests.report.artifacts import Artifacts
from floe_tests.report.triage import Section, needs_of
from floe_tests.results.history.account import TestAccount
from floe_tests.results.history.analysis import TierAccount
from floe_tests.results.history.extent import Extent, SuiteExtent
from floe_tests.results.history.grid import Grid
from floe_tests.results.records import UNKNOWN_COUNT, AttemptRecord, RunRecord, SuiteRecord

TEXTS_BYTES = 1_500_000
"""Texts of the newest failures first; what does not fit stands in the runs' JUnit files."""
TIMES_BYTES = 2_000_000
"""Seconds of each result, of the tests that need somebody first."""

OTHER_SHARE = 8
"""Of both limits, a branch beside the default one has this part."""
TESTS_OF_BRANCH = 3_000
"""Most tests of a branch beside the default one that are written out."""

_LEFT_OUT = "[left out: this page would be too large; see the run's junit.xml]"
_MARKS = {"passed": "p", "failed": "f", "error": "e", "skipped": "s"}
_FAILING = frozenset("fe")
_EVIDENCE = 3
_SHOWN_SHARDS = 20
_SHOWN_NOTICES = 10
_SHOWN_RUNNING = 5
_NOTICE_CHARACTERS = 300


class Texts:
    """The texts of a page, each once, up to a limit together."""

    def __init__(self, limit_bytes: int = TEXTS_BYTES) -> None:
        """Begin with none."""
        self.found: list[str] = []
        self._places: dict[str, int] = {}
        self._left = limit_bytes

    def place(self, text: str) -> int:
        """Return the place of a text; one that does not fit any more is said to be left out."""
        if text not in self._places:
            size = len(json.dumps(text))
            if size > self._left and text != _LEFT_OUT:
                return self.place(_LEFT_OUT)
            self._left -= size
            self._places[text] = len(self.found)
            self.found.append(text)
        return self._places[text]


def data_of(
    account: TierAccount, there: TierAccount | None, links: Links, artifacts: Artifacts
) -> dict[str, object]:
    """Return a tier on one environment and branch as the script reads it.

    Args:
        account: The tier, with texts.
        there: The same on the default branch, where that is another.
        links: Addresses of commits, pull requests and runs.
        artifacts: The files that its runs have left.
    """
    grid, shown = account.grid, _shown(account)
    # A branch beside the default one has fewer runs, and there may be many branches.
    share = 1 if there is None else OTHER_SHARE
    texts = Texts(TEXTS_BYTES // share)
    places = {each.test.test_id: place for place, each in enumerate(shown)}
    return {
        "provider": grid.provider,
        "branch": account.branch,
        "there": there.branch if there else None,
        "count": len(shown) if account.is_default else account.reported,
        "runs": [
            {
                **_run(run, extent),
                "links": links.of(run_id=run.run_id, ref=run.ref, commit=run.commit),
                "files": artifacts.of(run),
            }
            for run, extent in zip(grid.runs, account.extents, strict=True)
        ],
        "needs": [_section(each, places) for each in needs_of(account, there)],
        "tests": _tests(shown, grid, texts, TIMES_BYTES // share),
        "texts": texts.found,
    }


def _shown(account: TierAccount) -> Sequence[TestAccount]:
    """Return the tests of a page: all of the default branch's, of another what ran on it.

    Of very many there, those that are plainly well stand on the default branch's page alone.
    """
    if account.is_default:
        return account.accounts
    ran = [each for each in account.accounts if each.test.cells]
    if len(ran) <= TESTS_OF_BRANCH:
        return ran
    return [each for each in ran if any(cell.outcome != "passed" for cell in each.test.cells)]


def _section(section: Section, places: Mapping[int, int]) -> dict[str, object]:
    return {
        "name": section.name,
        "title": section.title,
        "groups": [
            {
                "label": group.label,
                "runs": group.runs,
                "commit": group.since.commit if group.since else None,
                "at": group.since.at.isoformat(timespec="seconds") if group.since else None,
                "tests": [
                    places[each.test.test_id] for each in group.tests if each.test.test_id in places
                ],
            }
            for group in section.groups
        ],
    }


def _tests(
    accounts: Sequence[TestAccount], grid: Grid, texts: Texts, times_bytes: int
) -> dict[str, object]:
    suites = _Numbers()
    files = _Numbers()
    return {
        "names": list(_shortened([each.test.name for each in accounts])),
        "suite": [suites.of(each.test.suite) for each in accounts],
        "suites": suites.found,
        "file": [files.of(each.test.file or "") for each in accounts],
        "files": files.found,
        "line": [each.test.line or 0 for each in accounts],
        "cells": [_counted(_marks(each, grid)) for each in accounts],
        "times": _times(accounts, len(grid.runs), times_bytes),
        "passed": [each.passed for each in accounts],
        "failed": [each.failed for each in accounts],
        "skipped": [each.skipped for each in accounts],
        "median": [_rounded(each.median_seconds) for each in accounts],
        "which": {
            name: [place for place, each in enumerate(accounts) if is_meant(each)]
            for name, is_meant in _WHICH.items()
        },
        "some": {
            str(place): told
            for place, each in enumerate(accounts)
            if (told := _told(each, grid.runs))
        },
        "texts": _texts(accounts, texts),
    }


_WHICH: Mapping[str, Callable[[TestAccount], bool]] = {
    "failing": lambda each: each.is_failing,
    "flaky": lambda each: each.is_flaky,
    "slow": lambda each: each.is_slow,
    "new": lambda each: each.is_new,
    "newly": lambda each: each.is_newly_failing,
    "never": lambda each: each.never_ran,
    "gone": lambda each: each.is_gone,
    "quarantined": lambda each: each.is_quarantined,
}


class _Numbers:
    """Numbers for texts that come again and again."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def found(self) -> list[str]:
        return list(self._numbers)

    def of(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))


def _shortened(names: Sequence[str]) -> Iterable[list[object]]:
    """Yield of each name how much it shares with the one before, and the rest."""
    before = ""
    for name in names:
        shared = 0
        for one, other in zip(before, name, strict=False):
            if one != other:
                break
            shared += 1
        # Half of a character that JSON writes as two would be none.
        yield [shared, name[shared:]]
        before = name


def _counted(marks: Iterable[str]) -> str:
    """Return marks as `p12f3`: each with how often it comes in a row."""
    counted = ((mark, len(list(group))) for mark, group in groupby(marks))
    return "".join(mark if count == 1 else f"{mark}{count}" for mark, count in counted)


def _marks(each: TestAccount, grid: Grid) -> list[str]:
    marks = ["."] * len(grid.runs)
    for cell in each.test.cells:
        mark = _MARKS[cell.outcome]
        if mark in _FAILING and _is_excused(each, grid.runs[cell.column]):
            mark = "q"
        marks[cell.column] = mark
    return marks


def _is_excused(each: TestAccount, run: RunRecord) -> bool:
    return any(
        each.test.name in suite.quarantined for suite in run.suites if suite.name == each.test.suite
    )


def _times(accounts: Sequence[TestAccount], columns: int, limit_bytes: int) -> dict[str, str]:
    """Return milliseconds by column for as many tests as there is room for."""
    times: dict[str, str] = {}
    left = limit_bytes
    first = sorted(
        range(len(accounts)),
        key=lambda place: (
            not accounts[place].is_failing,
            accounts[place].diagnosis.standing == "stable",
            not accounts[place].is_slow,
            place,
        ),
    )
    for place in first:
        texts = [""] * columns
        for cell in accounts[place].test.cells:
            texts[cell.column] = _base36(round(cell.seconds * 1000))
        text = ",".join(texts).rstrip(",")
        left -= len(text) + 8
        if left < 0:
            break
        times[str(place)] = text
    return times


def _told(each: TestAccount, runs: Sequence[RunRecord]) -> dict[str, object]:
    """Return what few tests have: an empty one for a test that is plainly well."""
    found = each.diagnosis
    reruns = {cell.column: cell.reruns for cell in each.test.cells if cell.reruns}
    told = {
        "standing": "" if found.standing == "stable" else found.standing,
        "flips": found.flips,
        "mixed": found.mixed_commits[:5],
        "since": _column_of(found.failing_since and found.failing_since.at, runs),
        "gone": _column_of(found.gone_since and found.gone_since.at, runs),
        "reruns": reruns,
    }
    return {
        name: value for name, value in told.items() if value or (value == 0 and name in _COLUMNS)
    }


_COLUMNS = frozenset({"since", "gone"})


def _column_of(at: object, runs: Sequence[RunRecord]) -> int | None:
    return next((n for n, run in enumerate(runs) if at and run.started_at == at), None)


def _texts(accounts: Sequence[TestAccount], texts: Texts) -> dict[str, dict[str, tuple[int, int]]]:
    """Place each text, those of the newest run first."""
    ordered = sorted(
        (column, place) for place, each in enumerate(accounts) for column in each.test.texts
    )
    places: dict[str, dict[str, tuple[int, int]]] = {}
    for column, place in ordered:
        found = accounts[place].test.texts[column]
        pair = texts.place(found.message), texts.place(found.text)
        places.setdefault(str(place), {})[str(column)] = pair
    return places


def _run(run: RunRecord, extent: Extent) -> dict[str, object]:
    ended = run.finished_at
    return {
        "id": run.run_id,
        "at": run.started_at.isoformat(timespec="seconds"),
        "seconds": _rounded((ended - run.started_at).total_seconds() if ended else None),
        "environment": run.environment,
        "ref": run.ref,
        "tested": run.tested,
        "trigger": run.trigger,
        "cause": run.cause,
        "fault": run.fault or "none",
        "summary": run.summary,
        "stages": {name: _rounded(seconds) for name, seconds in run.stage_seconds.items()},
        "extent": str(extent) if extent.is_partial or extent.running else "",
        "suites": [_suite(suite, extent.of(suite.name)) for suite in run.suites],
    }


def _suite(suite: SuiteRecord, extent: SuiteExtent | None) -> dict[str, object]:
    return {
        "name": suite.name,
        "cause": suite.cause,
        "fault": suite.fault or "none",
        "passed": suite.tally.passed,
        "failed": suite.tally.failing,
        "skipped": suite.tally.skipped,
        "uncounted": UNKNOWN_COUNT if suite.is_uncounted else "",
        "attempts": [_attempt(each, suite) for each in _shown_attempts(suite)],
        "shards": suite.shards,
        "missing": extent.not_reported if extent else 0,
        "running": extent.running[:_SHOWN_RUNNING] if extent else (),
        "notices": [each[:_NOTICE_CHARACTERS] for each in suite.notices[:_SHOWN_NOTICES]],
    }


def _shown_attempts(suite: SuiteRecord) -> Sequence[AttemptRecord]:
    """Leave out the shards that went well at once: there may be hundreds in each of 200 runs."""
    if suite.shards is None:
        return suite.attempts
    told = [each for each in suite.attempts if each.cause != "PASS" or each.number > 1]
    return told[:_SHOWN_SHARDS]


def _attempt(attempt: AttemptRecord, suite: SuiteRecord) -> dict[str, object]:
    # A green attempt's evidence is that all is well.
    evidence = () if attempt.cause == "PASS" else attempt.evidence[:_EVIDENCE]
    return {
        "number": attempt.number,
        "shard": None if suite.shards is None else attempt.shard,
        "cause": attempt.cause,
        "seconds": _rounded(attempt.seconds),
        "pod": attempt.pod,
        "node": attempt.node,
        "evidence": "; ".join(str(item) for item in evidence)[:1000],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if number == 0:
            return digits
