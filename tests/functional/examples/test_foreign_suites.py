"""Suites of other tools, by their own runners: counts, failures, what a killed run keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from floe_tests.core.verdict import Cause
from floe_tests.pipeline.published import PublishedRun

from .conftest import TOOLS, Example


@dataclass(frozen=True)
class Tool:
    """A tool's example.

    Attributes:
        name: The example's folder.
        programs: What it needs.
        counts: Reads passed, failed and skipped tests out of what the tool prints.
        tests: How many tests it has.
        failing: The tests that fail when they are to, without their class.
        last: The test that never ends when it is to.
    """

    name: str
    programs: tuple[str, ...]
    counts: Callable[[str], tuple[int, int, int]]
    tests: int
    failing: tuple[str, ...]
    last: str


def number(pattern: str, printed: str) -> int:
    found = re.search(pattern, printed)
    return int(found[1]) if found else 0


def of_gotestsum(printed: str) -> tuple[int, int, int]:
    (done,) = re.findall(r"^DONE .*$", printed, re.MULTILINE)
    failed, skipped = number(r"(\d+) failures?", done), number(r"(\d+) skipped", done)
    return number(r"DONE (\d+)", done) - failed - skipped, failed, skipped


def of_surefire(printed: str) -> tuple[int, int, int]:
    *_, line = re.findall(r"Tests run: .*$", printed, re.MULTILINE)
    tests, failures, errors, skipped = map(int, re.findall(r"\d+", line)[:4])
    return tests - failures - errors - skipped, failures + errors, skipped


def of_vitest(printed: str) -> tuple[int, int, int]:
    (line,) = re.findall(r"^ +Tests  .*$", printed, re.MULTILINE)
    passed, failed, skipped = (
        number(rf"(\d+) {each}", line) for each in ("passed", "failed", "skipped")
    )
    return passed, failed, skipped


def of_bats(printed: str) -> tuple[int, int, int]:
    failed = len(re.findall(r"^not ok ", printed, re.MULTILINE))
    skipped = len(re.findall(r"^ok .* # skip", printed, re.MULTILINE))
    return len(re.findall(r"^ok ", printed, re.MULTILINE)) - skipped, failed, skipped


TOOLS_TRIED = (
    Tool("go", ("go", "gotestsum"), of_gotestsum, 7, ("TestDiscount",), "TestLast"),
    Tool("jvm", ("mvn",), of_surefire, 7, ("givesADiscount", "readsPrices"), "opens"),
    Tool("javascript", ("node",), of_vitest, 6, ("a basket > gives a discount",), "the till opens"),
    Tool("bats", ("bats",), of_bats, 4, ("a discount of 10 % is given",), "the till opens"),
)


def counts(run: PublishedRun) -> tuple[int, int, int]:
    tally = run.suites[0].results.tally
    return tally.passed, tally.failing, tally.skipped


def evidence(run: PublishedRun) -> str:
    return "\n".join(map(str, run.verdict.evidence))


# The interrupt may come while psutil opens a file of /proc.
@pytest.mark.filterwarnings("ignore:unclosed file <_io.BufferedReader name='/proc/:ResourceWarning")
@pytest.mark.parametrize("tool", TOOLS_TRIED, ids=lambda tool: tool.name)
def test_a_foreign_suite_is_counted_judged_and_kept(
    tool: Tool, example: Callable[..., Example]
) -> None:
    suite = example(tool.name, *tool.programs)
    prepare(suite)

    green = suite.run({"SHOP_CASE": "green"})
    assert green.verdict.cause is Cause.PASS, evidence(green)
    assert counts(green) == tool.counts(suite.printed(green))
    assert green.suites[0].results.collected == tool.tests
    assert not green.suites[0].results.notices

    red = suite.run({"SHOP_CASE": "red"})
    assert red.verdict.cause is Cause.TEST_FAILURE, evidence(red)
    assert counts(red) == tool.counts(suite.printed(red))
    failed = [case for case in red.suites[0].results.cases if case.outcome.is_failing]
    assert sorted(case.name.split("::")[-1] for case in failed) == sorted(tool.failing)
    assert all(f"{case.name} " in evidence(red) and case.text for case in failed)
    assert [case.name for case in red.suites[0].results.cases] == [
        case.name for case in green.suites[0].results.cases
    ] or tool.name == "go", "subtests of a Go map come in any order"
    assert not red.suites[0].results.notices, "JUnit and events agree"
    if tool.name == "javascript":
        assert failed[0].attachments == ("shots/basket.html",)

    killed = suite.run({"SHOP_CASE": "hang"}, until=f'"{tool.last}"')
    assert killed.verdict.cause is Cause.CANCELLED, evidence(killed)
    kept = killed.suites[0].results
    assert kept.tally.tests >= tool.tests - 2, "all that had ended, but a parent of subtests"
    assert any(name.endswith(f"::{tool.last}") for name in kept.in_flight) or kept.source == "junit"


def prepare(suite: Example) -> None:
    """Put the tool's packages beside a suite that looks for them there."""
    if suite.name != "javascript":
        return
    modules = TOOLS / "javascript" / "node_modules"
    if not modules.is_dir():
        pytest.skip("Vitest missing: examples/tools javascript")
    (suite.root / "suite" / "node_modules").symlink_to(modules)
