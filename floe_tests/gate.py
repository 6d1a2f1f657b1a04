"""What a tier's quarantine list and its rules of soak and benchmark make of a verdict.

The one place where they enter: they add to the facts, and the same table decides.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.jobs.attempt import Attempt
from floe_tests.jobs.facts import JudgedFacts, ResultFacts
from floe_tests.jobs.verdict import Verdict, classify
from floe_tests.results import quarantine
from floe_tests.results.collate import SuiteResults, collate
from floe_tests.results.quarantine import Quarantine
from floe_tests.settings import TierSettings


def quarantine_of(settings: TierSettings, root: Path) -> Quarantine:
    """Give a tier's list as it holds today; an empty one where it has none.

    Raises:
        ConfigurationError: The list is missing or wrong.
    """
    if settings.quarantine is None:
        return quarantine.NOTHING
    return quarantine.read(root / settings.quarantine, today=datetime.now(UTC).date())


def verdict_of(
    attempt: Attempt,
    listed: Quarantine,
    *,
    results: SuiteResults | None = None,
    judged: JudgedFacts | None = None,
) -> Verdict:
    """Judge an attempt again where the list or the rules say something about it.

    Args:
        attempt: The attempt, judged without either.
        listed: The tier's list.
        results: Its results, where they have been read already.
        judged: What the rules of soak and benchmark found; None for a suite without.
    """
    facts = replace(attempt.facts, judged=judged)
    if listed.entries:
        read = results or collate(attempt.directory / "results", cut=facts.results.cut)
        with_list = _with_list(facts.results, read, suite=attempt.suite, listed=listed)
        facts = replace(facts, results=with_list)
    return attempt.verdict if facts == attempt.facts else classify(facts)


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
