"""Which runs are kept no longer: by age and number, red ones by rules of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from floe_tests.cleanup.prune import plan
from floe_tests.cleanup.retention import StoredRun, old_runs
from floe_tests.config.retention import KeptRuns, RetentionSettings, RunRetention

NOW = datetime(2026, 11, 30, tzinfo=UTC)
RULES = RunRetention(
    green=KeptRuns(days=10, least=2, most=4), red=KeptRuns(days=30, least=1, most=10)
)


def run(days: float, *, passed: bool = True, series: str = "", stays: str = "") -> StoredRun:
    return StoredRun(
        place="files",
        run_id=f"{'g' if passed else 'r'}{days:g}{series}",
        tier="demo",
        series=series,
        began=NOW - timedelta(days=days),
        passed=passed,
        stays_because=stays,
    )


def gone(runs: list[StoredRun], rules: RunRetention = RULES) -> list[str]:
    return [each.run.run_id for each in old_runs(runs, rules, now=NOW)]


def test_old_runs_go_and_the_newest_stay_whatever_their_age() -> None:
    assert gone([run(40), run(50), run(60), run(70)]) == ["g70", "g60"]


def test_young_runs_go_when_there_are_too_many() -> None:
    assert gone([run(day / 10) for day in range(6)]) == ["g0.5", "g0.4"]


def test_red_runs_stay_longer_than_green_ones() -> None:
    runs = [run(day, passed=passed) for day in (1, 2, 20) for passed in (True, False)]

    assert gone(runs) == ["g20"]
    assert gone([*runs, run(31, passed=False)]) == ["r31", "g20"]


def test_runs_that_are_not_compared_with_each_other_are_counted_apart() -> None:
    runs = [run(40, series="kind/main"), run(50, series="kind/main"), run(60, series="kind/other")]

    assert gone(runs) == []
    assert gone([replace(each, series="") for each in runs]) == ["g60kind/other"]


def test_what_must_stay_stays_and_counts() -> None:
    runs = [run(40), run(50), run(60, stays="its environment is held")]

    assert gone(runs) == []


def test_every_reason_names_its_rule() -> None:
    found = old_runs([run(day) for day in (1, 2, 3, 20, 30)], RULES, now=NOW)

    assert [each.reason for each in found] == [
        "green, beyond the newest 4",
        "green, older than 10 days",
    ]


def test_by_default_green_runs_go_after_a_month_and_red_ones_after_six() -> None:
    runs = [run(day + 100) for day in range(100)]
    runs += [run(day + 100, passed=False) for day in range(100)]

    old = plan([*runs, *(replace(each, place="history") for each in runs)], (), now=NOW)

    assert {(each.run.place, each.run.passed) for each in old} == {
        ("files", True),
        ("files", False),
    }
    assert sum(each.run.passed for each in old) == 80
    assert min(NOW - each.run.began for each in old if not each.run.passed) > timedelta(days=180)


def test_while_a_tier_cannot_be_read_runs_of_tiers_that_are_not_known_stay() -> None:
    """Its settings may say that they are kept longer than the defaults do."""
    runs = [run(day + 100) for day in range(100)]

    assert plan(runs, (), now=NOW)
    assert plan(runs, (), now=NOW, leaves_others=True) == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"days": 0, "least": 1, "most": 2}, "days"),
        ({"days": 1, "least": 3, "most": 2}, "most must not be smaller"),
        ({"days": 1, "least": 1, "most": 2, "max": 3}, "max"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RetentionSettings.model_validate({"files": {"green": given}})
