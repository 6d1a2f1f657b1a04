"""A pod that runs several pytest sessions with the plugin, from the first to the verdict."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Suites
    from floe_tests.pipeline.published import PublishedRun

PASSING = "def test_1(): pass\n\ndef test_2(): pass\n"
FAILING = "def test_1(): assert 0\n\ndef test_2(): pass\n"
DYING = "import os\n\ndef test_1(): os._exit(0)\n\ndef test_2(): pass\n"
EVENTS = "--report-log=$FLOE_RESULTS_DIR/events.jsonl"
BOTH = (
    f"run test_a.py --junitxml=$FLOE_RESULTS_DIR/unit.xml {EVENTS};"
    f"run test_b.py --junitxml=$FLOE_RESULTS_DIR/integ.xml {EVENTS}"
)
WITHOUT_EVENTS = BOTH.replace(EVENTS, "")
AT_ONCE = WITHOUT_EVENTS.replace(";", " & ") + "; wait"
ONE_NAME = (
    "run test_a.py --junitxml=$FLOE_RESULTS_DIR/junit.xml;"
    "run test_b.py --junitxml=$FLOE_RESULTS_DIR/junit.xml"
)


def run(suites: Suites, line: str, *, a: str = PASSING, b: str = PASSING) -> PublishedRun:
    """Run a line of shell in which `run` is pytest with the plugin."""
    (suites.root / "test_a.py").write_text(a)
    (suites.root / "test_b.py").write_text(b)
    plugins = "-p floe_tests_pytest -p pytest_reportlog.plugin -p no:cacheprovider"
    pytest_ = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -q {plugins}"
    function = f'cd {suites.root}; run() {{ {pytest_} "$@"; }}'
    return suites.run_command(["sh", "-c", f"{function}; {line}"])


@pytest.mark.parametrize("line", [BOTH, ONE_NAME], ids=["two names", "one name"])
def test_the_tests_of_two_green_sessions_are_all_proved(
    suites: Suites, line: str, received: Callable[[PublishedRun], Path]
) -> None:
    published = run(suites, line)

    results = published.suites[0].results
    assert published.verdict.cause == "PASS", published.verdict
    assert (results.collected, results.reported) == (4, 4)
    assert not (received(published) / ".collection.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "dying"), [(WITHOUT_EVENTS, "a"), (WITHOUT_EVENTS, "b"), (AT_ONCE, "b")]
)
def test_a_session_that_leaves_without_a_word_is_missed(
    suites: Suites, line: str, dying: str
) -> None:
    published = run(suites, line, **{dying: DYING})

    assert (published.verdict.cause, published.verdict.fault) == ("RESULT_LOST", "test")
    assert "2 of 4 collected tests were reported" in str(published.verdict)


def test_a_session_that_leaves_while_it_collects_is_missed(suites: Suites) -> None:
    published = run(suites, WITHOUT_EVENTS, a="import os\n\nos._exit(0)\n")

    assert (published.verdict.cause, published.verdict.fault) == ("RESULT_LOST", "test")
    assert "1 pytest session ended before it had collected any test" in str(published.verdict)


def test_a_suite_by_two_names_has_its_tests_twice(suites: Suites) -> None:
    """A failure in one of them counts, and nothing is called lost."""
    line = "for try in 1 2; do run test_a.py --junitxml=$FLOE_RESULTS_DIR/junit-$try.xml; done"

    assert run(suites, line).verdict.cause == "PASS"
    published = run(suites, line, a=FAILING)

    assert published.verdict.cause == "TEST_FAILURE", published.verdict
    assert published.suites[0].results.collected == 4


def test_a_suite_that_is_tried_again_by_one_name_has_its_tests_once(suites: Suites) -> None:
    once = "import pathlib\n\ndef test_1():\n    path = pathlib.Path('tried')\n"
    once += "    path.touch() if (new := not path.exists()) else None\n    assert not new\n"
    line = "run test_a.py --junitxml=$FLOE_RESULTS_DIR/junit.xml"

    published = run(suites, f"{line} || {line}", a=f"{once}\ndef test_2(): pass\n")

    results = published.suites[0].results
    assert published.verdict.cause == "PASS", published.verdict
    assert (results.collected, results.reported, results.flaky) == (2, 2, ("test_a::test_1",))
