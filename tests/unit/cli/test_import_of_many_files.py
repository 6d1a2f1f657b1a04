"""`floe-tests import` of many files at once: what is one run, what was read, what was not."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
from floe_tests.results.history import bundle
from floe_tests.results.history.store import History
from tests.support import runs

FAILS = "<failure message='no'/>"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with a history of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOE_TESTS_HISTORY", f"sqlite:///{tmp_path}/h.db")
    return tmp_path


def junit(name: str, *, inner: str = "", declared: int = 1, time: str = "2026-11-01T00:00:00"):
    return (
        f"<testsuite name='s' tests='{declared}' timestamp='{time}'>"
        f"<testcase classname='c' name='{name}'>{inner}</testcase></testsuite>"
    ).encode()


def write(name: str, content: bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def imported(*words: str, given: bytes | None = None) -> Result:
    found = CliRunner().invoke(app, ["import", *words, "--tier", "t"], input=given)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def recorded() -> list[list[str]]:
    """Return the names of the tests of each run."""
    with History.open("sqlite:///h.db") as history:
        return [
            sorted(case.name for case in history.cases(run_id=run.run_id)["t"])
            for run in history.runs(tier="t", provider="imported")
        ]


def test_files_folders_patterns_gzip_and_standard_input_are_one_run_when_asked() -> None:
    write("one/junit.xml", junit("one"))
    write("two/junit.xml.gz", gzip.compress(junit("two")))
    write("three/junit.xml.gz", gzip.compress(junit("three")))
    write("four/deep/er/junit.xml", junit("four"))
    words = ("--run", "one", "two/junit.xml.gz", "three", "four/**/*.xml", "-")
    said = imported(*words, given=gzip.compress(junit("five")))

    assert said.exit_code == 0
    assert said.stdout.splitlines()[1:] == ["1 run of 5 files (1 added); 5 tests"]
    assert recorded() == [["c::five", "c::four", "c::one", "c::three", "c::two"]]


def test_the_same_files_in_another_order_are_the_same_run() -> None:
    write("one/junit.xml", junit("one"))
    write("two/junit.xml", junit("two"))
    assert imported("--run", "one", "two/junit.xml").stdout.startswith("added")
    assert imported("--run", "two", "one/junit.xml").stdout.startswith("unchanged")


def test_packed_files_of_other_folders_are_unpacked_into_none_of_them(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here/junit.xml.gz", "there/junit.xml.gz", "junit.xml.gz"):
        write(name, gzip.compress(junit(name)))
    (place / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place / "copies"))
    before = sorted(place.rglob("*.xml*"))
    monkeypatch.chdir("here")
    said = imported("--run", "junit.xml.gz", "../there/junit.xml.gz", "../junit.xml.gz")

    assert "1 run of 3 files (1 added); 3 tests" in said.stdout
    assert sorted(place.rglob("*.xml*")) == before


def test_a_pattern_without_the_flag_gives_a_run_each() -> None:
    write("1/junit.xml", junit("one"))
    write("2/junit.xml", junit("two"))
    assert "2 runs of 2 files (2 added)" in imported("*/junit.xml").stdout
    assert len(recorded()) == 2


def test_a_pattern_that_matches_nothing_is_said() -> None:
    said = imported("*/junit.xml")
    assert said.exit_code == 2
    assert "*/junit.xml matches no file" in said.stderr


def test_a_folder_of_gzipped_files_is_a_run() -> None:
    write("reports/a.xml.gz", gzip.compress(junit("one")))
    write("reports/b.xml.gz", gzip.compress(junit("two")))
    assert "1 run of 2 files (1 added); 2 tests" in imported("reports").stdout


def test_results_in_other_forms_in_a_folder_are_named() -> None:
    write("reports/junit.xml", junit("one"))
    write("reports/TestResult.xml", b"<test-run id='2'/>")
    assert (
        "TestResult.xml was not read as a result: it is NUnit's own" in imported("reports").stdout
    )


def test_one_bad_file_of_a_run_stops_none_and_the_exit_code_says_so() -> None:
    write("a/junit.xml", junit("one"))
    write("b/junit.xml", junit("two", inner=FAILS)[:-20])
    write("c/junit.xml", b"<html/>")
    write("d/junit.xml.gz", gzip.compress(junit("three") * 99)[:-30])
    said = imported("--run", "a", "b", "c/junit.xml", "d/junit.xml.gz", "none.xml")

    assert said.exit_code == 2
    assert recorded() == [["c::one", "c::two"]]
    for name, why in {
        "b/junit.xml": "cannot be used to its end",
        "c/junit.xml": "it is a web page",
        "d/junit.xml.gz": "cannot be unpacked",
        "none.xml": "is not there",
    }.items():
        assert any(name in line and why in line for line in said.stderr.splitlines())
    assert "4 files that cannot be used, or not to the end" in said.stdout.splitlines()[-1]


def test_what_has_no_time_and_what_shows_less_than_it_declares_is_counted() -> None:
    write("1.xml", junit("one", time="soon"))
    write("2.xml", junit("two", declared=3))
    write("3.xml", junit("three"))
    said = imported("1.xml", "2.xml", "3.xml").stdout.splitlines()
    assert said[-1] == (
        "3 runs of 3 files (3 added); 3 tests; 1 file without a time; "
        "1 file with less than declared"
    )


def test_a_bundle_beside_files_that_are_one_run_is_a_run_of_its_own() -> None:
    bundle.write(Path("b.gz"), runs.run_of(3, {"t::a": "."}))
    write("1.xml", junit("one"))
    write("2.xml", junit("two"))
    said = imported("--run", "1.xml", "b.gz", "2.xml")
    assert (said.exit_code, "2 runs of 3 files (2 added)" in said.stdout) == (0, True)


def test_a_bundle_may_come_from_standard_input() -> None:
    bundle.write(Path("b.gz"), runs.run_of(3, {"t::a": "."}))
    said = CliRunner().invoke(app, ["import", "-"], input=Path("b.gz").read_bytes())
    assert said.stdout.startswith("added     run-0003")


def test_nothing_on_standard_input_is_said() -> None:
    said = imported("-", given=b"")
    assert (said.exit_code, "it is empty" in said.stderr) == (2, True)


def test_what_suites_say_of_where_they_ran_is_kept_with_the_run() -> None:
    properties = (
        "<properties><property name='browser' value='firefox'/><property name='shard' value='{}'/>"
        "<property name='db.password' value='hunter2'/></properties>"
    )
    for number in "12":
        xml = junit(number).decode().replace("<testcase", properties.format(number) + "<testcase")
        write(f"{number}.xml", xml.encode())
    imported("--run", "1.xml", "2.xml")
    with History.open("sqlite:///h.db") as history:
        (run,) = history.runs(tier="t", provider="imported")
    assert run.platform == {"browser": "firefox"}
