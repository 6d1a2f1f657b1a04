"""`floe-tests import` and what `history` makes of it, with files that others have written."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.history import bundle
from floe_tests.results.history.store import History
from tests.support import runs

HOSTILE_NAMES = [
    "../elsewhere",
    "/abs/path",
    "a/b",
    "..",
    ".hidden",
    "",
    "a\nb",
    "a\x00b",
    "\x1b[31mred",
    "t" * 64,
    "téléphone",
    "-rf",
    "a b",
]


@pytest.fixture(scope="session")
def empty_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "h.db"
    History.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, empty_history: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return each test a folder with a history and an output folder of its own."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(empty_history, work / "h.db")
    monkeypatch.chdir(work)
    monkeypatch.setenv("FLOE_TESTS_HISTORY", f"sqlite:///{work}/h.db")
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(work / "out"))
    return work


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refusal(*words: str) -> str:
    """Return what is said on a refusal: exit code 2, one or two lines, no traceback."""
    said = ask(*words)
    assert said.exit_code == 2, said.output
    assert isinstance(said.exception, SystemExit)
    # A command that ends says it in a panel; a file of several, in a line.
    lines = [line.strip("│ ") for line in said.stderr.splitlines() if line[:1] not in {"╭", "╰"}]
    assert len(lines) in {1, 2}
    return "\n".join(lines)


def mk(name: str, outcome: str, time: str, *tests: str, fault: str = "failure") -> str:
    """Write a JUnit file: each test passed (`p`) or failed (`f`)."""
    inner = "" if outcome == "p" else f'<{fault} message="no"/>'
    cases = "".join(
        f'<testcase classname="c" name="{test}" time="1">{inner}</testcase>'
        for test in tests or ("t",)
    )
    Path(name).write_text(f'<testsuite name="s" timestamp="{time}">{cases}</testsuite>')
    return name


def add(file: str, tier: str, ref: str | None, commit: str | None) -> None:
    words = [*(["--ref", ref] if ref else []), *(["--commit", commit] if commit else [])]
    assert ask("import", file, "--tier", tier, *words).exit_code == 0


def numbers(*words: str) -> dict[str, Any]:
    (account,) = json.loads(ask("history", "--json", *words).output)
    return account


def shown(*words: str) -> dict[str, dict[str, Any]]:
    return {each["test"]: each for each in numbers(*words)["shown"]}


# What an import makes of branches, deleted tests and outages.


def test_a_feature_branch_leaves_main_healthy_and_is_shown_when_asked_for() -> None:
    for day in (1, 2, 3):
        add(mk(f"m{day}.xml", "p", f"2026-11-0{day}T00:00:00"), "b", "main", f"m{day}")
    for day in (4, 5, 6):
        add(mk(f"f{day}.xml", "f", f"2026-11-0{day}T00:00:00"), "b", "feature/x", f"f{day}")

    main = numbers("--tier", "b")
    assert (main["branch"], main["runs"], main["failing"], main["broken"]) == ("main", 3, 0, 0)
    assert main["shown"] == []
    branch = numbers("--tier", "b", "--ref", "refs/heads/feature/x")
    assert (branch["branch"], branch["failing"], branch["broken"]) == ("feature/x", 1, 1)
    assert branch["shown"][0]["first_bad_commit"] == "f4"
    assert "branch main: 3 of 3 runs" in ask("history").output
    assert "the refs with runs are main (3 runs) and feature/x (3 runs)" in refusal(
        "history", "--ref", "none"
    )


def test_the_first_bad_commit_is_one_of_the_same_branch() -> None:
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "f", "main", "m1")
    add(mk("2.xml", "f", "2026-11-02T00:00:00"), "f", "feature/y", "other")
    add(mk("3.xml", "f", "2026-11-03T00:00:00"), "f", "main", "m2")

    assert shown("--tier", "f")["c::t"]["first_bad_commit"] == "m2"


def test_a_test_that_passes_on_main_and_fails_on_a_branch_at_one_commit_is_not_flaky() -> None:
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "f", "main", "same")
    add(mk("2.xml", "f", "2026-11-02T00:00:00"), "f", "refs/pull/7/merge", "same")

    assert numbers("--tier", "f")["flaky"] == 0


def test_runs_without_a_ref_and_another_default_branch_are_the_default_branchs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOE_TESTS_DEFAULT_BRANCH", "trunk")
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "t", None, "a")
    add(mk("2.xml", "p", "2026-11-02T00:00:00"), "t", "refs/heads/trunk", "b")
    add(mk("3.xml", "f", "2026-11-03T00:00:00"), "t", "main", "c")

    account = numbers("--tier", "t")
    assert (account["branch"], account["runs"], account["failing"]) == ("trunk", 2, 0)


def test_a_tier_that_never_ran_on_the_default_branch_shows_its_newest_runs_branch() -> None:
    add(mk("1.xml", "f", "2026-11-01T00:00:00"), "t", "develop", "a")

    account = numbers("--tier", "t")
    assert (account["branch"], account["failing"]) == ("develop", 1)
    assert "No runs on main; the refs with runs are develop (1 run)" in account["note"]


def test_a_pull_request_is_compared_with_the_default_branch() -> None:
    add(mk("m.xml", "p", "2026-11-01T00:00:00"), "c", "main", "m")
    add(mk("f.xml", "f", "2026-11-02T00:00:00"), "c", "refs/pull/9/merge", "f")

    assert numbers("--tier", "c")["compared_with"] is None
    compared = numbers("--tier", "c", "--ref", "pull/9")["compared_with"]
    assert (compared["branch"], compared["runs"], compared["fixed_here"]) == ("main", 1, [])
    assert compared["new_failure_here"] == [{"suite": "c", "test": "c::t"}]
    said = ask("history", "--ref", "refs/pull/9/head").output
    assert "Compared with main: 1 new failure here, 0 failing there too" in said


def test_a_deleted_test_is_gone_and_neither_failing_nor_newly_failing() -> None:
    add(mk("0.xml", "p", "2026-11-01T00:00:00", "gone"), "d", "main", "c0")
    for hour in (1, 2, 3):
        file = mk(f"{hour}.xml", "f", f"2026-11-01T0{hour}:00:00", "gone")
        add(file, "d", "main", f"c{hour}")
    assert numbers("--tier", "d")["broken"] == 1
    for day in (4, 5, 6):
        file = mk(f"{day}.xml", "p", f"2026-11-1{day}T00:00:00", "kept")
        add(file, "d", "main", f"c{day}")

    account = numbers("--tier", "d", "--show", "newly-failing")
    assert (account["failing"], account["broken"], account["shown"]) == (0, 0, [])
    gone = shown("--tier", "d", "--show", "gone")["c::gone"]
    assert (gone["standing"], gone["gone_since_commit"]) == ("gone", "c4")
    assert "gone" in ask("history", "--tier", "d").output
    for choice in ("failing", "slowest"):
        assert "c::gone" not in shown("--tier", "d", "--show", choice)


def test_a_test_that_comes_back_is_judged_again() -> None:
    for number, test in enumerate(("t", "other", "other", "t")):
        outcome = "f" if test == "t" else "p"
        add(mk("x.xml", outcome, f"2026-11-0{number + 1}T00:00:00", test), "d", "main", f"{number}")

    assert shown("--tier", "d")["c::t"]["standing"] == "failing"


def test_files_of_one_commit_that_come_one_by_one_delete_nothing() -> None:
    add(mk("1.xml", "f", "2026-11-01T00:00:00", "a"), "d", "main", "c1")
    for part in "bcde":
        add(mk(f"{part}.xml", "p", f"2026-11-01T01:00:0{ord(part) % 10}", part), "d", "main", "c1")

    assert numbers("--tier", "d")["failing"] == 1


@pytest.mark.parametrize("fault", ["error", "failure"])
def test_an_outage_makes_no_test_flaky_and_is_said(fault: str) -> None:
    tests = [f"t{number}" for number in range(1, 10)]
    add(mk("a.xml", "p", "2026-11-01T00:00:00", *tests), "o", "main", "c")
    file = mk("b.xml", "f", "2026-11-01T01:00:00", *tests, fault=fault)
    imported = ask("import", file, "--tier", "o", "--ref", "main", "--commit", "c")

    assert "SUSPECT_ENV" in imported.output
    account = numbers("--tier", "o")
    assert (account["flaky"], account["broken"]) == (0, 0)
    assert "suspect as a whole" in ask("history", "--tier", "o").output


def test_a_file_without_a_test_is_a_run_of_none_and_the_next_file_follows() -> None:
    Path("none.xml").write_text("<testsuites/>")
    said = ask("import", "none.xml", mk("1.xml", "p", "2026-11-01T00:00:00"), "--tier", "n")

    assert said.exit_code == 0
    assert [line.rpartition(": ")[2] for line in said.output.splitlines()] == [
        "NO_TESTS, 0 tests; It names no time; the file's modification time is used",
        "PASS, 1 tests",
        "2 runs of 2 files (2 added); 1 test; 1 file without a time",
    ]


# Files of one run.


def test_one_file_a_class_is_one_run_by_its_folder_or_its_files() -> None:
    Path("reports").mkdir()
    for name in "AB":
        file = mk(f"reports/TEST-demo.{name}.xml", "p", "2026-11-01T00:00:00", name)
        assert Path(file).is_file()
    Path("reports/pom.xml").write_text("<project/>")
    for words in (["reports"], ["reports/TEST-demo.A.xml", "reports/TEST-demo.B.xml"]):
        said = ask("import", *words, "--tier", "one")
        assert said.exit_code == 0
        assert "PASS, 2 tests" in said.output
    account = numbers("--tier", "one")
    assert (account["runs"], account["tests"]) == (1, 2)


def test_files_of_other_names_are_runs_of_their_own() -> None:
    files = [mk(f"{day}.xml", "p", f"2026-11-0{day}T00:00:00") for day in (1, 2)]
    assert ask("import", *files, "--tier", "two").exit_code == 0
    assert numbers("--tier", "two")["runs"] == 2


def test_a_folder_without_a_file_is_said() -> None:
    Path("empty").mkdir()
    assert "holds no JUnit file" in refusal("import", "empty", "--tier", "t")


def test_what_a_file_declares_and_does_not_show_is_said_and_no_pass() -> None:
    Path("cut.xml").write_text(
        '<testsuite name="s" tests="10" failures="0"><testcase classname="c" name="a"/></testsuite>'
    )
    said = ask("import", "cut.xml", "--tier", "t")
    assert "RESULT_LOST, 1 tests;" in said.output
    assert "10" in said.output.split("RESULT_LOST", 1)[1]


# Names.


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_tier_that_is_no_name_is_refused_with_field_and_remedy(name: str, place: Path) -> None:
    before = {path.name for path in place.parent.iterdir()}
    said = refusal("import", mk("1.xml", "p", "2026-11-01T00:00:00"), f"--tier={name}")

    assert "--tier" in said
    assert "Use letters, digits" in said or "add --tier" in said
    assert "\x1b" not in said
    assert ask("report").exit_code == 2
    assert {path.name for path in place.parent.iterdir()} == before


@pytest.mark.parametrize(
    "flag",
    ["--suite=../x", "--environment=a b", "--ref=a..b", "--ref=x y", "--commit=;rm", "--ref="],
)
def test_every_flag_is_checked(flag: str) -> None:
    said = refusal("import", mk("1.xml", "p", "2026-11-01T00:00:00"), "--tier", "t", flag)
    assert flag.partition("=")[0] in said


@pytest.mark.parametrize(
    "ref", ["main", "feature/JIRA-1_fix.it", "refs/pull/7/merge", "v1.2.3", "größe", "a@b"]
)
def test_what_git_allows_as_a_ref_is_allowed(ref: str) -> None:
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "t", ref, "c")


def _bundled(change: Callable[[dict[str, Any]], None], *, name: str = "b.json.gz") -> str:
    bundle.write(Path(name), runs.run_of(1, {"t::a": ".", "t::b": "x"}))
    document = json.loads(gzip.decompress(Path(name).read_bytes()))
    change(document["run"])
    Path(name).write_bytes(gzip.compress(json.dumps(document).encode()))
    return name


@pytest.mark.parametrize("field", ["run_id", "tier", "provider", "ref", "commit", "cause"])
@pytest.mark.parametrize("name", ["../../x", "/abs/path", "\x1b]0;title\x07", "x" * 300, "a\x00"])
def test_a_bundle_with_a_name_that_is_none_is_refused(field: str, name: str, place: Path) -> None:
    said = refusal("import", _bundled(lambda run: run.update({field: name})))

    assert f"run.{field}" in said
    assert "Use " in said
    assert "\x1b" not in said
    assert sorted(path.name for path in place.iterdir()) == ["b.json.gz", "h.db"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: run["suites"][0].update(name="../s"), "run.suites.0.name"),
        (lambda run: run["suites"].append(run["suites"][0]), "twice"),
        (lambda run: run["suites"][0]["cases"].append(run["suites"][0]["cases"][0]), "twice"),
        (lambda run: run["suites"][0].update(exit_status=10**30), "exit_status"),
        (lambda run: run["suites"][0]["cases"][0].update(reruns=2**40), "reruns"),
        (lambda run: run.update(started_at="0001-01-01T00:00:00+14:00"), "started_at"),
        (lambda run: run.update(started_at="2026-01-01T00:00:00"), "started_at"),
        (lambda run: run.update(suites=[{"name": "s"}]), "run.suites.0"),
        (lambda run: run.update(unknown=1), "run.unknown"),
    ],
    ids=["suite", "suites", "cases", "integer", "reruns", "calendar", "naive", "fields", "unknown"],
)
def test_a_bundle_with_values_that_are_none_is_refused(
    change: Callable[[dict[str, Any]], None], said: str
) -> None:
    assert said in refusal("import", _bundled(change))
    assert "no such run" in ask("history").output


def _green(run: dict[str, Any], **fields: object) -> None:
    """Make a run and its suite green by their words."""
    for judged in (run, *run["suites"]):
        judged.update(outcome="passed", cause="PASS", fault="none")
    run.update(fields)


def _green_suite(run: dict[str, Any], **fields: object) -> None:
    _green(run)
    run["suites"][0].update(quarantined=["t::b"], **fields)


EDITED: dict[str, tuple[Callable[[dict[str, Any]], None], tuple[str, ...]]] = {
    "a failure under PASS": (_green, ("run.suites.tiny.cause", "PASS", "t::b", "failed")),
    "more collected than reported": (
        lambda run: _green_suite(run, collected=5_000, reported=2),
        ("run.suites.tiny.collected", "5000", "2 reported"),
    ),
    "more reported than there are": (
        lambda run: run["suites"][0].update(reported=9),
        ("run.suites.tiny.reported", "9", "2 cases"),
    ),
    "nothing ran": (
        lambda run: _green_suite(
            run,
            cases=[],
            tally={"tests": 0, "passed": 0, "failed": 0, "errors": 0, "skipped": 0, "seconds": 0},
        ),
        ("run.suites.tiny.cause", "none ran"),
    ),
    "no suites": (lambda run: _green(run, suites=[]), ("run.cause", "PASS", "0 suites")),
    "green run, red suite": (
        lambda run: run.update(outcome="passed", cause="PASS", fault="none"),
        ("run.cause", "PASS", "run.suites.tiny.cause", "TEST_FAILURE"),
    ),
    "no such cause": (lambda run: run.update(cause="GREEN"), ("run.cause", "GREEN", "PASS")),
    "no such cause of a suite": (
        lambda run: run["suites"][0].update(cause="GREEN"),
        ("run.suites.tiny.cause", "GREEN"),
    ),
    "outcome": (lambda run: run.update(outcome="passed"), ("run.outcome", "passed", "failed")),
    "fault": (
        lambda run: run["suites"][0].update(fault="infrastructure"),
        ("run.suites.tiny.fault", "infrastructure", "test"),
    ),
    "cancelled": (
        lambda run: run.update(cause="CANCELLED", fault="cancelled"),
        ("run.outcome", "failed", "cancelled"),
    ),
    "attempt": (
        lambda run: run["suites"][0].update(attempts=[{"number": 1, "cause": "FINE"}]),
        ("run.suites.tiny.attempts.0.cause", "FINE"),
    ),
    "tally": (
        lambda run: run["suites"][0]["tally"].update(passed=500),
        ("run.suites.tiny.tally.passed", "500", "1"),
    ),
    "seconds": (
        lambda run: run["suites"][0]["tally"].update(seconds=5),
        ("run.suites.tiny.tally.seconds", "5", "0.5"),
    ),
    "begun in the future": (
        lambda run: run.update(started_at="2199-01-01T00:00:00Z"),
        ("run.started_at", "2199-01-01"),
    ),
    "ended in the future": (
        lambda run: run.update(finished_at="2199-01-01T00:00:00Z"),
        ("run.finished_at", "2199-01-01"),
    ),
}


@pytest.mark.parametrize(("change", "said"), EDITED.values(), ids=EDITED.keys())
def test_a_bundle_that_contradicts_itself_is_refused_with_both_values(
    change: Callable[[dict[str, Any]], None], said: tuple[str, ...]
) -> None:
    refused = refusal("import", _bundled(change))
    for word in ("b.json.gz", *said, "Copy it again"):
        assert word in refused
    assert "no such run" in ask("history").output


@pytest.mark.parametrize(
    "change",
    [_green_suite, lambda run: _green_suite(run, collected=2, reported=2)],
    ids=["in quarantine", "counted"],
)
def test_a_failure_in_quarantine_stands_under_a_pass(
    change: Callable[[dict[str, Any]], None],
) -> None:
    assert ask("import", _bundled(change)).output.startswith("added")


@pytest.mark.parametrize("tier", HOSTILE_NAMES)
def test_a_verdict_is_asked_for_by_name_alone(tier: str, place: Path) -> None:
    (place.parent / "elsewhere").mkdir()
    (place.parent / "elsewhere" / "verdict.json").write_text("{}")
    assert "Use letters" in refusal("verdict", "--", tier)


def test_a_verdict_that_is_half_written_is_said(place: Path) -> None:
    (place / "out" / "t").mkdir(parents=True)
    (place / "out" / "t" / "verdict.json").write_text('{"run_id": "')
    assert "cannot be read" in refusal("verdict", "t")


# A run that is known.


def _with_outcome(passed: bool) -> None:  # noqa: FBT001 - one word says it
    bundle.write(Path("b.json.gz"), runs.run_of(1, {"t::a": "." if passed else "x"}))


def test_a_known_run_is_not_replaced_unless_asked() -> None:
    _with_outcome(passed=False)
    assert ask("import", "b.json.gz").output.startswith("added")
    assert ask("import", "b.json.gz").output.startswith("unchanged")
    _with_outcome(passed=True)

    said = refusal("import", "b.json.gz")
    for word in ("run-0001", "TEST_FAILURE", "PASS", "--replace", "cause"):
        assert word in said
    assert numbers()["failing"] == 1
    assert ask("import", "b.json.gz", "--replace").output.startswith("replaced")
    assert numbers()["failing"] == 0
    assert ask("import", "b.json.gz", "--replace").output.startswith("unchanged")


def test_a_bundle_with_the_same_numbers_and_other_tests_is_another() -> None:
    bundle.write(Path("b.json.gz"), runs.run_of(1, {"t::a": ".", "t::b": "x"}))
    assert ask("import", "b.json.gz").exit_code == 0
    bundle.write(Path("b.json.gz"), runs.run_of(1, {"t::a": "x", "t::b": "."}))
    assert "differ in cases" in refusal("import", "b.json.gz")


def test_what_a_database_makes_of_a_text_is_no_difference() -> None:
    name = _bundled(
        lambda run: run.update(summary="a\x00b\r\n", platform={"a": [1.5, None, "\x01"]})
    )
    assert ask("import", name).output.startswith("added")
    assert ask("import", name).output.startswith("unchanged")


def test_the_same_junit_file_with_another_ref_is_said() -> None:
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "t", "main", "a")
    said = refusal("import", "1.xml", "--tier", "t", "--ref", "next", "--commit", "a")
    assert "differ in ref" in said


def test_the_same_junit_file_with_another_commit_is_another_run() -> None:
    """A build's cache gives one commit the report of another."""
    add(mk("1.xml", "p", "2026-11-01T00:00:00"), "t", "main", "a")
    said = ask("import", "1.xml", "--tier", "t", "--ref", "main", "--commit", "b")
    assert said.output.startswith("added ")


# What a file may cost.


@pytest.mark.parametrize(
    "content",
    [b" " * 12_000_000, b'{"run":"' + b"a" * 12_000_000 + b'"}', b"[0," * 4_000_000],
    ids=["blanks", "one text", "lists"],
)
def test_a_small_file_that_unpacks_to_much_is_refused_before_it_does(content: bytes) -> None:
    packer = zlib.compressobj(9, wbits=31)
    Path("bomb").write_bytes(packer.compress(content) + packer.flush())
    assert Path("bomb").stat().st_size < 100_000
    tracemalloc.start()
    said = refusal("import", "bomb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "times its size" in said
    assert "gunzip" in said
    assert peak < 24 * 1024 * 1024


def test_bombs_one_behind_the_other_are_one() -> None:
    Path("bomb").write_bytes(gzip.compress(b" " * 1_000_000) * 100)
    assert "times its size" in refusal("import", "bomb")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"run":' + b"[" * 200_000, "nested"),
        (b'{"run":[' + b"1," * 400_000 + b"1]}", "values"),
        (b'{"run":[' + b"[]," * 200_000 + b"1]}", "values"),
        (b"{" + b'"\\"[[[[[[":1,' * 10 + b'"run":1}', "no bundle"),
        (b'{"run": ' + b"9" * 5_000 + b"}", "no bundle"),
        (b'{"run": "\xff\xfe"}', "no bundle"),
    ],
    ids=["deep", "numbers", "lists", "brackets in names", "a long number", "no UTF-8"],
)
def test_json_that_costs_more_than_a_run_is_refused(content: bytes, said: str) -> None:
    Path("b").write_bytes(content)
    assert said in refusal("import", "b")


def test_a_run_of_equal_tracebacks_is_written_so_that_it_can_be_imported() -> None:
    record = runs.run_of(1, {"t::a": "x"})
    (suite,) = record.suites
    text = "".join(f"line {number} of a traceback\n" for number in range(200))
    cases = tuple(
        CaseResult(name=f"t::{number}", outcome=CaseOutcome.FAILED, seconds=1, text=text)
        for number in range(600)
    )
    suite = replace(suite, cases=cases, tally=Tally.of(cases))
    bundle.write(Path("b.json.gz"), replace(record, suites=(suite,)))

    assert ask("import", "b.json.gz").output.startswith("added")


def test_a_bundle_that_was_unpacked_is_one_all_the_same() -> None:
    bundle.write(Path("b.json.gz"), runs.run_of(1, {"t::a": "."}))
    Path("b.json").write_bytes(gzip.decompress(Path("b.json.gz").read_bytes()))
    assert ask("import", "b.json").output.startswith("added")


def test_what_is_no_plain_file_is_refused() -> None:
    os.mkfifo("pipe")
    for name in ("pipe", "/dev/zero", "none"):
        assert "Name bundles" in refusal("import", name)
    assert "cannot be read" in refusal("import", "a" * 300)


def test_a_file_that_cannot_be_used_stops_none_behind_it() -> None:
    Path("broken").write_bytes(b"\x1f\x8b")
    said = ask("import", "broken", mk("1.xml", "p", "2026-11-01T00:00:00"), "--tier", "t")
    assert said.exit_code == 2
    assert "broken" in said.stderr
    assert said.stdout.startswith("added")


# Times.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Thu, 06 Aug 2020 07:53:15 GMT", "2020-08-06 07:53"),
        ("2020-08-06T09:53:15+02:00", "2020-08-06 07:53"),
    ],
)
def test_a_time_is_read_in_either_form(text: str, said: str) -> None:
    assert said in ask("import", mk("1.xml", "p", text), "--tier", "t").output


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "now"])
def test_a_time_that_is_none_is_said_to_be_the_files(text: str) -> None:
    name = mk("1.xml", "p", text)
    os.utime(name, (1_600_000_000, 1_600_000_000))
    said = ask("import", name, "--tier", "t").output
    assert "2020-09-13" in said
    assert "It names no time" in said


def test_a_tier_or_environment_that_the_history_does_not_have_is_refused_with_the_known() -> None:
    for tier in ("shop", "stock", "till"):
        add(mk(f"{tier}.xml", "p", "2026-11-01T00:00:00"), tier, "main", "a")
    for words in ((), ("--show", "soak"), ("--test", "c::t"), ("--json",)):
        said = refusal("history", "--tier", "shpo", *words)
        assert "--tier shpo" in said
        assert "It has shop, stock and till." in said
    assert "It has runs on imported." in refusal("history", "-e", "knid")
    assert ask("history", "--tier", "shop", "-e", "imported").exit_code == 0


def test_an_empty_history_knows_no_tier_to_be_mistaken() -> None:
    said = ask("history", "--tier", "shop")
    assert said.exit_code == 0
    assert "no such run" in said.output


def test_a_test_that_failed_and_is_skipped_now_is_among_the_failing() -> None:
    add(mk("1.xml", "f", "2026-11-01T00:00:00"), "t", "main", "a")
    Path("2.xml").write_text(
        '<testsuite name="s" timestamp="2026-11-02T00:00:00">'
        '<testcase classname="c" name="t"><skipped/></testcase>'
        '<testcase classname="c" name="u"/></testsuite>'
    )
    add("2.xml", "t", "main", "b")
    failing = shown("--show", "failing")
    assert failing["c::t"]["standing"] == "failing"
    assert failing["c::t"]["newest"] == "skipped"
    assert numbers()["failing"] == 1


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "yesterday"])
def test_a_flag_that_is_no_time_is_refused(text: str) -> None:
    assert "is no time" in refusal("history", "--since", text)
    name = mk("1.xml", "p", "2026-11-01T00:00:00")
    assert "is no time" in refusal("import", name, "--tier", "t", "--at", text)


@pytest.mark.parametrize("time", ["2199-01-01T00:00:00", "Thu, 01 Jan 2099 07:53:15 GMT"])
def test_a_time_of_the_future_is_said_and_not_believed(time: str) -> None:
    name = mk("1.xml", "p", time)
    os.utime(name, (1_600_000_000, 1_600_000_000))
    said = ask("import", name, "--tier", "t").output
    assert "2020-09-13 12:26: PASS" in said
    assert "is in the future; the file's modification time is used" in said


def test_a_file_that_was_written_in_the_future_began_now() -> None:
    name = mk("1.xml", "p", "2199-01-01T00:00:00")
    os.utime(name, (7_000_000_000, 7_000_000_000))
    said = ask("import", name, "--tier", "t").output
    assert "the time of the import is used" in said
    assert f"{datetime.now(UTC):%Y-%m}" in said


def test_a_clock_that_is_some_hours_ahead_is_believed() -> None:
    ahead = datetime.now(UTC) + timedelta(hours=14)
    said = ask("import", mk("1.xml", "p", ahead.isoformat()), "--tier", "t").output
    assert f"{ahead:%Y-%m-%d %H:%M}: PASS" in said


def test_a_flag_of_the_future_is_refused() -> None:
    name = mk("1.xml", "p", "2026-11-01T00:00:00")
    assert "--at: 2199-01-01" in refusal("import", name, "--tier", "t", "--at", "2199-01-01")


# Files of JUnit that are gzipped.


def test_a_gzipped_junit_file_is_the_file_in_it() -> None:
    plain = Path(mk("junit.xml", "f", "2026-11-01T00:00:00"))
    Path("junit.xml.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert ask("import", "junit.xml.gz", "--tier", "t").output.startswith("added")
    assert ask("import", "junit.xml", "--tier", "t").output.startswith("unchanged")
    assert numbers()["failing"] == 1


def test_gzipped_files_one_a_class_are_one_run() -> None:
    for name in ("TEST-a.xml", "TEST-b.xml"):
        xml = Path(mk(name, "p", "2026-11-01T00:00:00", name)).read_bytes()
        Path(f"{name}.gz").write_bytes(gzip.compress(xml))
    said = ask("import", "TEST-a.xml.gz", "TEST-b.xml.gz", "--tier", "t").output
    assert said.splitlines()[1:] == ["1 run of 2 files (1 added); 2 tests"]


def test_a_gzipped_file_without_a_time_was_written_when_the_packed_one_was() -> None:
    Path("junit.xml.gz").write_bytes(gzip.compress(Path(mk("x", "p", "now")).read_bytes()))
    os.utime("junit.xml.gz", (1_600_000_000, 1_600_000_000))
    assert "2020-09-13" in ask("import", "junit.xml.gz", "--tier", "t").output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"<testsuite>" + b" " * 12_000_000), "unpack it with gunzip"),
        (gzip.compress(b"<testsuite>" + os.urandom(100_000))[:-60_000], "cannot be unpacked"),
        (gzip.compress(b"<html/>"), "not <testsuites>|it is a web page"),
    ],
    ids=["bomb", "cut off", "no JUnit"],
)
def test_a_gzipped_file_that_cannot_be_used_is_refused(content: bytes, said: str) -> None:
    Path("junit.xml.gz").write_bytes(content)
    assert re.search(said, refusal("import", "junit.xml.gz", "--tier", "t"))


def test_a_gzipped_junit_file_needs_its_tier() -> None:
    Path("junit.xml.gz").write_bytes(gzip.compress(b"<testsuite/>"))
    assert "add --tier" in refusal("import", "junit.xml.gz")


# Runs in which nothing ran.


@pytest.mark.parametrize(
    "cases",
    [
        '<testcase name="a"><skipped/></testcase><testcase name="b"><skipped/></testcase>',
        '<testcase name="a" status="notrun" result="suppressed"/>',
        '<testcase name="a" status="disabled"/>',
        '<testcase name="a" status="run" result="skipped"><skipped message="g.cc:4"/></testcase>',
    ],
    ids=["skipped", "not run", "disabled", "its suite's set-up failed (GoogleTest)"],
)
def test_a_file_of_which_nothing_ran_is_no_pass(cases: str) -> None:
    Path("1.xml").write_text(f'<testsuite name="s">{cases}</testsuite>')
    assert "NO_TESTS" in ask("import", "1.xml", "--tier", "t").output


def test_a_file_of_expected_failures_alone_is_a_pass() -> None:
    Path("1.xml").write_text(
        '<testsuite name="s"><testcase name="a"><skipped type="pytest.xfail"/></testcase>'
        '<testcase name="b"><skipped/></testcase></testsuite>'
    )
    assert ": PASS, 2 tests" in ask("import", "1.xml", "--tier", "t").output
