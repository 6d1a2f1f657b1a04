"""What the Dagster UI shows: escaped, countable, and silent about tests that nobody can blame."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.config.project import Workspace
from floe_tests.config.quarantine import QuarantineEntry
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.orchestration import markdown, metadata, results_metadata
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.suite_results import NO_RESULTS
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.history.extent import Extent, SuiteExtent
from floe_tests.results.measurements.judgement import Judgement
from floe_tests.results.measurements.suite import SuiteMeasurements
from floe_tests.results.records import MeasurementRecord, SoakRecord

ASSET = dg.AssetKey(["tiny", "results"])
NAME = "t::test_x[`a` | <b>*c*</b> _d_ ![e](https://f.example)]"
LOST = Verdict(Cause.INFRA_NODE, Fault.INFRASTRUCTURE, (Evidence("node/n", "Ready", "*no*"),), "x")
RED = Verdict(Cause.TEST_FAILURE, Fault.TEST, (Evidence(NAME, "outcome", "failed"),), "Read them.")


def suite(verdict: Verdict, *cases: CaseResult) -> PublishedSuite:
    return PublishedSuite("tiny-suite", verdict, replace(NO_RESULTS, cases=cases))


def failed(name: str = NAME, message: str = "<img src=x> said **no**") -> CaseResult:
    return CaseResult(name=name, outcome=CaseOutcome.FAILED, seconds=1, message=message)


def run(*suites: PublishedSuite) -> PublishedRun:
    output = Path("/out")
    return PublishedRun(
        run_id="r",
        tier="tiny",
        provider="kind",
        verdict=suites[0].verdict,
        suites=suites,
        junit=output / "tiny" / "junit.xml",
        directory=output / "tiny" / "runs" / "r",
        seconds=1.0,
        first_test_seconds=None,
        overhead_seconds=None,
        memory_peak_mib=None,
    )


def workspace(**fields: str) -> Workspace:
    return Workspace(
        root=Path("/r"), output=Path("/out"), home=Path("/h"), history_url="", **fields
    )  # type: ignore[arg-type]


def test_names_and_messages_are_text_in_a_checks_markdown() -> None:
    check = results_metadata.check_of(suite(RED, failed()), ASSET)
    text = str(check.metadata["verdict"].value)
    assert markdown.code(NAME) in text
    bare = re.sub(r"(`+).+?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)[<*!\[]", bare)
    assert text.count(markdown.code(NAME)) == 1


@given(st.text(min_size=1))
def test_every_mark_of_an_escaped_text_has_its_backslash(text: str) -> None:
    escaped = markdown.escaped(text)
    assert "\n" not in escaped
    assert not re.search(r"[`*_<>\[\]|#]", re.sub(r"\\.", "", escaped))
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(text.split())


@pytest.mark.parametrize("text", ["plain", "a `b` c", "``", "a ``` b"])
def test_a_code_span_ends_where_its_text_does(text: str) -> None:
    span = markdown.code(text)
    fence = re.match(r"`+", span)
    assert fence is not None
    assert span.endswith(fence[0])
    assert fence[0] not in text


def test_a_failure_in_quarantine_says_so_in_its_check() -> None:
    entry = QuarantineEntry(test=NAME, owner="data", reason="a race", expires=date(2026, 12, 1))
    green = Verdict(Cause.PASS, Fault.NONE, (), "Nothing to do.")
    found = replace(suite(green, failed()), quarantined={NAME: entry})
    check = results_metadata.check_of(found, ASSET)
    assert check.passed
    assert "quarantined until" in str(check.metadata["verdict"].value)
    assert check.metadata["in quarantine"].value == 1


def test_what_the_infrastructure_did_is_an_observation_and_no_count_of_tests() -> None:
    """A plot that falls to 0 tests for each lost node says nothing about the tests."""
    lost = run(suite(LOST))
    (observation,) = results_metadata.observations_of(lost, ASSET)
    assert observation.metadata["cause"].value == "INFRA_NODE"
    assert "\\*no\\*" in str(observation.metadata["evidence"].value)
    shown = results_metadata.of_results(lost, workspace())
    assert "tests" not in shown
    assert "failed" not in shown
    assert "No test is blamed" in str(
        results_metadata.check_of(lost.suites[0], ASSET).metadata["verdict"]
    )


def test_a_failed_test_is_no_observation() -> None:
    red = run(suite(RED, failed()))
    assert results_metadata.observations_of(red, ASSET) == []
    assert results_metadata.of_results(red, workspace())["failed"].value == 1


def test_report_and_junit_are_links_where_a_server_shows_them() -> None:
    red = run(suite(RED, failed()))
    assert results_metadata.of_results(red, workspace())["report"].value == "/out/tiny/report.html"
    shown = results_metadata.of_results(red, workspace(output_url="https://ci.example/output/"))
    assert shown["report"].value == "https://ci.example/output/tiny/report.html"
    assert shown["junit"].value == "https://ci.example/output/tiny/junit.xml"


def test_a_run_is_found_by_its_environment_and_cause() -> None:
    assert metadata.verdict_tags(run(suite(LOST))) == {
        "floe-tests/environment": "kind",
        "floe-tests/cause": "INFRA_NODE",
        "floe-tests/fault": "infrastructure",
    }


def test_what_was_measured_are_numbers_that_the_ui_plots() -> None:
    measured = MeasurementRecord(
        name="ingest", unit="s", better="lower", samples=9, median=2.5, values=(), fingerprint="f"
    )
    memory = SoakRecord(
        component="cube",
        metric="memory",
        unit="B",
        samples=32,
        hours=0.1,
        median=1.0,
        largest=1.0,
        fingerprint="f",
        slope_per_hour=3 * 2.0**20,
    )
    latency = replace(memory, component="totals", metric="latency", unit="s", slope_per_hour=None)
    found = SuiteMeasurements(Judgement(measurements=(measured,), soak=(memory, latency)))
    red = run(replace(suite(RED), measured=found))
    page = Path("/out/tiny/soak.html")

    shown = results_metadata.of_results(replace(red, pages=(page,)), workspace())

    assert shown["ingest median s"].value == 2.5
    assert shown["cube memory growth MiB/h"].value == 3.0
    assert shown["totals p95 s"].value == 1.0
    assert shown["soak page"].value == "/out/tiny/soak.html"


def test_a_run_of_a_part_says_of_how_many_tests_it_is_one() -> None:
    """A plot of 182 passed tests of 182 looks like a good night."""
    extent = Extent((SuiteExtent(suite="tiny-suite", reported=1, known=20, running=("t::slow",)),))
    published = replace(run(suite(RED, failed())), extent=extent)
    shown = results_metadata.of_results(published, workspace())

    assert (shown["known tests"].value, shown["did not run"].value) == (20, 19)
    assert shown["reported"].value == (
        "1 of 20 tests reported, 19 did not run; running at the end: t::slow"
    )
    (check,) = results_metadata.checks_of(published, ASSET)
    assert check.metadata["did not run"].value == 19

    whole = Extent((SuiteExtent(suite="tiny-suite", reported=1, known=1),))
    shown = results_metadata.of_results(replace(published, extent=whole), workspace())
    assert shown["did not run"].value == 0
    assert "reported" not in shown


def test_a_lost_node_lets_no_plot_of_what_did_not_run_rise() -> None:
    extent = Extent((SuiteExtent(suite="tiny-suite", reported=0, known=20),))
    shown = results_metadata.of_results(replace(run(suite(LOST)), extent=extent), workspace())
    assert not {"known tests", "did not run"} & set(shown)
