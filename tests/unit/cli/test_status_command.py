"""`floe-tests status` and the front page: one account of all tiers; and pages without room."""

from __future__ import annotations

import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
from floe_tests.core import extras
from floe_tests.report import overview
from floe_tests.results.history.store import History
from tests.support import runs

HOSTILE = "<script>alert(1)</script> [bold]x[/bold] \x1b[31m\u202eevil"


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOE_TESTS_HISTORY", f"sqlite:///{tmp_path}/history.db")
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(tmp_path / "out"))
    return tmp_path / "out"


@pytest.fixture
def recorded(out: Path) -> Path:
    """Return the output folder of a project with a red tier, a green one and one by a platform."""
    red = runs.runs_of({"t::new": "x....", "t::old": "xxxxx", "t::well": "....."})
    green = [
        replace(run, tier="smoke", run_id=f"smoke-{n}")
        for n, run in enumerate(runs.runs_of({"t::a": "..."}))
    ]
    installed = replace(
        runs.run_of(0, {"t::a": "."}, tier="soak", run_id="soak-0", provider="context"),
        commit="unknown",
        platform={"releases": [{"name": "shop", "chart": "shop", "version": "1.8.2"}]},
    )
    with History.open(f"sqlite:///{out.parent}/history.db") as history:
        for record in (*red, *green, installed):
            history.record(run=record)
    return out


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_what_needs_somebody_stands_first_with_its_cause(recorded: Path) -> None:
    assert recorded
    said = ask("status").output

    assert said.index("demo on local, main  failing") < said.index("smoke on local, main  healthy")
    assert "newly failing: 1 test, t::new said no in 0" in said
    assert "failing for longer: 1 test" in said
    assert "xxxxx" in said
    assert "never ran: " in said


def test_programs_and_the_front_page_get_the_same_numbers(recorded: Path) -> None:
    found = {each["tier"]: each for each in json.loads(ask("status", "--json").output)}
    ask("report")
    page = unescape((recorded / "index.html").read_text())

    assert (found["demo"]["health"], found["demo"]["failing"]) == ("failing", 2)
    assert [need["name"] for need in found["demo"]["needs"]] == ["new", "failing"]
    assert [each["cause"] for each in found["demo"]["trend"]] == ["TEST_FAILURE"] * 5
    articles = re.findall(r'<article class="([\w-]+)">\s*<h2><a href="(\w+)/report.html"', page)
    assert articles == [("failing", "demo"), ("healthy", "smoke"), ("healthy", "soak")]
    assert "3 tests, 2 failing, 0 flaky" in page
    assert "t::new said no in 0" in page


def test_a_branch_that_mends_what_main_breaks_is_healthy_and_says_so(recorded: Path) -> None:
    mended = runs.run_of(9, dict.fromkeys(("t::new", "t::old", "t::well"), "."), run_id="pull")
    with History.open(f"sqlite:///{recorded.parent}/history.db") as history:
        history.record(run=replace(mended, ref="refs/pull/7/merge"))

    (found,) = json.loads(ask("status", "--json", "--tier", "demo", "--ref", "pull/7").output)

    assert (found["health"], found["branch"]) == ("healthy", "pull/7")
    assert [(need["name"], need["tests"]) for need in found["needs"]] == [("fixed", 2)]


def test_a_run_on_an_installed_platform_has_its_version_for_a_commit(recorded: Path) -> None:
    assert recorded
    (found,) = json.loads(ask("status", "--json", "--tier", "soak").output)

    assert found["tested"] == "shop 1.8.2"
    assert "on shop 1.8.2" in ask("status", "--tier", "soak").output


def test_an_outage_is_the_fault_of_no_test(out: Path) -> None:
    with History.open(f"sqlite:///{out.parent}/history.db") as history:
        history.record(run=runs.run_of(1, {"t::a": "."}))
        history.record(
            run=runs.run_of(0, {"t::a": "x"}, cause="INFRA_NODE", fault="infrastructure")
        )

    (found,) = json.loads(ask("status", "--json", "--tier", "demo").output)

    assert (found["health"], found["failing"]) == ("not judged", 0)


def test_what_needs_statistics_is_left_out_where_they_are_not_installed(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)

    assert (ask("status").exit_code, ask("report").exit_code) == (0, 0)
    assert (recorded / "demo" / "report.html").is_file()
    assert 'pip install "floe-tests[measure]"' in ask("history", "--show", "slower").output


def test_before_the_first_run_all_say_how_to_begin(out: Path) -> None:
    said = ask("status")

    assert said.exit_code == 0
    assert re.search(r"No runs yet: floe-tests run \w+", said.output)
    assert "`floe-tests run`" in ask("report").output
    assert "No runs yet: <code>floe-tests run integration</code>" in overview.html(())
    assert not out.exists()
    assert {each["health"] for each in json.loads(ask("status", "--json").output)} == {"never ran"}


def test_a_tier_that_there_is_not_is_refused(recorded: Path) -> None:
    assert recorded
    said = ask("status", "--tier", "nosuch")

    assert said.exit_code == 2
    assert "--tier nosuch" in said.output


def test_words_of_a_test_act_neither_in_the_terminal_nor_on_the_page(out: Path) -> None:
    record = runs.run_of(0, {HOSTILE: "x"})
    with History.open(f"sqlite:///{out.parent}/history.db") as history:
        history.record(run=replace(record, summary=HOSTILE))
    said = ask("status", "--tier", "demo").output
    ask("report")
    page = (out / "index.html").read_text()

    assert "[bold]x[/bold]" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Let no file grow over a size: writing fails as on a full disk, without the file's name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_a_message_and_leaves_no_half_page(recorded: Path) -> None:
    with full_disk(40_000):  # the history's own files have room
        said = ask("report", "--tier", "demo")

    assert said.exit_code == 2
    assert f"{recorded}/demo/report.html: the page cannot be written" in said.output
    assert "Traceback" not in said.output
    assert list((recorded / "demo").iterdir()) == []


@pytest.mark.parametrize("path", ["a-file", "a-file/below", "/proc/nowhere"])
def test_a_place_that_is_no_folder_is_a_message(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (recorded.parent / "a-file").write_text("not a folder")
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(recorded.parent / path))

    said = ask("report")

    assert said.exit_code == 2
    assert "the page cannot be written" in said.output
    assert "FLOE_TESTS_OUTPUT" in said.output


def test_missing_parents_are_made(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(recorded / "a" / "b"))

    assert ask("report").exit_code == 0
    assert (recorded / "a" / "b" / "index.html").is_file()
