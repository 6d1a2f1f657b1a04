"""The pages of a soak and of a benchmark: verdict and numbers above, drawings below, in one file.

Like the grid they need no network and no server; unlike it they need no script either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from floe_tests.core import durable
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Verdict
from floe_tests.results.measurements.judgement import Judgement
from floe_tests.results.measurements.suite import Plot, SuiteMeasurements
from floe_tests.results.records import MeasurementRecord, SoakRecord

Kind = Literal["soak", "benchmark"]

SOAK_HEADS = (
    "component",
    "of",
    "median",
    "largest",
    "limit",
    "growth an hour",
    "limit reached in",
    "finding",
)
BENCHMARK_HEADS = ("measurement", "median", "repetitions", "against the baseline", "finding")
_PAGE = Path(__file__).with_name("page")
_MIB = 2.0**20


class MeasuredSuite(Protocol):
    """A suite of a run, as its page shows it."""

    @property
    def name(self) -> str:
        """Name of the suite."""
        ...

    @property
    def verdict(self) -> Verdict:
        """What it came to."""
        ...

    @property
    def measured(self) -> SuiteMeasurements | None:
        """What it measured; None for a suite that measures nothing."""
        ...


class MeasuredRun(Protocol):
    """A run that is published, as its pages show it."""

    @property
    def run_id(self) -> str:
        """The Dagster run."""
        ...

    @property
    def tier(self) -> str:
        """Name of the tier."""
        ...

    @property
    def verdict(self) -> Verdict:
        """What it came to."""
        ...

    @property
    def suites(self) -> Sequence[MeasuredSuite]:
        """Its suites."""
        ...

    @property
    def report(self) -> Path:
        """The page of the tier's history, which the newest pages stand beside."""
        ...

    @property
    def directory(self) -> Path:
        """The run's own folder."""
        ...


@dataclass(frozen=True, kw_only=True)
class SuiteSection:
    """A suite on the page."""

    name: str
    verdict: str
    fault: str
    tiles: Sequence[tuple[str, str]]
    findings: Sequence[tuple[str, Evidence]]
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    plots: Sequence[Plot]
    notices: Sequence[str]


def write(published: MeasuredRun, *, at: datetime, commit: str) -> tuple[Path, ...]:
    """Write a run's pages beside its other files, and where the tier's newest ones stand.

    Args:
        published: The run.
        at: When it was judged.
        commit: What it tested.

    Returns:
        The newest ones; none for a tier without soak or benchmark.
    """
    written: list[Path] = []
    kinds: tuple[Kind, ...] = ("soak", "benchmark")
    for kind in kinds:
        sections = [
            section
            for suite in published.suites
            if (section := _section(suite, kind, commit)) is not None
        ]
        if sections:
            newest = published.report.with_name(f"{kind}.html")
            for path in (published.directory / newest.name, newest):
                history = os.path.relpath(published.report, path.parent)
                durable.write_text(path, _html(published, kind, sections, at=at, history=history))
            written.append(newest)
    return tuple(written)


def _section(suite: MeasuredSuite, kind: Kind, commit: str) -> SuiteSection | None:
    if suite.measured is None:
        return None
    part = suite.measured.soak if kind == "soak" else suite.measured.benchmark
    if part is None:
        return None
    found = part.judgement
    if kind == "soak":
        rows, heads = [soak_row(each) for each in found.soak], SOAK_HEADS
        caption = "Components and operations, the warm-up left out"
    else:
        rows, heads = [measurement_row(each) for each in found.measurements], BENCHMARK_HEADS
        caption = "Measurements against the last good runs on the same environment"
    return SuiteSection(
        name=suite.name,
        verdict=suite.verdict.cause,
        fault=suite.verdict.fault,
        tiles=tuple(_tiles(found, commit)),
        findings=tuple(_findings(found)),
        caption=caption,
        heads=heads,
        rows=rows,
        plots=part.plots,
        notices=found.notices,
    )


def _tiles(found: Judgement, commit: str) -> Iterator[tuple[str, str]]:
    for each in found.achieved:
        yield each.field, each.value
    yield "commit", commit[:12]
    records = [*found.soak, *found.measurements]
    if records and records[0].platform:
        yield "platform", records[0].platform


def _findings(found: Judgement) -> Iterator[tuple[str, Evidence]]:
    for name, evidence in (
        ("hard limit", found.broken),
        ("drift", found.drifts),
        ("regression", found.regressions),
        ("doubt", found.doubts),
        ("note", found.notes),
    ):
        for each in evidence:
            yield name, each


def soak_row(record: SoakRecord) -> tuple[str, ...]:
    """Return a component's row, in the order of `SOAK_HEADS`, as people read it."""
    growth = ""
    if record.slope_per_hour is not None:
        growth = _quantity(record.slope_per_hour, record.unit)
        if record.slope_low is not None and record.slope_high is not None:
            low, high = (
                _quantity(each, record.unit) for each in (record.slope_low, record.slope_high)
            )
            growth = f"{growth} ({low} to {high})"
    hours = record.hours_to_limit
    return (
        record.component,
        record.metric,
        _quantity(record.median, record.unit),
        _quantity(record.largest, record.unit),
        _quantity(record.limit, record.unit),
        growth,
        "" if hours is None else f"{hours:,.1f} h" if hours < 1000 else "> 1,000 h",  # noqa: PLR2004
        record.finding,
    )


def measurement_row(record: MeasurementRecord) -> tuple[str, ...]:
    """Return a measurement's row, in the order of `BENCHMARK_HEADS`."""
    change = ""
    if record.change is not None:
        change = f"{record.change:+.1%}"
        if record.change_low is not None and record.change_high is not None:
            change = f"{change} ({record.change_low:+.1%} to {record.change_high:+.1%})"
    return (
        record.name,
        _quantity(record.median, record.unit),
        str(record.samples),
        change,
        record.finding,
    )


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "B":
        return f"{value / _MIB:,.1f} MiB"
    return f"{value:.4g}" if unit in {"", "1"} else f"{value:.4g} {unit}"


def _html(
    published: MeasuredRun,
    kind: Kind,
    sections: Sequence[SuiteSection],
    *,
    at: datetime,
    history: str,
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    return environment.get_template("measured.html.j2").render(
        tier=published.tier,
        kind=kind,
        verdict=published.verdict.cause,
        run_id=published.run_id,
        at=at,
        history=history,
        suites=sections,
        style=(_PAGE / "measured.css").read_text(encoding="utf-8"),
    )
