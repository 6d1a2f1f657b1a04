"""A tier's newest files are those of one run, or somebody is told."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
from floe_tests.core.errors import ConfigurationError
from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.store import History

from .conftest import Suites

SUITE = """
    junit.write_text('<testsuite name="pytest"><testcase classname="t" name="a"/></testsuite>')
    collection.write_text('{"collected": 1}')
"""


def ask(suites: Suites, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(suites.output))
    monkeypatch.setenv("FLOE_TESTS_HISTORY", suites.history_url)
    return CliRunner().invoke(app, list(words))


def test_files_of_two_runs_beside_each_other_are_said(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = suites.run(SUITE)
    newest = suites.output / "small"

    said = ask(suites, monkeypatch, "verdict", "small")
    assert (said.exit_code, said.stderr) == (0, "")
    bundled = ask(suites, monkeypatch, "import", str(newest / "bundle.json.gz"))
    assert bundled.output.startswith("unchanged")
    assert [path.name for path in newest.iterdir() if path.name.startswith(".")] == []
    for name in ("verdict.json", "junit.xml", "bundle.json.gz"):
        assert (newest / name).read_bytes() == (published.directory / name).read_bytes()

    # Killed after the first of the next run's files had taken its place.
    (newest / "junit.xml").write_text("<testsuites/>")

    said = ask(suites, monkeypatch, "verdict", "small")
    assert said.exit_code == 0
    assert str(newest / "junit.xml") in said.stderr
    assert str(published.directory) in said.stderr


def test_a_run_that_the_history_cannot_take_is_not_pass_and_says_so(suites: Suites) -> None:
    """`floe-tests run` ended red, and `floe-tests verdict` said PASS."""
    lost = """
    for path in Path.cwd().glob("history.db*"):
        path.unlink()
    Path("history.db").mkdir()
    """
    with pytest.raises(HistoryUnavailableError):
        suites.run(textwrap.dedent(lost) + textwrap.dedent(SUITE))

    summary = json.loads((suites.output / "small" / "verdict.json").read_text())
    assert (summary["cause"], summary["fault"]) == ("HARNESS", "harness")
    assert "history.db" in summary["evidence"][0]["value"]
    assert summary["evidence"][1]["value"] == "PASS"
    assert 'value="HARNESS"' in (suites.output / "small" / "junit.xml").read_text()
    assert "the history does not have this run" in summary["notices"][0]
    assert "floe-tests import" in summary["notices"][0]
    (suites.root / "history.db").rmdir()
    (bundle,) = (suites.output / "small" / "runs").glob("*/bundle.json.gz")
    _imports(suites, bundle)


def test_a_history_that_cannot_be_opened_is_refused_before_a_test_runs(suites: Suites) -> None:
    (suites.root / "history.db").write_bytes(b"no database" * 100)

    with pytest.raises(ConfigurationError, match=r"history\.db.*FLOE_TESTS_HISTORY"):
        suites.run("Path('began').touch()")

    assert not (suites.root / "began").exists()
    assert not list((suites.root / "home").rglob("lease*"))


def test_the_notices_of_a_tier_of_many_suites_name_the_suite(suites: Suites) -> None:
    uncounted = (
        "printf '<testsuite><testcase name=\"a\"/></testsuite>' > $FLOE_RESULTS_DIR/junit.xml"
    )
    copied = f"{uncounted}; cp $FLOE_RESULTS_DIR/junit.xml $FLOE_RESULTS_DIR/junit-2.xml"
    commands = {"one": uncounted, "two": copied}

    suites.run_command(
        [], suites=[{"name": n, "command": ["sh", "-c", c]} for n, c in commands.items()]
    )

    summary = json.loads((suites.output / "small" / "verdict.json").read_text())
    compared, *others = summary["notices"]
    assert compared.startswith("one presence: no good run to compare with")
    assert "two: junit.xml is a copy of junit-2.xml." in others
    assert not [each for each in others if not each.startswith("two")]


def test_a_red_tier_of_many_suites_names_the_suite_of_its_evidence_and_the_others(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = "printf '<testsuite><testcase name=\"a\"/></testsuite>' > $FLOE_RESULTS_DIR/junit.xml"
    suites.run_command(
        [],
        suites=[
            {"name": name, "command": ["sh", "-c", f"{failed}; exit {code}"]}
            for name, code in (("one", 0), ("two", 6), ("three", 7))
        ],
    )

    said = ask(suites, monkeypatch, "verdict", "small").output

    assert "(fault: test)  suite two" in said
    assert "exit code: 6" in said
    assert "also red: suite three: TEST_FAILURE" in said
    assert "pod/" not in said, "a process of this machine is no pod"
    assert "container" not in said


def _imports(suites: Suites, bundle: Path) -> None:
    from floe_tests.results.history import importing
    from floe_tests.results.history.import_files import RunFiles

    with History.open(suites.history_url) as history:
        assert (
            importing.add(history, importing.read(RunFiles.of(bundle), None).run).state == "added"
        )
