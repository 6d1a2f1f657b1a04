"""The pages of soak and benchmark: the verdict above the drawings, no network, no script."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.suite_results import NO_RESULTS
from floe_tests.report import measured as page
from floe_tests.results.measurements import benchmark, plots, soak, soak_log
from floe_tests.results.measurements.suite import Measured, SuiteMeasurements
from tests.support import soaks

from . import browser

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
NOTHING = replace(NO_RESULTS, session_finished=True, exit_status=0)
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)


@pytest.fixture
def run(tmp_path: Path) -> PublishedRun:
    lines = soaks.soak_lines(
        memory=lambda seconds: 400 + 12 * seconds / 60, components=("cube", HOSTILE)
    )
    log = soak_log.read(soaks.write_lines(tmp_path, lines))
    soaked = soak.judge(log, SoakSettings())
    runs = [soaks.past_of(soaks.measured(n), number=n) for n in range(1, 7)]
    compared = benchmark.judge(
        soaks.measured(50, 1.4), BenchmarkSettings(), past=soaks.pasts_of(runs), commit="c99"
    )
    drift = Verdict(Cause.SOAK_DRIFT, Fault.PLATFORM, (Evidence("cube", "memory", "x"),), "Look.")
    slow = replace(drift, cause=Cause.REGRESSION)
    output = tmp_path / "output" / "staging"
    return PublishedRun(
        run_id="0123456789",
        tier="staging",
        provider="context",
        verdict=drift,
        suites=(
            PublishedSuite(
                "soak",
                drift,
                NOTHING,
                measured=SuiteMeasurements(
                    soaked.judgement, soak=Measured(soaked.judgement, plots.of_soak(soaked))
                ),
            ),
            PublishedSuite(
                "bench",
                slow,
                NOTHING,
                measured=SuiteMeasurements(
                    compared.judgement,
                    benchmark=Measured(compared.judgement, plots.of_benchmark(compared.compared)),
                ),
            ),
            PublishedSuite("plain", drift, NOTHING),
        ),
        junit=output / "junit.xml",
        directory=output / "runs" / "0123456789",
        seconds=1.0,
        first_test_seconds=None,
        overhead_seconds=None,
        memory_peak_mib=None,
    )


def test_each_kind_has_a_page_of_the_run_and_the_newest_one(run: PublishedRun) -> None:
    newest = page.write(run, at=AT, commit="abc")

    assert [path.name for path in newest] == ["soak.html", "benchmark.html"]
    for path in newest:
        own = run.directory / path.name
        assert 'href="report.html"' in path.read_text()
        assert 'href="../../report.html"' in own.read_text()
    assert page.write(replace(run, suites=run.suites[2:]), at=AT, commit="abc") == ()


def test_the_table_of_findings_stands_above_the_drawings(run: PublishedRun) -> None:
    text = page.write(run, at=AT, commit="abc")[0].read_text()

    assert text.index("SOAK_DRIFT") < text.index("memory growth") < text.index("<svg")
    assert re.search(r'<th scope="row">drift</th><td>cube</td><td>memory growth</td>', text)
    assert "10.0 min of 10.0 min, completed" in text
    benchmark_page = page.write(run, at=AT, commit="abc")[1].read_text()
    assert re.search(r"<th scope=\"row\">regression</th><td>ingest</td>", benchmark_page)


def test_a_page_allows_no_script_and_a_name_is_none(run: PublishedRun) -> None:
    for path in page.write(run, at=AT, commit="abc"):
        text = path.read_text()
        assert "default-src 'none'; style-src 'unsafe-inline'\">" in text
        assert "<script" not in text
        assert "<img" not in text


@needs_chromium
def test_a_screen_reader_meets_verdict_tables_and_drawings(
    run: PublishedRun, tmp_path: Path
) -> None:
    path = page.write(run, at=AT, commit="abc")[0]
    # The tab waits for this mark of the grid; this page has no script that could set it.
    marked = tmp_path / "marked.html"
    marked.write_text(path.read_text().replace("<html", '<html data-ready-milliseconds="1"', 1))

    with browser.opened(marked, tmp_path / "profile") as tab:
        found = tab.accessible()
        assert tab.value("document.title") == "staging · soak · SOAK_DRIFT"
        assert tab.value("document.scripts.length") == 0
        assert tab.value("document.documentElement.scrollWidth <= innerWidth")

    images = [name for role, name in found if role == "image"]
    assert "cube: memory" in images
    assert ("rowheader", "drift") in found
    assert any(role == "table" and name == "What was found" for role, name in found)
