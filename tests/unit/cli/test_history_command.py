"""`floe-tests history` and `import`, asked through the program, on a history of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
from floe_tests.cli.views.history import show_named, time_of
from floe_tests.core.errors import ConfigurationError
from floe_tests.results.history import bundle
from floe_tests.results.history.store import History
from tests.support import runs
from tests.unit.results import test_measured

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PASTS = {
    "t::steady": "......",
    "t::broken": "xxxxxx",
    "t::flaky": ".x.x..",
    "t::\\[bold]odd[/bold]": "x.....",
    "t::skipped": "ssssss",
}


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"sqlite:///{tmp_path}/history.db"
    monkeypatch.setenv("FLOE_TESTS_HISTORY", address)
    return address


@pytest.fixture
def recorded(url: str) -> str:
    with History.open(url) as history:
        for record in runs.runs_of(PASTS, commit="one"):
            history.record(run=record)
    return url


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_what_is_noteworthy_is_named_with_its_standing(recorded: str) -> None:
    assert recorded
    said = ask("history")
    assert said.exit_code == 0
    assert (
        "demo on local, branch main: 6 of 6 runs, 5 tests, 2 failing, 2 flaky, 1 broken"
        in said.output
    )
    lines = {line.split()[0]: line for line in said.output.splitlines() if line.startswith("t::")}
    assert "broken" in lines["t::broken"]
    assert "flaky" in lines["t::flaky"]
    assert "t::\\[bold]odd[/bold]" in lines
    assert "t::steady" not in lines


@pytest.mark.parametrize(
    ("show", "tests"),
    [
        ("failing", {"t::broken", "t::\\[bold]odd[/bold]"}),
        ("newly-failing", {"t::\\[bold]odd[/bold]"}),
        ("flaky", {"t::flaky", "t::\\[bold]odd[/bold]"}),
        ("never-run", {"t::skipped"}),
        ("new", set()),
        ("slower", set()),
    ],
)
def test_each_choice_gives_its_tests_as_json(recorded: str, show: str, tests: set[str]) -> None:
    assert recorded
    (tier,) = json.loads(ask("history", "--show", show, "--json").output)
    assert {each["test"] for each in tier["shown"]} == tests
    assert (tier["tests"], tier["failing"], tier["flaky"], tier["broken"]) == (5, 2, 2, 1)


def test_one_tests_past_is_a_line_a_run(recorded: str) -> None:
    assert recorded
    found = json.loads(ask("history", "--test", "t::flaky", "--json").output)
    assert [each["case"]["outcome"] for each in found] == [
        {".": "passed", "x": "failed"}[outcome] for outcome in PASTS["t::flaky"]
    ]
    shown = ask("history", "--test", "t::flaky").output
    assert shown.count("TEST_FAILURE") == 6
    assert "t::flaky said no in 1" in shown
    assert "has no run of 't::none'" in ask("history", "--test", "t::none").output


def test_a_bundle_and_a_junit_file_can_be_imported_twice(url: str, tmp_path: Path) -> None:
    bundle.write(tmp_path / bundle.NAME, runs.run_of(1, {"t::a": "."}))
    junit = tmp_path / "junit.xml"
    junit.write_text('<testsuite><testcase classname="t" name="a" time="1"/></testsuite>')
    words = ("import", str(tmp_path / bundle.NAME), str(junit), "--tier", "demo", "-e", "local")
    assert [line.split()[0] for line in ask(*words).output.splitlines()[:2]] == ["added", "added"]
    assert [line.split()[0] for line in ask(*words).output.splitlines()[:2]] == ["unchanged"] * 2
    with History.open(url) as history:
        assert history.grid(tier="demo", provider="local").total_runs == 2
    assert ask("import", str(junit)).exit_code == 2
    assert ask("import", str(tmp_path / "none"), "--tier", "demo").exit_code == 2


def test_each_tiers_page_is_written_where_its_results_are(
    recorded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(tmp_path / "out"))
    said = ask("report")
    out = tmp_path / "out"
    assert said.output.split() == [str(out / "demo" / "report.html"), str(out / "index.html")]
    assert "t::flaky" in (tmp_path / "out" / "demo" / "report.html").read_text()
    missing = ask("report", "--tier", "none")
    assert missing.exit_code == 2
    assert "no run of none" in missing.output


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_time_may_be_a_span_or_a_date(text: str, time: datetime) -> None:
    assert time_of(text, now=NOW) == time


def test_what_is_no_time_or_choice_is_refused_with_what_is() -> None:
    with pytest.raises(ConfigurationError, match="write 12h, 7d"):
        time_of("yesterday", now=NOW)
    with pytest.raises(ConfigurationError, match="Use one of noteworthy"):
        show_named("all")


def test_measurements_are_shown_with_their_change_and_as_json(url: str) -> None:
    with History.open(url) as history:
        for number in range(2):
            at = NOW - timedelta(hours=number)
            history.record(run=test_measured.run(f"r{number}", at, commit=f"commit{number}"))

    said = ask("history", "--show", "measurements")
    assert said.exit_code == 0
    lines = [line for line in said.output.splitlines() if "lakehouse_ingest" in line]
    assert len(lines) == 2
    assert "+1.0% (-2.0% to +4.0%)" in lines[0]
    assert "commit0" in lines[0]
    found = json.loads(ask("history", "--show", "measurements", "--json", "--since", "1h").output)
    assert [each["run"] for each in found if each["name"] == "query"] == []
    found = json.loads(ask("history", "--show", "measurements", "--json").output)
    assert [each["run"] for each in found if each["name"] == "query"] == ["r0", "r1"]
    assert found[0]["values"] == [1.9, 2.0, 2.1]


def test_a_soak_is_shown_by_component(url: str) -> None:
    with History.open(url) as history:
        history.record(run=test_measured.run("r", NOW))

    said = ask("history", "--show", "soak", "--tier", "staging")
    (line,) = [line for line in said.output.splitlines() if "cube" in line and "memory" in line]
    assert "1.4 MiB (-0.1 MiB to 2.9 MiB)" in line
    assert "400.0 h" in line
    (memory, cpu) = json.loads(ask("history", "--show", "soak", "--json").output)
    assert (memory["metric"], cpu["metric"], memory["slope_per_hour"]) == ("memory", "cpu", 1.5e6)


def test_a_history_without_soaks_says_how_one_is_made(recorded: str) -> None:
    assert recorded
    assert "no soak that was asked for" in ask("history", "--show", "soak").output


def test_a_renamed_test_is_linked_shown_as_one_and_taken_back(url: str) -> None:
    with History.open(url) as history:
        for record in runs.runs_of({"t::new": "x. ", "t::old": "  x"}):
            history.record(run=record)

    assert ask("history", "--rename", "t::old", "t::new").output.strip() == (
        "demo/tiny: t::old is now t::new"
    )
    (tier,) = json.loads(ask("history", "--json").output)
    assert [(each["test"], each["earlier_names"], each["failed"]) for each in tier["shown"]] == [
        ("t::new", ["t::old"], 2)
    ]
    assert len(json.loads(ask("history", "--test", "t::old", "--json").output)) == 3
    refused = ask("history", "--rename", "t::new", "t::old")
    assert (refused.exit_code, "would be a circle" in refused.stderr) == (2, True)
    assert "t::old is no longer t::new" in ask("history", "--undo-rename", "t::old").output
    assert ask("history", "--undo-rename", "t::old").exit_code == 2


def test_without_the_extra_the_rest_is_shown_and_the_list_itself_refused(
    recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded
    monkeypatch.setattr("floe_tests.core.extras.find_spec", lambda name: name != "ruptures" or None)
    said = ask("history")
    assert (said.exit_code, 'pip install "floe-tests[measure]"' in said.output) == (0, True)
    assert "t::broken" in said.output
    refused = ask("history", "--show", "slower")
    assert (refused.exit_code, "ruptures" in refused.stderr) == (2, True)
