"""The grid's page: each number is the database's, nothing of a test can act, it opens quickly."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from floe_tests.report import grid, page_data
from floe_tests.results.history.analysis import Question, read_accounts
from floe_tests.results.history.store import History
from tests.support import runs

from . import browser

HOSTILE = "t::</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
PASTS = {
    "t::steady": "............",
    "t::broken": "xxxxxxxxxxxx",
    "t::flaky": ".x.x..x.....",
    "t::errs": "e...........",
    "t::excused": "x...........",
    "t::skipped": "ssssssssssss",
    HOSTILE: "x...........",
}
MARKS = {"passed": "p", "failed": "f", "error": "e", "skipped": "s"}
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)


class _Page(HTMLParser):
    """Reads the numbers and the data of a page, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self.scripts: list[dict[str, str | None]] = []
        self._at: str | None = None
        self._in_data = False
        self.data: Any = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._at = found.get("data-number")
        if tag == "script":
            self.scripts.append(found)
        self._in_data = tag == "script" and found.get("id") == "data"

    def handle_data(self, data: str) -> None:
        if self._at:
            self.numbers[self._at] = int(data.split(maxsplit=1)[0])
            self._at = None
        if self._in_data:
            self.data = json.loads(data)
            self._in_data = False


@pytest.fixture
def page(tmp_path: Path) -> Path:
    records = runs.runs_of(PASTS, commit="one")
    records[0] = runs.run_of(
        0, {name: past[0] for name, past in PASTS.items()}, quarantined=("t::excused",)
    )
    with History.open(f"sqlite:///{tmp_path}/history.db") as history:
        for record in records:
            history.record(run=record)
        history.record(run=runs.run_of(5, {"t::kind": "."}, provider="kind", run_id="on-kind"))
        accounts = grid.read_page(history, Question())
    grid.write(tmp_path / "out" / grid.NAME, accounts)
    return tmp_path / "out" / grid.NAME


def query(page: Path, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(f"sqlite:///{page.parents[1]}/history.db")
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def local_tests(page: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the local tier of a page and its tests by name, written out."""
    data = _Page(page.read_text()).data
    (local,) = [each for each in data["tiers"] if each["provider"] == "local"]
    return local, written_out(local)


def written_out(tier: dict[str, Any]) -> dict[str, dict[str, Any]]:
    table, name, found = tier["tests"], "", {}
    for place, (shared, rest) in enumerate(table["names"]):
        name = name[:shared] + rest
        marks = re.sub(r"(\D)(\d+)", lambda match: match[1] * int(match[2]), table["cells"][place])
        found[name] = {
            "place": place,
            "cells": marks,
            "times": table["times"].get(str(place), "").split(","),
            "standing": "stable",
            **{word: table[word][place] for word in ("passed", "failed", "skipped")},
            **table["some"].get(str(place), {}),
            "texts": table["texts"].get(str(place), {}),
        }
    return found


CELLS = """
SELECT t.name, r.run_id, c.outcome, c.seconds FROM history_cases c
JOIN history_suites s ON s.suite_id = c.suite_id JOIN history_runs r ON r.run_id = s.run_id
JOIN history_tests t ON t.test_id = c.test_id WHERE r.provider = 'local'
"""


def test_every_number_on_the_page_is_the_databases(page: Path) -> None:
    """Whoever finds one wrong number on a page believes none of the others."""
    local, tests = local_tests(page)
    columns = {run["id"]: number for number, run in enumerate(local["runs"])}
    cells = query(page, CELLS)
    for name, run, outcome, seconds in cells:
        test, column = tests[name], columns[run]
        excused = name == "t::excused" and column == 0
        assert test["cells"][column] == ("q" if excused else MARKS[outcome])
        assert int(test["times"][column], 36) == round(seconds * 1000)
    assert sum(len(test["cells"].replace(".", "")) for test in tests.values()) == len(cells)
    for name, test in tests.items():
        ended = Counter(outcome for other, _, outcome, _ in cells if other == name)
        assert test["passed"] == ended["passed"]
        assert test["failed"] == ended["failed"] + ended["error"]
        assert test["skipped"] == ended["skipped"]
    newest = Counter(outcome for _, run, outcome, _ in cells if columns[run] == 0)
    (total,) = query(page, "SELECT count(*) FROM history_runs WHERE provider = 'local'")
    # The tiles of the second provider come last: those of the first stand in its own section.
    first = _Page(page.read_text().split('data-provider="1"')[0]).numbers
    assert first == {
        "runs": total[0],
        "tests": len({name for name, *_ in cells}),
        "failing": newest["failed"] + newest["error"],
        "flaky": sum(test["standing"] in {"flaky", "suspected"} for test in tests.values()),
        "broken": 1,
        "quarantined": 1,
    }
    tallies = {
        row[0]: row[1:]
        for row in query(
            page, "SELECT run_id, passed, failed + errors, skipped FROM history_suites"
        )
    }
    for run in local["runs"]:
        (suite,) = run["suites"]
        assert (suite["passed"], suite["failed"], suite["skipped"]) == tallies[run["id"]]


def test_a_flaky_test_is_called_so_and_a_broken_one_is_not(page: Path) -> None:
    standings = {name: test["standing"] for name, test in local_tests(page)[1].items()}
    assert (standings["t::flaky"], standings["t::broken"]) == ("flaky", "broken")
    assert (standings["t::steady"], standings["t::skipped"]) == ("stable", "never run")


def test_the_environments_are_apart_and_the_newest_runs_is_shown(page: Path) -> None:
    data = _Page(page.read_text()).data
    assert [each["provider"] for each in data["tiers"]] == ["local", "kind"]
    assert [len(each["runs"]) for each in data["tiers"]] == [12, 1]


def test_a_failures_text_is_there_for_each_failure(page: Path) -> None:
    local, tests = local_tests(page)
    message, body = tests["t::broken"]["texts"]["3"]
    texts = local["texts"]
    assert (texts[message], texts[body]) == ("t::broken said no in 3", "Traceback\n  it broke")
    assert set(tests["t::broken"]["texts"]) == {str(number) for number in range(12)}


def test_nothing_that_a_test_is_called_becomes_markup_or_loads_anything(page: Path) -> None:
    html = page.read_text()
    assert len(_Page(html).scripts) == 2
    assert "<img" not in html
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "default-src 'none'" in html


def test_texts_are_left_out_where_the_page_would_grow_too_large() -> None:
    texts = page_data.Texts(limit_bytes=100)
    assert texts.place("a" * 50) == 0
    assert texts.place("a" * 50) == 0
    assert "left out" in texts.found[texts.place("b" * 90)]
    assert texts.place("c" * 90) == texts.place("d" * 90)


@needs_chromium
def test_a_browser_shows_the_numbers_and_runs_no_other_script(page: Path, tmp_path: Path) -> None:
    document = _dom(page, tmp_path, "#filter=failing")
    assert "<title>demo · test history</title>" in document
    assert '<span id="count" role="status">4 of 8 tests, 12 runs</span>' in document
    assert document.count('role="rowheader"') == 4
    assert document.count('aria-label="failed in quarantine"') == 1


@pytest.mark.thorough
@needs_chromium
def test_the_heads_of_runs_can_be_read_where_each_day_has_one(tmp_path: Path) -> None:
    """A history of years says in which each run was."""
    newest = datetime(2026, 11, 30, 3, tzinfo=UTC)
    days = [newest - timedelta(days=45 * number) for number in range(12)]
    with History.open(f"sqlite:///{tmp_path}/history.db") as history:
        for number, day in enumerate(days):
            record = runs.run_of(number, {"t::a": "."}, commit="1234567890ab")
            history.record(run=replace(record, started_at=day))
        accounts = grid.read_page(history, Question())
    grid.write(tmp_path / grid.NAME, accounts)
    whole = "each.scrollWidth <= each.clientWidth && each.scrollHeight <= each.clientHeight"
    script = f"[...document.querySelectorAll('.run u')].map(each => [each.textContent, {whole}])"
    with browser.opened(tmp_path / grid.NAME, tmp_path / "profile") as tab:
        heads = json.loads(tab.value(f"JSON.stringify({script})"))
    shown = Counter(text for text, is_whole in heads if is_whole)
    assert shown == Counter(["main", *(f"{day:%Y-%m-%d}" for day in days)])


@needs_chromium
def test_a_thousand_tests_by_two_hundred_runs_open_in_two_seconds(tmp_path: Path) -> None:
    pasts = {
        f"tests.integration.test_module_{n % 40}.TestThing::test_that_{n}_holds": "."
        if n % 50
        else "x"
        for n in range(1_000)
    }
    with History.open(f"sqlite:///{tmp_path}/history.db") as history:
        for number in range(200):
            history.record(run=runs.run_of(number, pasts, seconds=number / 7))
        accounts = read_accounts(history, Question(), with_texts=True)
    path = tmp_path / grid.NAME
    grid.write(path, accounts)
    assert path.stat().st_size < 5_000_000
    ready = min(
        int(re.findall(r'data-ready-milliseconds="(\d+)"', _dom(path, tmp_path / str(n)))[0])
        for n in range(3)
    )
    assert ready < 2_000


@needs_chromium
def test_keys_walk_the_grid_and_open_what_a_click_opens(page: Path, tmp_path: Path) -> None:
    with browser.opened(page, tmp_path / "profile", "#filter=all") as tab:
        tab.value("document.querySelector('#grid [role=gridcell][tabindex=\"0\"]').focus()")
        tab.press("ArrowDown", "ArrowRight", "ArrowRight")
        focused = tab.value("document.activeElement.getAttribute('aria-label')")
        assert re.match(r"(passed|failed|error|skipped).*, t::.*, 2026-11-20 10:00, ", focused)
        tab.press("Enter")
        assert tab.value("document.activeElement.id") == "detail"
        assert "first bad" in tab.value("document.getElementById('detail').textContent")
        tab.press("Escape")
        assert tab.value("document.getElementById('detail').hidden")
        assert tab.value("document.activeElement.getAttribute('role')") == "gridcell"


@needs_chromium
def test_a_screen_reader_meets_a_grid_with_words_for_every_shape(
    page: Path, tmp_path: Path
) -> None:
    with browser.opened(page, tmp_path / "profile", "#filter=all") as tab:
        met = tab.accessible()
    roles = Counter(role for role, _ in met)
    assert roles["grid"] == 1
    assert roles["rowheader"] == 8
    assert ("gridcell", "failed in quarantine") in met
    assert not [name for role, name in met if role == "gridcell" and not name]
    assert roles["status"] == 1
    heads = [name for role, name in met if role == "columnheader"]
    assert "run of 2026-11-20 12:00: TEST_FAILURE, c0, main" in heads


def _dom(page: Path, profile: Path, fragment: str = "") -> str:
    return subprocess.run(
        [
            str(browser.CHROMIUM),
            *browser.OPTIONS,
            "--dump-dom",
            f"--user-data-dir={profile / 'profile'}",
            f"{page.as_uri()}{fragment}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def test_of_too_many_tests_all_are_there_and_those_that_fail_with_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "TIMES_BYTES", 20)
    pasts = {f"t::{n}": "x" if n == 8 else "." for n in range(10)}
    with History.open(f"sqlite:///{tmp_path}/history.db") as history:
        history.record(run=runs.run_of(0, pasts))
        accounts = read_accounts(history, Question(), with_texts=True)
    (local,) = _Page(grid.html(accounts)).data["tiers"]
    tests = written_out(local)
    assert set(tests) == set(pasts)
    assert tests["t::8"]["times"] == ["6y"]
    assert len(local["tests"]["times"]) < len(pasts)
