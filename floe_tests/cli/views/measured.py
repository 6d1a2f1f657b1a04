"""What `floe-tests history --show measurements` and `--show soak` say: numbers over the runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from floe_tests.core.ledger import as_json
from floe_tests.report.measured import BENCHMARK_HEADS, SOAK_HEADS, measurement_row, soak_row
from floe_tests.report.words import cell
from floe_tests.results.history.analysis import Question, shown_branch
from floe_tests.results.history.store import History
from floe_tests.results.records import MeasurementRecord, RunRecord, SoakRecord, SuiteRecord

if TYPE_CHECKING:
    from rich.console import Console

View = Literal["measurements", "soak"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A number of a run.

    Attributes:
        run: The run.
        suite: Its suite.
        record: What was measured, or what a component did.
    """

    run: RunRecord
    suite: SuiteRecord
    record: MeasurementRecord | SoakRecord


def view_named(text: str) -> View | None:
    """Return the view of a name; None for a choice of tests."""
    return next((view for view in VIEWS if view == text), None)


def seen(history: History, question: Question, view: View) -> tuple[Seen, ...]:
    """Return the numbers of the branch that is asked for: by tier and environment, newest first."""
    return tuple(
        each
        for tier, provider in history.tiers()
        if question.tier in {None, tier} and question.provider in {None, provider}
        if (shown := shown_branch(history, question, tier=tier, provider=provider))
        for run in history.runs(
            tier=tier, provider=provider, limit=question.runs, branch=shown.branch
        )
        if question.since is None or run.started_at >= question.since
        for each in _of_run(run, view)
    )


def _of_run(run: RunRecord, view: View) -> Iterator[Seen]:
    for suite in run.suites:
        for record in suite.soak if view == "soak" else suite.measurements:
            yield Seen(run=run, suite=suite, record=record)


def as_text(found: Iterable[Seen]) -> str:
    """Return the numbers as JSON."""
    return json.dumps(
        [
            {
                "tier": each.run.tier,
                "provider": each.run.provider,
                "environment": each.run.environment,
                "run": each.run.run_id,
                "started_at": each.run.started_at.isoformat(),
                "commit": each.run.commit,
                "ref": each.run.ref,
                "suite": each.suite.name,
                "verdict": each.suite.cause,
                **as_json(each.record),
            }
            for each in found
        ],
        indent=1,
    )


def show(found: Sequence[Seen], view: View, console: Console) -> None:
    """Print the numbers, a line each."""
    from rich.table import Table

    if not found:
        what = "soak" if view == "soak" else "benchmark"
        console.print(
            f"The history has no {what} that was asked for. A suite is one where its tier says "
            f"`{what}:` (docs/soak-and-benchmark.md).",
            markup=False,
        )
        return
    table = Table(box=None, pad_edge=False)
    heads = SOAK_HEADS if view == "soak" else BENCHMARK_HEADS
    for title in ("began", "tier", "on", "commit", *heads):
        table.add_column(title, overflow="fold")
    for each in found:
        record = each.record
        row = soak_row(record) if isinstance(record, SoakRecord) else measurement_row(record)
        cells = (
            f"{each.run.started_at:%Y-%m-%d %H:%M}",
            each.run.tier,
            each.run.environment,
            (each.run.commit or "")[:10],
            *row,
        )
        table.add_row(*map(cell, cells))
    console.print(table)
