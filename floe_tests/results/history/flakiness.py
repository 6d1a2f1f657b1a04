"""Which tests are flaky, which are broken, and which were: rules over a test's past results.

Pure functions, so that the grid, the command line and the Dagster UI say the same. They look at one
branch. The rules, in the order in which they decide:

- **gone**: two commits ran its suite without it (`gone.py`). Whoever deleted it has left nothing to
  mend.
- **broken**: its newest three results are failures; of a test that wavered before, at least 80 % of
  its newest ten. What always fails is no matter of luck.
- **flaky**: it passed and failed on one commit, in two runs or in two attempts of one, or the test
  tool passed it only when it ran it again. Nothing but the test, or what it stands on, can have
  changed between the two.
- **suspected**: it went between pass and fail three times or more. Three or more failures in a row
  are left out of that count: somebody broke it, and somebody mended it.
- **recovered**: it was flaky or suspected, and has been clean for 7 days or for 100 results.
- **failing**: its newest result is a failure, and none of the above is known yet.

Results of suites whose verdict blames anything but the test do not count, nor does a suite in which
nearly everything failed at once (SUSPECT_ENV): they say nothing about one test.

Source: the terms are those of TestGrid's flip analysis
(https://github.com/GoogleCloudPlatform/testgrid) and of hosted flaky-test services.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise

from floe_tests.results.history.gone import SuiteRun

BROKEN_SHARE = 0.8
BROKEN_WINDOW = 10
STREAK = 3
"""So many failures in a row are a breakage, and no flip."""
SUSPECTED_FLIPS = 3
CLEAN_DAYS = 7
CLEAN_RESULTS = 100

OUTAGE_SHARE = 0.8
OUTAGE_TESTS = 5
"""From this share of failed tests on, of at least so many, an imported run is an outage."""
SUSPECT_ENVIRONMENT = "SUSPECT_ENV"
"""The cause of a verdict on a run in which nearly everything failed at once."""

_UNKNOWN = "unknown"


class Standing(StrEnum):
    """What is known of a test from its past."""

    STABLE = "stable"
    FAILING = "failing"
    BROKEN = "broken"
    FLAKY = "flaky"
    SUSPECTED = "suspected"
    RECOVERED = "recovered"
    NEVER_RUN = "never run"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One result of a test that says something about it.

    Attributes:
        at: When its run began.
        failing: Whether it failed.
        commit: The commit; None when unknown.
        reruns: How often the test tool ran it again before this result.
        passed_later: Whether it failed, and passed in a later attempt of its run.
    """

    at: datetime
    failing: bool
    commit: str | None = None
    reruns: int = 0
    passed_later: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules say of a test.

    Attributes:
        standing: The rule that decided.
        results: Results that counted.
        failures: How many of them were failures.
        flips: Changes between pass and fail, breakages left out.
        mixed_commits: Commits on which it both passed and failed, newest first.
        failing_since: The first result of the failures that it is in now; None when it passes.
        gone_since: The first run without it, where it is gone.
    """

    standing: Standing
    results: int = 0
    failures: int = 0
    flips: int = 0
    mixed_commits: tuple[str, ...] = ()
    failing_since: Sighting | None = None
    gone_since: SuiteRun | None = None


def counts(*, cause: str, fault: str | None) -> bool:
    """Return whether a suite's results say anything about its tests.

    Args:
        cause: Cause of the suite's verdict.
        fault: Whose fault it was; None or `none` for a green one.
    """
    return fault in {None, "none", "test"} and cause != SUSPECT_ENVIRONMENT


def is_outage(*, failed: int, ran: int) -> bool:
    """Whether so much of an imported run failed at once that hardly each test broke by itself.

    The verdict of a run of this project has its own rule, by more than the numbers. What was run
    elsewhere says nothing of its cluster, so that a few tests less are enough here.

    Args:
        failed: Tests that failed, errors included.
        ran: Tests that were not skipped.
    """
    return ran >= OUTAGE_TESTS and failed >= OUTAGE_SHARE * ran


def diagnose(sightings: Sequence[Sighting], *, gone: SuiteRun | None = None) -> Diagnosis:
    """Apply the rules to one test.

    Args:
        sightings: Its results that count, newest first; skipped ones are none.
        gone: The first run without it, where it is gone.
    """
    if gone is not None:
        return Diagnosis(
            Standing.GONE,
            results=len(sightings),
            failures=sum(each.failing for each in sightings),
            gone_since=gone,
        )
    if not sightings:
        return Diagnosis(Standing.NEVER_RUN)
    mixed, flips = _mixed_commits(sightings), flips_of(sightings)
    return Diagnosis(
        standing=_standing(sightings, mixed=mixed, flips=flips),
        results=len(sightings),
        failures=sum(each.failing for each in sightings),
        flips=flips,
        mixed_commits=mixed,
        failing_since=_failing_since(sightings),
    )


def flips_of(sightings: Iterable[Sighting]) -> int:
    """Count how often a test went between pass and fail.

    Args:
        sightings: Its results that count, in order of time, either way.
    """
    failing_ones = (each.failing for each in sightings)
    runs = [(failing, len(list(group))) for failing, group in groupby(failing_ones)]
    kept = [failing for failing, length in runs if not (failing and length >= STREAK)]
    return sum(before != after for before, after in pairwise(kept))


def _standing(sightings: Sequence[Sighting], *, mixed: tuple[str, ...], flips: int) -> Standing:
    retried = any(each.passed_later or (each.reruns and not each.failing) for each in sightings)
    confirmed, suspected = bool(mixed) or retried, flips >= SUSPECTED_FLIPS
    if _is_broken(sightings, is_known_to_waver=confirmed or suspected):
        return Standing.BROKEN
    if (confirmed or suspected) and _is_clean(sightings):
        return Standing.RECOVERED
    if confirmed:
        return Standing.FLAKY
    if suspected:
        return Standing.SUSPECTED
    return Standing.FAILING if sightings[0].failing else Standing.STABLE


def _is_broken(sightings: Sequence[Sighting], *, is_known_to_waver: bool) -> bool:
    newest = sightings[:BROKEN_WINDOW]
    if len(_streak(newest)) < STREAK:
        return False
    # Three in a row are chance for a test that wavers, and a breakage for one that never did.
    share = sum(each.failing for each in newest) / len(newest)
    return share >= BROKEN_SHARE or not is_known_to_waver


def _streak(sightings: Sequence[Sighting]) -> list[Sighting]:
    streak: list[Sighting] = []
    for each in sightings:
        if not each.failing:
            break
        streak.append(each)
    return streak


def _failing_since(sightings: Sequence[Sighting]) -> Sighting | None:
    streak = _streak(sightings)
    return streak[-1] if streak else None


def _mixed_commits(sightings: Iterable[Sighting]) -> tuple[str, ...]:
    outcomes: dict[str, set[bool]] = {}
    for each in sightings:
        if each.commit and each.commit != _UNKNOWN:
            seen = {True, False} if each.passed_later else {each.failing}
            outcomes.setdefault(each.commit, set()).update(seen)
    return tuple(commit for commit, seen in outcomes.items() if len(seen) > 1)


def _is_clean(sightings: Sequence[Sighting]) -> bool:
    """Return whether it has passed long enough, by time or by number."""
    doubts = (n for n, each in enumerate(sightings) if each.failing or each.reruns)
    clean = next(doubts, len(sightings))
    if clean == 0:
        return False
    if clean >= CLEAN_RESULTS or clean == len(sightings):
        return True
    return sightings[0].at - sightings[clean].at >= timedelta(days=CLEAN_DAYS)
