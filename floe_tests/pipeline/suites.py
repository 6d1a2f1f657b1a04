"""The suites of a run, one after the other: their attempts, and the verdict of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from floe_tests.config.suite import SuiteSettings
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.attempts import prepare
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.installation import change_release
from floe_tests.pipeline.platform_looks import look_after
from floe_tests.pipeline.records import SuiteVerdict
from floe_tests.pipeline.verdicts import Lists, judge_suite, lists_of, verdict_of


def run_suites(run: RunContext) -> tuple[Attempt, ...]:
    """Run every chosen suite, in order, and judge it; see `TierRun.run_suites`."""
    lists = lists_of(run.settings, run.workspace.root)
    attempts: list[Attempt] = []
    for suite in run.state().suites():
        made = _run_suite(run, suite, lists)
        judged = _judge(run, suite, made, lists)
        run.log(f"suite {suite.name}: {judged.verdict}")
        attempts += made
        if not judged.verdict.passed:
            run.mark_failed()
    return tuple(attempts)


def _run_suite(run: RunContext, suite: SuiteSettings, lists: Lists) -> tuple[Attempt, ...]:
    """Return all attempts at a suite; in a resumed run, with those that were made before."""
    made = run.state().attempts_of(suite.name)
    if made and not _retries_left(made, lists):
        return made
    lease = run.lease()
    if suite.before is not None and not made:
        change_release(run, lease, suite.name, suite.before)
    attempts = _attempt_until_said(run, lease, suite, made, lists)
    look_after(run, lease, suite)
    return attempts


def _judge(
    run: RunContext, suite: SuiteSettings, attempts: Sequence[Attempt], lists: Lists
) -> SuiteVerdict:
    """Judge a suite once: in a resumed run, the verdict may be there already."""
    state = run.state()
    known = state.verdicts.get(suite.name)
    if known is not None and known.attempts == len(attempts):
        return known
    judged = judge_suite(state, suite, attempts, lists)
    run.entries.write_verdict(judged)
    return judged


def _attempt_until_said(
    run: RunContext, lease: Lease, suite: SuiteSettings, made: Sequence[Attempt], lists: Lists
) -> tuple[Attempt, ...]:
    """Run a suite, again where only the infrastructure is to blame; every attempt is kept."""
    attempts = list(made)
    while True:
        prepared = prepare(run, lease, suite, number=len(attempts) + 1)
        attempt = prepared.run(record=run.entries.write_attempt)
        lost = run.environment(lease).why_lost(lease)
        if lost:
            # Whoever has the cluster now was on it beside these tests.
            attempt = _spoiled(attempt, lost)
            run.entries.write_attempt(attempt)
        attempts.append(attempt)
        retries = 0 if lost else _retries_left(attempts, lists)
        is_last = not retries
        if not is_last:
            run.log(
                f"suite {suite.name}, attempt {attempt.number}: {attempt.verdict}. Once more "
                f"in a fresh pod; attempts left: {retries}."
            )
        if not is_last or attempt.facts.node is not None:
            # What is left would take the room of the next one, or hold up the namespace.
            prepared.remove()
        if is_last:
            return tuple(attempts)


def _spoiled(attempt: Attempt, why: str) -> Attempt:
    facts = replace(attempt.facts, error=ErrorFacts("infrastructure", why))
    return replace(attempt, facts=facts, verdict=classify(facts))


def _retries_left(attempts: Sequence[Attempt], lists: Lists) -> int:
    """Return how many more attempts the rule allows that judges these together."""
    verdict = verdict_of(attempts, lists.quarantine)
    return max(0, verdict.retries - len(attempts) + 1)
