"""A tier's newest files are those of one run, or somebody is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli.app import app
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


def test_a_run_that_the_history_cannot_take_has_its_verdict_and_says_so(suites: Suites) -> None:
    (suites.root / "history.db").mkdir()

    with pytest.raises(HistoryUnavailableError):
        suites.run(SUITE)

    summary = json.loads((suites.output / "small" / "verdict.json").read_text())
    assert summary["cause"] == "PASS"
    assert "the history does not have this run" in summary["notices"][0]
    assert "floe-tests import" in summary["notices"][0]
    (suites.root / "history.db").rmdir()
    (bundle,) = (suites.output / "small" / "runs").glob("*/bundle.json.gz")
    _imports(suites, bundle)


def test_the_notices_of_a_tier_of_many_suites_name_the_suite(suites: Suites) -> None:
    uncounted = (
        "printf '<testsuite><testcase name=\"a\"/></testsuite>' > $FLOE_RESULTS_DIR/junit.xml"
    )
    broken = f"{uncounted}; echo '[]' > $FLOE_RESULTS_DIR/collection.json"
    commands = {"one": uncounted, "two": broken}

    suites.run_command(
        [], suites=[{"name": n, "command": ["sh", "-c", c]} for n, c in commands.items()]
    )

    summary = json.loads((suites.output / "small" / "verdict.json").read_text())
    compared, *others = summary["notices"]
    assert compared.startswith("one presence: no good run to compare with")
    assert "two: collection.json is no JSON object." in others
    assert not [each for each in others if not each.startswith("two")]


def _imports(suites: Suites, bundle: Path) -> None:
    from floe_tests.results.history import importing

    with History.open(suites.history_url) as history:
        assert importing.add(history, importing.read(bundle, None)).state == "added"
