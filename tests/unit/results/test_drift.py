"""Growth: what is a drift, what only looks like one, and what a larger one is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floe_tests.results.measurements.drift import Drift, Expectation, Series, drift_of
from floe_tests.results.measurements.estimates import (
    correlation,
    cusum,
    cusum_limit,
    holm,
    mann_whitney,
    median_ratio,
    prediction,
    spread,
    theil_sen,
)

SECONDS = 120 + 15.0 * np.arange(32)
HOURS = SECONDS / 3600


def drift(values: object, *, limit: float | None = 1000.0, horizon: float = 2.0, **kwargs: object):
    found = drift_of(
        Series(seconds=SECONDS, values=np.asarray(values, dtype=float), limit=limit),
        error=0.0006,
        horizon_hours=horizon,
        **kwargs,  # type: ignore[arg-type]
    )
    assert found is not None
    return found


def noise(seed: int = 1, size: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(SECONDS)) * size


def test_a_leak_is_found_with_its_slope_and_its_hours() -> None:
    found = drift(400 + 600 * HOURS + noise())

    assert found.is_drift
    assert found.slope.low < 600 < found.slope.high
    assert found.hours_to_limit == pytest.approx((1000 - 500) / 600, rel=0.1)


def test_a_leak_that_reaches_its_limit_after_the_horizon_is_proved_and_no_drift() -> None:
    found = drift(400 + 100 * HOURS + noise(size=0.5))

    assert found.proved == ("slope",)
    assert not found.is_material
    assert not found.is_drift


def test_a_quiet_platform_is_none() -> None:
    assert not drift(400 + noise()).is_drift


@pytest.mark.parametrize("value", [0.0, 400.0, 1e15])
def test_a_series_that_never_changes_is_none(value: float) -> None:
    found = drift(np.full(32, value), limit=None)

    assert not found.is_drift
    assert found.slope.per_unit == 0
    assert found.hours_to_limit is None


@pytest.mark.parametrize("period", [3, 5, 10])
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_a_saw_of_a_collector_is_none(period: int, phase: int) -> None:
    """Between two collections memory climbs steeply: a slope alone cries at every tooth."""
    teeth = ((np.arange(32) + phase) % period) / period

    assert not drift(400 + 100 * teeth + noise(size=1)).is_drift


def test_a_leak_under_a_saw_is_found() -> None:
    teeth = (np.arange(32) % 3) / 3

    assert drift(400 + 50 * teeth + 1500 * HOURS + noise(size=1)).is_drift


def test_a_cache_that_fills_and_stays_is_none() -> None:
    values = 400 + 120 * (1 - np.exp(-SECONDS / 90)) + noise(size=0.5)
    found = drift(values)

    assert not found.is_lasting
    assert not found.is_drift


def test_memory_that_falls_is_none() -> None:
    found = drift(500 - 600 * HOURS + noise())

    assert found.hours_to_limit is None
    assert not found.is_drift


def test_without_a_limit_twice_its_level_is_one() -> None:
    found = drift(400 + 2000 * HOURS + noise(), limit=None)

    assert not found.has_limit
    assert found.limit == pytest.approx(2 * found.level)
    assert found.is_drift


def test_above_its_limit_already_it_has_no_hours_left() -> None:
    assert drift(1200 + 600 * HOURS + noise()).hours_to_limit == 0


def test_too_few_samples_say_nothing() -> None:
    few = Series(seconds=SECONDS[:19], values=SECONDS[:19], limit=None)

    assert drift_of(few, error=0.001, horizon_hours=2) is None


def test_the_last_good_run_finds_what_the_slope_alone_does_not() -> None:
    values = 400 + 250 * HOURS + noise(seed=0, size=8)
    quiet = Expectation(slope_per_hour=0, sigma=2)

    assert drift(values).proved == ()
    assert drift(values, expected=quiet).proved == ("cusum",)


def test_growth_that_the_last_good_run_had_too_is_not_proved_by_it() -> None:
    values = 400 + 250 * HOURS + noise(seed=0, size=8)

    assert drift(values, expected=Expectation(slope_per_hour=250, sigma=2)).proved == ()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    size=st.floats(0.1, 20),
    small=st.floats(0, 2000),
    more=st.floats(1, 2000),
)
def test_a_larger_leak_is_never_judged_milder(
    seed: int, size: float, small: float, more: float
) -> None:
    """The same soak, but for a faster leak: whoever doubles one must not turn a red run green."""
    base = 400 + noise(seed, size)
    # A straight line under the same noise: windows and residuals move with it.
    milder = drift(base + small * HOURS, horizon=2)
    larger = drift(base + (small + more) * HOURS, horizon=2)

    assert _severity(larger) >= _severity(milder)


def _severity(found: Drift) -> float:
    return 0.0 if not found.is_drift else 1 / (0.01 + (found.hours_to_limit or 0))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.floats(0, 1e12), min_size=32, max_size=32))
def test_no_series_breaks_it(values: list[float]) -> None:
    found = drift(values, limit=None, expected=Expectation(slope_per_hour=1.0, sigma=0.0))

    assert np.isfinite(found.level)
    assert np.isfinite(found.slope.per_unit)


def test_the_interval_is_wider_for_points_that_hang_together() -> None:
    chance = np.random.default_rng(2)
    times = np.arange(40.0)
    loose = chance.normal(size=40)
    tight = np.convolve(chance.normal(size=44), np.ones(5) / 5, mode="valid")

    assert theil_sen(times, tight, error=0.01).inflation > 1.5
    assert theil_sen(times, loose, error=0.01).inflation < 1.5
    assert correlation(np.zeros(40)) == 0


def test_a_cusum_adds_up_what_goes_beyond_its_slack() -> None:
    assert list(cusum(np.array([0.0, 2.0, 2.0, -9.0, 1.5]), slack=1.0)) == [0, 1, 2, 0, 0.5]


@pytest.mark.parametrize(("limit", "run_length"), [(4, 168), (5, 465)])
def test_the_limit_of_a_cusum_has_the_run_length_of_the_tables(
    limit: float, run_length: float
) -> None:
    """Two-sided run lengths for k = 0.5 (Montgomery, table 9.3): a one-sided one is twice that."""
    assert cusum_limit(slack=0.5, run_length=2 * run_length) == pytest.approx(limit, abs=0.1)


def test_holm_spends_the_error_once() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()


def test_equal_samples_differ_in_nothing() -> None:
    assert mann_whitney([1.0] * 10, [1.0] * 10) == 1.0
    assert mann_whitney([1.0, 2.0] * 10, [5.0, 6.0] * 10) < 1e-6
    assert median_ratio([2.0] * 10, [1.0] * 10) == pytest.approx(2.0)
    assert spread(np.array([1.0, 1.0, 1.0])) == 0


def test_one_known_run_predicts_by_the_guess_and_many_by_themselves() -> None:
    one = prediction(0.1, [0.0], guessed_spread=0.03, weight=4)
    many = prediction(0.1, [0.0, 0.001, -0.001] * 10, guessed_spread=0.03, weight=4)

    assert many.p < one.p < 0.05
    assert many.half_width < one.half_width


def test_a_guess_never_makes_a_noisy_machine_quiet() -> None:
    noisy = [0.0, 0.1, -0.1, 0.12, -0.12, 0.05, -0.05, 0.0]

    guessed = prediction(0.2, noisy, guessed_spread=0.001, weight=4)
    honest = prediction(0.2, noisy, guessed_spread=0.09, weight=4)
    assert guessed.p == pytest.approx(honest.p, rel=0.1)
