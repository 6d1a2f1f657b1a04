"""Runs whose tests come and go, and runs that nobody counted: what their readers see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

from floe_tests.config.project import Workspace
from floe_tests.orchestration.results_metadata import check_of, of_results
from floe_tests.report import grid
from floe_tests.results.history.analysis import Question, read_accounts
from floe_tests.results.history.store import History

if TYPE_CHECKING:
    from conftest import Suites
    from floe_tests.pipeline.published import PublishedRun

TWENTY = "\n".join(f"def test_{n}(): pass" for n in range(20))
COMMAND = ["pytest", "-q", "-p", "no:cacheprovider", "--junitxml=/results/junit.xml"]


@pytest.fixture
def suites(suites: Suites) -> Suites:
    """Return suites whose runs are on the default branch."""
    suites.default_branch = "small"
    (suites.root / "test_a.py").write_text("def test_first(): pass\n")
    (suites.root / "test_b.py").write_text(TWENTY)
    return suites


def run(suites: Suites, *words: str, **settings: object) -> PublishedRun:
    return suites.run_command([*COMMAND, *words], **settings)


def panel(suites: Suites) -> str:
    return subprocess.run(
        [Path(sys.executable).with_name("floe-tests"), "verdict", "small"],
        env={**os.environ, "FLOE_TESTS_OUTPUT": str(suites.output), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_a_run_that_lost_tests_is_red_and_the_good_one_stays_the_measure(suites: Suites):
    first = run(suites)
    lost = run(suites, "--ignore=test_b.py")
    again = run(suites, "--ignore=test_b.py")

    assert first.verdict.passed
    assert "no good run to compare with" in "\n".join(first.suites[0].notices)
    for each in (lost, again):
        assert each.verdict.cause == "TESTS_MISSING"
        assert "20 of the 21 tests" in str(each.verdict)
        assert any(item.subject == "test_b::test_7" for item in each.verdict.evidence)
    assert again.extent is not None
    assert (again.extent.reported, again.extent.known) == (1, 21)
    said = panel(suites)
    assert "TESTS_MISSING" in said
    assert "1 of 21 tests: 1 passed" in said
    assert "did not run: 20 tests" in said
    cases = next(iter(JUnitXml.fromfile(str(lost.junit))))
    assert "floe_tests.small" in {each.classname for each in cases}, "red for a CI of JUnit alone"


def test_a_whole_run_says_what_it_was_compared_with(suites: Suites):
    first, second = run(suites), run(suites)

    said = "\n".join(map(str, second.verdict.evidence))
    assert f"none of the 21 tests of run {first.run_id[:8]}" in said
    assert not [line for line in second.suites[0].notices if "presence" in line]


def test_other_groups_are_another_selection(suites: Suites):
    (suites.root / "pytest.ini").write_text("[pytest]\nmarkers = few\n")
    (suites.root / "test_a.py").write_text(
        "import pytest\n@pytest.mark.few\ndef test_first(): pass\n"
    )
    run(suites)
    one = {"name": "suite", "command": COMMAND, "groups": ["few"]}

    few = suites.run_command(COMMAND, suites=[one])

    assert few.verdict.passed
    assert "no good run to compare with" in "\n".join(few.suites[0].notices)


def test_a_tier_or_a_suite_says_how_much_may_be_missing(suites: Suites):
    run(suites)
    words = [*COMMAND, "--deselect=test_b.py::test_7"]
    suite = {"name": "suite", "command": words}

    usual = suites.run_command(words)
    strict = suites.run_command(words, missing={"fail_above": 0.01})
    loose = suites.run_command(
        words,
        missing={"fail_above": 0},
        suites=[{**suite, "missing": {"fail_above": 1, "fail_named": ["test_b::test_8"]}}],
    )
    named = suites.run_command(words, missing={"fail_above": 1, "fail_named": ["test_b::test_7"]})

    assert usual.verdict.passed
    assert "test_b::test_7 presence: gone" in "\n".join(usual.suites[0].notices)
    assert strict.verdict.cause == "TESTS_MISSING", "also after a good run without it"
    assert loose.verdict.passed
    assert named.verdict.cause == "TESTS_MISSING"


def test_a_list_that_is_wrong_ends_the_run_by_name(suites: Suites):
    (suites.root / "removed.yaml").write_text("- test: '*'\n  owner: o\n  reason: r\n")

    with pytest.raises(Exception, match=r"removed.yaml.*Name a module at least"):
        run(suites, removals="removed.yaml")


def test_what_nobody_counted_is_said_wherever_results_are_shown(suites: Suites):
    published = run(suites, "-p", "no:floe_tests_pytest")

    unknown = "collected count unknown"
    (suite,) = published.suites
    assert published.verdict.passed
    assert unknown in "\n".join(map(str, published.verdict.evidence))
    assert f"{unknown}" in panel(suites)
    properties = {each.name: each.value for each in _properties(published.junit)}
    assert properties["floe-tests.collected.suite"] == unknown
    workspace = Workspace(suites.root, suites.output, suites.root / "home", suites.history_url)
    assert of_results(published, workspace)["collected"].value == unknown
    check = check_of(suite, _asset())
    assert check.metadata["collected"].value == unknown
    with History.open(suites.history_url) as history:
        page = grid.html(read_accounts(history, Question(tier="small"), with_texts=True))
    assert unknown in page


def test_what_was_counted_is_said_as_a_number(suites: Suites):
    published = run(suites)

    properties = {each.name: each.value for each in _properties(published.junit)}
    assert properties["floe-tests.collected.suite"] == "21"
    assert "collected count unknown" not in panel(suites)


@pytest.mark.parametrize("level", ["tier", "suite"])
def test_a_count_can_be_made_a_condition(suites: Suites, level: str):
    words = [*COMMAND, "-p", "no:floe_tests_pytest"]
    suite = {"name": "suite", "command": words, "require_collection": True}
    settings = {"require_collection": True} if level == "tier" else {"suites": [suite]}

    published = suites.run_command(words, **settings)

    assert published.verdict.cause == "RESULT_LOST"
    assert "collection.json is missing" in str(published.verdict)
    assert "install floe-tests-pytest" in str(published.verdict)


def test_a_tool_that_writes_the_file_itself_fulfils_it(suites: Suites):
    published = suites.run(
        'large.main(results, 3); collection.write_text(\'{"collected": 3, "deselected": 0}\')',
        require_collection=True,
    )

    assert "collection.json" not in "\n".join(map(str, published.verdict.evidence))


def _properties(path: Path) -> list[object]:
    return [each for suite in JUnitXml.fromfile(str(path)) for each in suite.properties()]


def _asset() -> object:
    import dagster as dg

    return dg.AssetKey(["small", "results"])
