"""The import: good text becomes a table, bad text a failure that names every mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .runs import GOOD_CENTS, GOOD_ROWS

if TYPE_CHECKING:
    from platform_suite.run_watch import RunWatch

    from .runs import LaunchedRuns


def test_good_text_is_imported(runs: RunWatch, launched_runs: LaunchedRuns) -> None:
    """Every line becomes a row."""
    imported = runs.finish(launched_runs.good_import)
    assert imported.run.status == "SUCCESS", imported.reasons()
    (materialized,) = imported.about("MaterializationEvent").values()
    assert materialized.subject == "imported_orders"
    assert materialized.metadata["rows"] == GOOD_ROWS


def test_bad_text_fails_the_run_and_names_every_mistake(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Line and reason of each: the file can be repaired in one go."""
    imported = runs.finish(launched_runs.bad_import)
    assert imported.run.status == "FAILURE"
    (reason,) = imported.reasons()
    assert "line 3: amount 'abc' is not a number" in reason
    assert "line 4: customer is empty" in reason
    assert "line 4: day '2026-02-30'" in reason
    assert "line 2" not in reason, "the second line is right"


def test_bad_text_leaves_the_table_as_it_was(runs: RunWatch, launched_runs: LaunchedRuns) -> None:
    """After the failure the table still holds what the good text brought."""
    assert runs.finish(launched_runs.bad_import).run.status == "FAILURE"
    table = runs.finish(launched_runs.tables).tables()["imported_orders"]
    assert table == {"rows": GOOD_ROWS, "sum_amount_cents": GOOD_CENTS}
