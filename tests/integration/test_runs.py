"""Runs as somebody who operates the platform deals with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.dagster_answers import Refused
from platform_suite.order_rules import OrderRules

from .runs import PIPELINE

if TYPE_CHECKING:
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.run_watch import RunWatch

    from .runs import LaunchedRuns


def test_run_that_is_terminated_ends_as_cancelled(dagster: DagsterApi, runs: RunWatch) -> None:
    """The process goes, the run says so, and what it had not finished was not reported."""
    # Enough rows for seconds of work: it is under way when the request comes.
    run_id = dagster.launch(PIPELINE, OrderRules(rows=5_000_000).run_config())
    assert runs.start(run_id).status == "STARTED", "it ended before it could be terminated"
    dagster.terminate(run_id)
    ended = runs.finish(run_id)
    assert ended.run.status == "CANCELED"
    kinds = [event.kind for event in ended.events]
    assert "RunCanceledEvent" in kinds
    assert kinds.count("MaterializationEvent") < 3, "all of its assets were there already"


def test_run_that_is_over_cannot_be_terminated(
    dagster: DagsterApi, runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """The request is refused with the state of the run, and the run stays what it was."""
    over = runs.finish(launched_runs.good_import).run
    with pytest.raises(Refused, match=over.status) as refusal:
        dagster.terminate(over.run_id)
    assert refusal.value.kind == "TerminateRunFailure"
    assert dagster.run(over.run_id) == over
