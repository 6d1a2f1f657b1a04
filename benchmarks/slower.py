"""Counts the false alarms of `floe-tests history --show slower`, and what it finds.

    python benchmarks/slower.py [--series 1000]

Series of durations of which nothing became slower, of several kinds of noise, and steps of known
size. Seeded: the same numbers each time. At last, a tier of 2,426 tests by 200 runs is looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from floe_tests.results.cases import Tally
from floe_tests.results.history.account import accounts_of
from floe_tests.results.history.grid import Cell, Grid, GridTest
from floe_tests.results.history.slower import rise_of, slower_tests
from floe_tests.results.records import RunRecord, SuiteRecord

Array = npt.NDArray[np.float64]
SIZES = (20, 40, 100)
TESTS, RUNS = 2_426, 200
SEED = 7


def wandering(chance: np.random.Generator, count: int, alike: float, spread: float) -> Array:
    """Return a series whose neighbours are alike."""
    steps = chance.normal(0, spread * np.sqrt(1 - alike**2), count)
    series = np.zeros(count)
    series[0] = chance.normal(0, spread)
    for place in range(1, count):
        series[place] = alike * series[place - 1] + steps[place]
    return np.exp(series)


def noises(chance: np.random.Generator, count: int) -> dict[str, Callable[[], Array]]:
    """Return the kinds of noise."""
    return {
        "spread 10 %": lambda: np.exp(chance.normal(0, 0.1, count)),
        "spread 30 %": lambda: np.exp(chance.normal(0, 0.3, count)),
        "one in 12 is 2 to 8 times as long": lambda: (
            np.exp(chance.normal(0, 0.1, count))
            * np.where(chance.random(count) < 1 / 12, chance.uniform(2, 8, count), 1)
        ),
        "two levels": lambda: (
            np.exp(chance.normal(0, 0.1, count)) * np.where(chance.random(count) < 0.4, 2, 1)  # noqa: PLR2004
        ),
        "neighbours alike, 0.3": lambda: wandering(chance, count, 0.3, 0.3),
        "neighbours alike, 0.6": lambda: wandering(chance, count, 0.6, 0.3),
    }


def tier(chance: np.random.Generator) -> Grid:
    """Return a tier of which one test in a hundred became 1.5 times as slow."""
    began = datetime(2026, 11, 20, tzinfo=UTC)
    suite = SuiteRecord(name="s", outcome="passed", cause="PASS", tally=Tally.of(()))
    runs = tuple(
        RunRecord(
            run_id=f"r{number}",
            tier="t",
            provider="kind",
            environment="kind",
            outcome="passed",
            cause="PASS",
            started_at=began - timedelta(hours=number),
            suites=(suite,),
        )
        for number in range(RUNS)
    )
    machine = np.exp(chance.normal(0, 0.1, RUNS))
    tests = [
        GridTest(
            test_id=number,
            suite="s",
            name=f"t::{number}",
            cells=tuple(
                Cell(column, "passed", float(seconds), 0)
                for column, seconds in enumerate(
                    2
                    * machine
                    * np.exp(chance.normal(0, 0.1, RUNS))
                    * np.where((np.arange(RUNS) < 30) & (number % 100 == 0), 1.5, 1)  # noqa: PLR2004
                )
            ),
        )
        for number in range(TESTS)
    ]
    return Grid(tier="t", provider="kind", runs=runs, tests=tuple(tests), total_runs=RUNS)


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1_000, help="Series of each kind.")
    series = parser.parse_args().series
    chance = np.random.default_rng(SEED)
    for count in SIZES:
        for kind, noise in noises(chance, count).items():
            found = sum(rise_of(2 * noise()) is not None for _ in range(series))
            said = f"{count:4} runs, {kind}: {found} false alarms in {series} series"
            print(said, flush=True)  # noqa: T201
    for spread in (0.1, 0.2):
        for size in (1.25, 1.5, 2.0):
            for after in (5, 10, 20):
                found = 0
                for _ in range(series // 10):
                    seconds = 2 * np.exp(chance.normal(0, spread, 100))
                    seconds[-after:] *= size
                    found += rise_of(seconds) is not None
                share = found / (series // 10)
                said = f"spread {spread:.0%}, {size} times, {after} runs since: {share:.0%} found"
                print(said)  # noqa: T201
    grid = tier(chance)
    accounts = accounts_of(grid)
    begin = time.monotonic()
    found_tests = slower_tests(grid, accounts)
    real = sum(each.test is not None and each.test.test.test_id % 100 == 0 for each in found_tests)
    print(  # noqa: T201
        f"{TESTS} tests by {RUNS} runs: {time.monotonic() - begin:.1f} s, {real} of "
        f"{len(range(0, TESTS, 100))} found, {len(found_tests) - real} false"
    )


if __name__ == "__main__":
    main()
