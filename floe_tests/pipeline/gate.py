"""What a tier's lists, its history and its rules of soak and benchmark make of a verdict.

The one place where they enter: they add to the facts, and the same table decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config import quarantine, removals
from floe_tests.config.quarantine import Quarantine
from floe_tests.config.removals import Removals
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.core.verdict import Verdict
from floe_tests.execution.attempt import Attempt, with_outcomes
from floe_tests.execution.verdict.facts import JudgedFacts, ResultFacts
from floe_tests.execution.verdict.rules import classify
from floe_tests.exporter.results import COLLECTION_FILE
from floe_tests.results import received
from floe_tests.results.attempts import with_earlier
from floe_tests.results.collate import SuiteResults
from floe_tests.results.presence.compare import Presence

_UNCOUNTED = (
    f"{COLLECTION_FILE} is missing or has no count, and `require_collection` is set: install "
    f"floe-tests-pytest in the test image, or have the test tool write {COLLECTION_FILE} "
    '({"collected": N}) beside its results'
)


def quarantine_of(settings: TierSettings, root: Path) -> Quarantine:
    """Return a tier's list as it holds today; an empty one where it has none.

    Raises:
        ConfigurationError: The list is missing or wrong.
    """
    if settings.quarantine is None:
        return quarantine.NOTHING
    return quarantine.read(root / settings.quarantine, today=datetime.now(UTC).date())


def removals_of(settings: TierSettings, root: Path) -> Removals:
    """Return a tier's list of removed tests as it holds today; an empty one where it has none.

    Raises:
        ConfigurationError: The list is missing or wrong.
    """
    if settings.removals is None:
        return removals.NOTHING
    return removals.read(root / settings.removals, today=datetime.now(UTC).date())


def counts_required(settings: TierSettings, suite: SuiteSettings) -> bool:
    """Return whether a suite's results are complete only with a count of collected tests."""
    own = suite.require_collection
    return settings.require_collection if own is None else own


def results_of(attempts: Sequence[Attempt]) -> SuiteResults:
    """Return what a suite's attempts came to: the last one, with the failures of those before it.

    Args:
        attempts: The attempts, oldest first; at least one.
    """
    *earlier, last = (
        received.read(attempt.directory / "results", cut=attempt.facts.results.cut)
        for attempt in attempts
    )
    return with_earlier(last, earlier)


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
    """Return the facts with failures of attempts before the last one, where there are any."""
    united = with_outcomes(facts, results)
    if united.failed == facts.failed:
        return facts
    return replace(united, failed_before=results.failed_before)


def _with_list(
    facts: ResultFacts, results: SuiteResults, *, suite: str, listed: Quarantine
) -> ResultFacts:
    failing = [case.name for case in results.cases if case.outcome.is_failing]
    excused = [name for name in failing if listed.entry(suite=suite, test=name)]
    others = [name for name in failing if name not in set(excused)]
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
