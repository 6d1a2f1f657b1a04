"""The rules of flakiness, each on the smallest past that it decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.results.history.flakiness import (
    Sighting,
    Standing,
    counts,
    diagnose,
    flips_of,
    is_outage,
)

NEWEST = datetime(2026, 11, 1, tzinfo=UTC)


def past(outcomes: str, *, commits: str = "", days_apart: float = 0.1) -> list[Sighting]:
    """Return results, newest first: `.` passed, `x` failed, `r` passed when run again."""
    commits = commits or "".join(chr(0x4E00 + number) for number in range(len(outcomes)))
    return [
        Sighting(
            at=NEWEST - timedelta(days=number * days_apart),
            failing=outcome == "x",
            commit=commit,
            reruns=int(outcome == "r"),
        )
        for number, (outcome, commit) in enumerate(zip(outcomes, commits, strict=True))
    ]


@pytest.mark.parametrize(
    ("outcomes", "commits", "standing"),
    [
        ("", "", Standing.NEVER_RUN),
        ("....", "", Standing.STABLE),
        ("x...", "", Standing.FAILING),
        ("xx..", "", Standing.FAILING),
        ("xxx.......", "", Standing.BROKEN),
        ("xxxxxxxxxx", "aaaaaaaaaa", Standing.BROKEN),
        ("xxxxxxxx..", "aaaaaaaaaa", Standing.BROKEN),
        ("xxxxxxx...", "aaaaaaaaaa", Standing.FLAKY),
        ("xxx.x..x.x", "aaabbcdefg", Standing.FLAKY),
        (".x", "aa", Standing.FLAKY),
        ("x.", "aa", Standing.FLAKY),
        (".x.x", "abcd", Standing.SUSPECTED),
        (".xx.", "abcd", Standing.STABLE),
        (".xxxx.xxx.xxx.", "", Standing.STABLE),
        ("..r.", "", Standing.FLAKY),
    ],
    ids=lambda value: str(value) or "nothing",
)
def test_the_rules_on_the_smallest_past_that_each_decides(
    outcomes: str, commits: str, standing: Standing
) -> None:
    assert diagnose(past(outcomes, commits=commits)).standing is standing


def test_a_test_that_someone_broke_and_someone_mended_is_not_flaky() -> None:
    """Whoever mends a test must not find it in the list of flaky ones."""
    found = diagnose(past("....xxxx......"))
    assert (found.standing, found.flips) == (Standing.STABLE, 0)


def test_a_flaky_test_has_recovered_after_seven_clean_days() -> None:
    commits = "abcdefgh" + "zz"
    assert diagnose(past("........x.", commits=commits, days_apart=1)).standing is (
        Standing.RECOVERED
    )
    assert diagnose(past("........x.", commits=commits, days_apart=0.5)).standing is Standing.FLAKY


def test_a_flaky_test_has_recovered_after_a_hundred_clean_results() -> None:
    for clean, standing in ((100, Standing.RECOVERED), (99, Standing.FLAKY)):
        commits = "a" * clean + "zz"
        outcomes = "." * clean + "x."
        assert diagnose(past(outcomes, commits=commits, days_apart=0.001)).standing is standing


def test_a_test_that_had_recovered_and_fails_again_is_flaky_again() -> None:
    found = diagnose(past("x........x.", commits="abcdefghizz", days_apart=1))
    assert found.standing is Standing.FLAKY


def test_pass_and_fail_on_an_unknown_commit_prove_nothing() -> None:
    sightings = [
        Sighting(at=NEWEST, failing=False, commit="unknown"),
        Sighting(at=NEWEST, failing=True, commit="unknown"),
        Sighting(at=NEWEST, failing=False, commit=None),
    ]
    assert diagnose(sightings).standing is Standing.STABLE


def test_the_first_bad_result_is_the_oldest_of_the_newest_failures() -> None:
    found = diagnose(past("xx.x", commits="dcba"))
    assert found.failing_since is not None
    assert found.failing_since.commit == "c"
    assert diagnose(past(".x")).failing_since is None


@pytest.mark.parametrize(
    ("cause", "fault", "does"),
    [
        ("PASS", "none", True),
        ("PASS", None, True),
        ("TEST_FAILURE", "test", True),
        ("TEST_TIMEOUT", "test", True),
        ("SUSPECT_ENV", "test", False),
        ("INFRA_NODE", "infrastructure", False),
        ("PLATFORM_FAIL", "platform", False),
        ("RESOURCE_OOM", "resources", False),
        ("CANCELLED", "cancelled", False),
    ],
)
def test_what_others_are_to_blame_for_is_left_out(cause: str, fault: str | None, *, does: bool):
    assert counts(cause=cause, fault=fault) is does


@pytest.mark.parametrize(
    ("failed", "ran", "is_one"),
    [(9, 9, True), (4, 5, True), (3, 5, False), (4, 4, False), (0, 0, False), (79, 100, False)],
)
def test_an_outage_is_nearly_everything_at_once(failed: int, ran: int, *, is_one: bool) -> None:
    assert is_outage(failed=failed, ran=ran) is is_one


@given(st.text(alphabet=".xr", max_size=40), st.text(alphabet="ab", min_size=40, max_size=40))
def test_the_numbers_of_any_past_agree_with_each_other(outcomes: str, commits: str) -> None:
    sightings = past(outcomes, commits=commits[: len(outcomes)])
    found = diagnose(sightings)
    assert found.results == len(outcomes)
    assert found.failures == outcomes.count("x")
    assert found.flips == flips_of(list(reversed(sightings)))
    assert (found.failing_since is not None) == outcomes.startswith("x")
    if found.failures == 0:
        assert found.standing not in {Standing.BROKEN, Standing.FAILING, Standing.SUSPECTED}
