"""The grid: a tier's tests by its runs, as one HTML file that needs no network and no server.

The page holds the data as JSON and draws what is in view. Names and messages come from tests, so
the template escapes them, the script sets them as text, and the page's own policy allows no script
but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config.project import REPORT
from floe_tests.core import durable
from floe_tests.results.history.analysis import TestAccount, TierAccount
from floe_tests.results.history.grid import Grid
from floe_tests.results.records import UNKNOWN_COUNT, AttemptRecord, RunRecord, SuiteRecord

NAME = REPORT
TESTS = 3_000
"""Most tests of a page; more of them would make it slow, and nobody reads so many."""
TEXTS_BYTES = 1_500_000
"""Texts of the newest failures first; what does not fit stands in the runs' JUnit files."""

MEASURED_PAGES = ("soak.html", "benchmark.html")
"""Pages of the tier's newest soak and benchmark, linked where they are there."""

_PAGE = Path(__file__).with_name("page")
_LEFT_OUT = "[left out: this page would be too large; see the run's junit.xml]"
_MARKS = {"passed": "p", "failed": "f", "error": "e", "skipped": "s"}
_FAILING = frozenset("fe")
_EVIDENCE = 3
_SHOWN_SHARDS = 20
_FILTERS = (
    ("all", "every test that the history knows"),
    ("failing", "whose newest result that says something is a failure"),
    ("flaky", "that pass and fail on one commit, or flip between the two"),
    ("slow", "that together take half of the tier's time"),
    ("new", "that only the newest runs know, or that fail newly"),
    ("never run", "that no run shown that counts got beyond skipping"),
    ("gone", "that the newest runs do not know any more"),
)


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


def html(accounts: Sequence[TierAccount], *, pages: Sequence[str] = ()) -> str:
    """Return the page of a tier.

    Args:
        accounts: The tier on each provider, with texts; the one of the newest run is shown first.
        pages: Names of files beside it that it links to.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    newest_first = sorted(
        (each for each in accounts if each.grid.runs),
        key=lambda each: each.grid.runs[0].started_at,
        reverse=True,
    )
    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    script = (_PAGE / "grid.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template("grid.html.j2").render(
        tier=newest_first[0].grid.tier,
        generated=datetime.now(UTC),
        accounts=newest_first,
        pages=pages,
        filters=_FILTERS,
        style=(_PAGE / "grid.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(digest).decode(),
        data=_embedded({"tiers": [_data(each) for each in newest_first]}),
    )


def write(path: Path, accounts: Sequence[TierAccount]) -> None:
    """Write a tier's page; one that is there is replaced at once, or not at all."""
    pages = [name for name in MEASURED_PAGES if path.with_name(name).is_file()]
    durable.write_text(path, html(accounts, pages=pages))


def _embedded(data: object) -> str:
    """Return JSON that cannot end the element around it, nor begin a comment in it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(account: TierAccount) -> dict[str, object]:
    texts = Texts()
    shown = _shown(account.accounts)
    places = _places(shown, texts)
    return {
        "provider": account.grid.provider,
        "branch": account.branch,
        "all": len(account.accounts),
        "runs": [_run(run) for run in account.grid.runs],
        "tests": [_test(each, account.grid, places.get(each.test.test_id, {})) for each in shown],
        "texts": texts.found,
    }


def _shown(accounts: Sequence[TestAccount]) -> Sequence[TestAccount]:
    """Return the tests that fit onto a page: what fails or wavers before what is well."""
    if len(accounts) <= TESTS:
        return accounts
    first = sorted(
        range(len(accounts)),
        key=lambda place: (
            not accounts[place].is_failing,
            accounts[place].diagnosis.standing == "stable",
            place,
        ),
    )
    return [accounts[place] for place in sorted(first[:TESTS])]


def _places(accounts: Iterable[TestAccount], texts: Texts) -> dict[int, dict[int, tuple[int, int]]]:
    """Place each text, those of the newest run first."""
    all_texts = sorted(
        (
            (column, each.test.test_id, text)
            for each in accounts
            for column, text in each.test.texts.items()
        ),
        key=lambda item: item[:2],
    )
    places: dict[int, dict[int, tuple[int, int]]] = {}
    for column, test_id, text in all_texts:
        found = texts.place(text.message), texts.place(text.text)
        places.setdefault(test_id, {})[column] = found
    return places


def _test(each: TestAccount, grid: Grid, places: dict[int, tuple[int, int]]) -> dict[str, object]:
    test, diagnosis = each.test, each.diagnosis
    marks, times = ["."] * len(grid.runs), [""] * len(grid.runs)
    for cell in test.cells:
        marks[cell.column] = _MARKS[cell.outcome]
        times[cell.column] = _base36(round(cell.seconds * 1000))
    for column, run in enumerate(grid.runs):
        if marks[column] in _FAILING and any(
            test.name in suite.quarantined for suite in run.suites if suite.name == test.suite
        ):
            marks[column] = "q"
    since = diagnosis.failing_since
    bad = (n for n, run in enumerate(grid.runs) if since and run.started_at == since.at)
    gone = diagnosis.gone_since
    without = (n for n, run in enumerate(grid.runs) if gone and run.started_at == gone.at)
    return {
        "name": test.name,
        "suite": test.suite,
        "file": f"{test.file}:{test.line}" if test.file and test.line else test.file,
        "standing": diagnosis.standing,
        "passed": each.passed,
        "failed": each.failed,
        "skipped": each.skipped,
        "median": _rounded(each.median_seconds),
        "flips": diagnosis.flips,
        "mixed": diagnosis.mixed_commits[:5],
        "since": next(bad, None),
        "gone": next(without, None),
        "fail": each.is_failing,
        "flaky": each.is_flaky,
        "slow": each.is_slow,
        "fresh": each.is_new,
        "newly": each.is_newly_failing,
        "never": each.never_ran,
        "quarantined": each.is_quarantined,
        "cells": "".join(marks),
        "ms": ",".join(times),
        "reruns": {cell.column: cell.reruns for cell in test.cells if cell.reruns},
        "texts": places,
    }


def _run(run: RunRecord) -> dict[str, object]:
    ended = run.finished_at
    return {
        "id": run.run_id,
        "at": run.started_at.isoformat(timespec="seconds"),
        "seconds": _rounded((ended - run.started_at).total_seconds() if ended else None),
        "environment": run.environment,
        "ref": run.ref,
        "commit": run.commit,
        "trigger": run.trigger,
        "cause": run.cause,
        "fault": run.fault or "none",
        "summary": run.summary,
        "stages": {name: _rounded(seconds) for name, seconds in run.stage_seconds.items()},
        "suites": [_suite(suite) for suite in run.suites],
    }


def _suite(suite: SuiteRecord) -> dict[str, object]:
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
