"""The verdict of a suite: its attempts, and what the tier's lists, history and rules make of them.

A run judges each suite once, when its last attempt has ended, and writes the verdict down. Lists,
history and rules add to the facts, and the same table (execution/verdict/rules.py) decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config import quarantine, removals
from floe_tests.config.quarantine import Quarantine, QuarantineEntry
from floe_tests.config.removals import Removals
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.verdict import Verdict
from floe_tests.execution.attempt import Attempt, with_outcomes
from floe_tests.execution.verdict.facts import JudgedFacts, ResultFacts
from floe_tests.execution.verdict.rules import classify
from floe_tests.exporter.results import COLLECTION_FILE
from floe_tests.pipeline.measurements import measure
from floe_tests.pipeline.presence import compare_suite
from floe_tests.pipeline.records import SuiteVerdict
from floe_tests.pipeline.state import RunState
from floe_tests.pipeline.suite_results import results_of
from floe_tests.results.cases import CaseResult
from floe_tests.results.collate import SuiteResults
from floe_tests.results.measurements.judgement import Judgement
from floe_tests.results.presence.compare import Presence

_UNCOUNTED = (
    f"{COLLECTION_FILE} is missing or has no count, and `require_collection` is set: install "
    f"floe-tests-pytest in the test image, or have the test tool write {COLLECTION_FILE} "
    '({"collected": N}) beside its results'
)


@dataclass(frozen=True)
class Lists:
    """A tier's lists, as they hold on the day of the run.

    Attributes:
        quarantine: Tests that may fail.
        removals: Tests that may be missing; None when the list cannot be read, and nothing can be
            said of missing tests.
    """

    quarantine: Quarantine = quarantine.NOTHING
    removals: Removals | None = removals.NOTHING


def lists_of(settings: TierSettings, root: Path) -> Lists:
    """Return a tier's lists as they hold today; empty ones where it has none.

    Raises:
        ConfigurationError: One is missing or wrong.
    """
    today = datetime.now(UTC).date()
    return Lists(
        quarantine.NOTHING
        if settings.quarantine is None
        else quarantine.read(root / settings.quarantine, today=today),
        removals.NOTHING
        if settings.removals is None
        else removals.read(root / settings.removals, today=today),
    )


def readable_lists_of(settings: TierSettings, root: Path) -> Lists:
    """Return a tier's lists, or none at all where one is wrong: that has ended the run."""
    try:
        return lists_of(settings, root)
    except ConfigurationError:
        return Lists(removals=None)


def judge_suite(
    state: RunState, suite: SuiteSettings, attempts: Sequence[Attempt], lists: Lists
) -> SuiteVerdict:
    """Judge a suite whose last attempt has ended.

    Args:
        state: The run.
        suite: The suite's settings, narrowed to what the run chose.
        attempts: Its attempts, each judged by itself, oldest first; at least one.
        lists: The tier's lists.
    """
    results = results_of(attempts)
    measured = measure(state, suite, attempts[-1])
    presence = (
        compare_suite(state, suite, attempts[-1], results, removals=lists.removals)
        if lists.removals is not None
        else None
    )
    verdict = verdict_of(
        attempts,
        lists.quarantine,
        results=results,
        judged=_judged_facts(measured.judgement) if measured else None,
        presence=presence,
        require_collection=counts_required(state.settings, suite),
    )
    return SuiteVerdict(
        suite=suite.name,
        attempts=len(attempts),
        verdict=verdict,
        quarantined={
            case.name: entry
            for case in results.cases
            if (entry := _excuse(case, suite.name, lists.quarantine)) is not None
        },
        measured=measured,
        presence=presence,
    )


def _judged_facts(found: Judgement) -> JudgedFacts:
    """Return what the rules of soak and benchmark found, as the table of verdicts takes it."""
    return JudgedFacts(
        achieved=found.achieved,
        broken=found.broken,
        drifts=found.drifts,
        regressions=found.regressions,
        doubts=found.doubts,
        notes=found.notes,
    )


def counts_required(settings: TierSettings, suite: SuiteSettings) -> bool:
    """Return whether a suite's results are complete only with a count of collected tests."""
    own = suite.require_collection
    return settings.require_collection if own is None else own


def verdict_of(
    attempts: Sequence[Attempt],
    listed: Quarantine,
    *,
    results: SuiteResults | None = None,
    judged: JudgedFacts | None = None,
    presence: Presence | None = None,
    require_collection: bool = False,
) -> Verdict:
    """Judge a suite by all its attempts, its lists, its history and its rules.

    Args:
        attempts: The attempts, each judged by itself, oldest first; at least one.
        listed: The tier's list.
        results: What `results_of` gives, where it has been asked already.
        judged: What the rules of soak and benchmark found; None for a suite without.
        presence: How its tests compare with those of the last good run; None where they do not.
        require_collection: Whether its results are complete only with a count of collected tests.
    """
    attempt = attempts[-1]
    facts = replace(attempt.facts, judged=judged)
    if listed.entries or len(attempts) > 1:
        read = results or results_of(attempts)
        own = facts.results.failed if facts.own_failed is None else facts.own_failed
        facts = replace(facts, own_failed=own, results=_with_earlier_failures(facts.results, read))
        facts = replace(
            facts, results=_with_list(facts.results, read, suite=attempt.suite, listed=listed)
        )
    if presence is not None:
        compared = replace(facts.results, missing=presence.missing, compared=presence.compared)
        facts = replace(facts, results=compared)
    if require_collection and facts.results.collected is None:
        problems = (*facts.results.problems, _UNCOUNTED)
        facts = replace(facts, results=replace(facts.results, complete=False, problems=problems))
    return attempt.verdict if facts == attempt.facts else classify(facts)


def _with_earlier_failures(facts: ResultFacts, results: SuiteResults) -> ResultFacts:
    """Return the facts with what attempts before the last one add: failures, and missing tests."""
    if results.vanished:
        problems = (*facts.problems, *results.vanished)
        facts = replace(facts, complete=False, problems=problems)
    facts = replace(facts, failed_again=results.failed_again)
    united = with_outcomes(facts, results)
    if united.failed == facts.failed:
        return facts
    return replace(united, failed_before=results.failed_before)


def _excuse(case: CaseResult, suite: str, listed: Quarantine) -> QuarantineEntry | None:
    """Return what lets a case fail; only a test may, no module and no suite as a whole.

    Behind the failure of a module or a suite stands an unknown number of tests.
    """
    if not case.outcome.is_failing or not case.is_test:
        return None
    return listed.entry(suite=suite, test=case.name)


def _with_list(
    facts: ResultFacts, results: SuiteResults, *, suite: str, listed: Quarantine
) -> ResultFacts:
    failing = [case for case in results.cases if case.outcome.is_failing]
    excused = [case.name for case in failing if _excuse(case, suite, listed)]
    others = [case.name for case in failing if case.name not in set(excused)]
    expired = listed.expired(suite=suite, tests=(case.name for case in results.cases))
    return replace(
        facts,
        # The failures that count must not be pushed out of what is shown by those that do not.
        failures=tuple(others[: len(facts.failures)]) if excused else facts.failures,
        quarantined=tuple(excused),
        expired=tuple(
            f"{entry.test}: the quarantine by {entry.owner} ended on {entry.expires} "
            f"({entry.reason})"
            for entry in expired
        ),
    )
