"""Whether a suite's tests are still there, compared with its last good runs in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from floe_tests.config.removals import Removals
from floe_tests.config.selection import selected
from floe_tests.config.suite import SuiteSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import BY_TESTS
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.state import RunState
from floe_tests.results.presence.compare import Presence

if TYPE_CHECKING:
    from floe_tests.results.cases import CaseResult
    from floe_tests.results.collate import SuiteResults
    from floe_tests.results.presence.compare import Baseline


def compare_suite(
    state: RunState,
    suite: SuiteSettings,
    attempt: Attempt,
    results: SuiteResults,
    *,
    removals: Removals,
) -> Presence | None:
    """Compare a suite's tests with those of its last good runs on the default branch.

    Args:
        state: The run.
        suite: The suite's settings, narrowed to what the run chose.
        attempt: Its last attempt.
        results: The results of all its attempts.
        removals: The tier's list of removed tests.

    Returns:
        What is missing and what is to be said; None where something else ended the attempt.
    """
    if attempt.verdict.cause not in BY_TESTS:
        return None
    from floe_tests.results.presence.changes import GitChanges
    from floe_tests.results.presence.compare import Rules, compare

    try:
        baseline = _last_good(state, suite, attempt)
    except FloeTestsError as error:
        note = Evidence(suite.name, "presence", f"not compared with any run: {error}")
        return Presence(note, notes=(note,))
    missing = suite.missing or state.settings.missing
    return compare(
        results.cases,
        baseline,
        suite=suite.name,
        rules=Rules(missing.fail_above, missing.fail_proved, missing.fail_named),
        removals=removals,
        change_of=GitChanges(
            state.workspace.root,
            state.workspace.commit,
            is_reported=reported_in(results.cases),
        ),
        deselected=results.deselected,
    )


def _last_good(state: RunState, suite: SuiteSettings, attempt: Attempt) -> Baseline:
    from floe_tests.results.history.branches import branch_of
    from floe_tests.results.history.last_good import Like
    from floe_tests.results.history.store import History

    like = Like(
        tier=state.settings.name,
        provider=state.provider,
        environment=state.environment,
        suite=suite.name,
        selection=selected(suite),
        branch=branch_of(None, default=state.workspace.default_branch),
        run_id=state.run_id,
        before=attempt.started_at,
    )
    with History.open(state.workspace.history_url) as history:
        return history.last_good(like)


def reported_in(cases: Iterable[CaseResult]) -> Callable[[str], bool]:
    """Return what tells whether a module, class or function reported a test, by its name."""

    @cache
    def names() -> frozenset[str]:
        from floe_tests.results.presence.losses import container, function_of

        found = {function_of(case.name) for case in cases if not case.is_collection}
        inside = {container(name) for name in found}
        while inside:
            found |= inside
            inside = {name.rpartition(".")[0] for name in inside} - found
        return frozenset(found)

    return lambda name: name in names()
