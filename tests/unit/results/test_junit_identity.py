"""Which elements of JUnit files are one test, and what tests of one name are called."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from floe_tests.results.cases import CaseResult
from floe_tests.results.formats import junit

FAILS = "<failure message='no'>trace</failure>"


def read(tmp_path: Path, *files: str) -> dict[str, CaseResult]:
    """Read files written as junit-1.xml, junit-2.xml, …"""
    paths = [tmp_path / f"junit-{number}.xml" for number in range(1, len(files) + 1)]
    for path, xml in zip(paths, files, strict=True):
        path.write_text(xml, encoding="utf-8")
    return {case.name: case for case in junit.read_all(paths, root=tmp_path).cases}


def outcomes(cases: dict[str, CaseResult]) -> dict[str, str]:
    return {name: str(case.outcome) for name, case in cases.items()}


def suite(attributes: str, body: str) -> str:
    return f"<testsuite {attributes}>{body}</testsuite>"


def case(name: str, inner: str = "", attributes: str = "classname='cart'") -> str:
    return f"<testcase {attributes} name='{name}' time='1'>{inner}</testcase>"


SUITES = {
    "suite names": [
        (suite("name='a.js'", case("adds", FAILS)), "cart::adds [a.js]", "failed"),
        (suite("name='b.js'", case("adds")), "cart::adds [b.js]", "passed"),
    ],
    "no class": [
        (suite("name='A'", case("adds", FAILS, "classname=''")), "A::adds", "failed"),
        (suite("name='B'", case("adds", "", "classname=''")), "B::adds", "passed"),
    ],
    "outer suites": [
        (suite("name='x'", suite("name='t'", case("adds"))), "cart::adds [all / x / t]", "passed"),
        (
            suite("name='y'", suite("name='t'", case("adds", FAILS))),
            "cart::adds [all / y / t]",
            "failed",
        ),
    ],
    "hosts": [
        (suite("name='pytest' hostname='py311'", case("adds")), "cart::adds [py311]", "passed"),
        (suite("name='pytest' hostname='py312'", case("adds")), "cart::adds [py312]", "passed"),
    ],
    "properties": [
        (
            suite(
                "name='s' hostname='h'",
                "<properties><property name='browser' value='firefox'/>"
                "<property name='a.run' value='123456789'/></properties>" + case("adds"),
            ),
            "cart::adds [firefox]",
            "passed",
        ),
        (
            suite(
                "name='s' hostname='h'",
                "<properties><property name='browser' value='chrome'/>"
                "<property name='a.run' value='123456780'/></properties>" + case("adds", FAILS),
            ),
            "cart::adds [chrome]",
            "failed",
        ),
    ],
    "source files": [
        (
            suite("name='s'", case("adds", "", "classname='cart' file='a.py'")),
            "cart::adds [a.py]",
            "passed",
        ),
        (
            suite("name='s'", case("adds", FAILS, "classname='cart' file='b.py'")),
            "cart::adds [b.py]",
            "failed",
        ),
    ],
}


@pytest.mark.parametrize("suites", SUITES.values(), ids=SUITES.keys())
def test_one_name_in_two_suites_is_two_tests_in_whatever_order(
    tmp_path: Path, suites: list[tuple[str, str, str]]
) -> None:
    expected = {name: outcome for _, name, outcome in suites}
    for order in itertools.permutations(suites):
        body = "".join(xml for xml, _, _ in order)
        found = read(tmp_path, f"<testsuites name='all'>{body}</testsuites>")
        assert outcomes(found) == expected
        assert not any(one.reruns for one in found.values())


def test_one_name_in_two_files_is_two_tests(tmp_path: Path) -> None:
    same = suite("name='s'", case("adds")), suite("name='s'", case("adds", FAILS))
    assert outcomes(read(tmp_path, *same)) == {
        "cart::adds [junit-1.xml]": "passed",
        "cart::adds [junit-2.xml]": "failed",
    }


def test_one_file_a_class_needs_nothing_added(tmp_path: Path) -> None:
    files = (
        suite("name='demo.A'", case("works", "", "classname='demo.A'")),
        suite("name='demo.B'", case("works", "", "classname='demo.B'")),
    )
    assert set(read(tmp_path, *files)) == {"demo.A::works", "demo.B::works"}


def test_a_name_that_is_alone_is_never_given_to_another(tmp_path: Path) -> None:
    body = case("adds") + case("adds") + case("adds #2", FAILS)
    assert outcomes(read(tmp_path, suite("name='s'", body))) == {
        "cart::adds": "passed",
        "cart::adds #3": "passed",
        "cart::adds #2": "failed",
    }


GO = "<properties><property name='go.version' value='go1.26 linux/amd64'/></properties>"
"""What gotestsum writes into each suite."""

TRIES = {
    "passes at last": ([FAILS, FAILS, ""], {"cart::wavers": ("passed", 2)}),
    "never passes": ([FAILS, FAILS], {"cart::wavers": ("failed", 1)}),
    "what passed is not tried again": (
        ["", FAILS],
        {"cart::wavers": ("passed", 0), "cart::wavers #2": ("failed", 0)},
    ),
    "ran again although it had passed": (
        [FAILS, "", FAILS],
        {"cart::wavers": ("failed", 1), "cart::wavers #2": ("failed", 0)},
    ),
}


@pytest.mark.parametrize(("tries", "expected"), TRIES.values(), ids=TRIES.keys())
def test_the_last_try_of_a_test_decides(
    tmp_path: Path, tries: list[str], expected: dict[str, tuple[str, int]]
) -> None:
    body = case("other").join(case("wavers", inner) for inner in tries[:1])
    body += "".join(case("wavers", inner) for inner in tries[1:])
    found = read(tmp_path, suite("name='s'", GO + body))
    assert {name: (str(one.outcome), one.reruns) for name, one in found.items()} == expected


def test_a_test_that_passed_at_last_keeps_what_its_failed_tries_said(tmp_path: Path) -> None:
    body = (
        case("wavers", "<failure message='first'>trace 1</failure>")
        + case("wavers", "<failure message='second'>trace 2</failure>")
        + case("wavers")
    )
    wavers = read(tmp_path, suite("name='s'", GO + body))["cart::wavers"]
    for said in ("first", "trace 1", "second", "trace 2"):
        assert said in wavers.text
    assert wavers.seconds == 3.0


def test_a_failure_of_go_test_with_a_count_stands(tmp_path: Path) -> None:
    """All tests run several times then, and one failure makes Go's exit code 1."""
    body = case("wavers", FAILS) + case("wavers") + case("adds") + case("adds")
    found = read(tmp_path, suite("name='s'", GO + body))
    assert outcomes(found) == {
        "cart::wavers": "failed",
        "cart::adds": "passed",
        "cart::adds #2": "passed",
    }
    assert "trace" in found["cart::wavers"].text


def test_a_subtest_that_ran_again_with_its_test_is_no_count(tmp_path: Path) -> None:
    """`gotestsum --rerun-fails-run-root-test` runs the whole test again."""
    body = case("T/fails", FAILS) + case("T", FAILS) + case("T/fails") + case("T")
    body += case("T/adds") + case("T/adds")
    found = read(tmp_path, suite("name='s'", GO + body))
    assert set(outcomes(found).values()) == {"passed"}
    assert found["cart::T"].reruns == 1


TWO_TITLES = {
    "rspec": "<testsuite name='rspec' tests='2' failures='1' errors='0'>{}</testsuite>",
    "behave": "<testsuite name='a.Cart' tests='2' errors='0' failures='1'>{}</testsuite>",
    "robot": "<testsuite name='R'><testsuite name='A' tests='2'>{}</testsuite></testsuite>",
    "ginkgo": (
        "<testsuites tests='2' failures='1'><testsuite name='S' package='s'><properties>"
        "<property name='FlakeAttempts' value='0'/></properties>{}</testsuite></testsuites>"
    ),
    "vitest": "<testsuites name='vitest tests'><testsuite name='a.js'>{}</testsuite></testsuites>",
    "mocha": "<testsuites name='Mocha Tests'><testsuite name='Cart'>{}</testsuite></testsuites>",
    "jest": "<testsuites name='jest tests'><testsuite name='a'>{}</testsuite></testsuites>",
    "nothing declared": "<testsuite name='s'>{}</testsuite>",
    "behind a suite of Go": (
        "<testsuites><testsuite name='go'>" + GO + "</testsuite>"
        "<testsuite name='s'>{}</testsuite></testsuites>"
    ),
}


@pytest.mark.parametrize("form", TWO_TITLES.values(), ids=TWO_TITLES.keys())
@pytest.mark.parametrize("tests", [(FAILS, ""), ("", FAILS), (FAILS, FAILS)])
def test_two_tests_of_one_title_are_two_and_a_failure_of_one_stands(
    tmp_path: Path, form: str, tests: tuple[str, str]
) -> None:
    """Most tools allow it; only of those that repeat tests is a later pass another try."""
    found = read(tmp_path, form.format("".join(case("adds", inner) for inner in tests)))
    assert [str(one.outcome) for one in found.values()] == [
        "failed" if inner else "passed" for inner in tests
    ]
    assert not any(one.reruns for one in found.values())
