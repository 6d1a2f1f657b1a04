"""Which tests became slower, by a jump or step by step. It is shown, and decides nothing.

A test's passed durations, oldest first, are asked for change points by the code that judges
benchmarks (`results/measurements/change_points.py`). Three things would raise false alarms:

- a slow machine slows all tests of a run. What the tests of a suite did together is taken out
  first; where it changed itself, the suite as a whole is named;
- one duration in a hundred is ten times as long, for any reason. Ranks are looked at, not seconds;
- a slow afternoon makes neighbouring runs alike. The step must be as much larger as that asks for.

And it must matter: by a fifth and a tenth of a second, for the newest five passes at least.

False alarms, by `benchmarks/slower.py` (seeded, 1,000 series of each kind, of 20, 40 and 100 runs):
of independent durations at most 1 in 1,000 tests; where neighbouring runs are alike (correlation
0.6), 12, 8 and 0 in 1,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from floe_tests.results.history.account import suite_counts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from floe_tests.results.history.account import TestAccount
    from floe_tests.results.history.grid import Grid
    from floe_tests.results.records import RunRecord

    Array = npt.NDArray[np.float64]

WINDOW = 100
"""So many of the newest passes are looked at."""
FEWEST_AFTER = 5
"""A test is slower once so many of its newest passes are."""
LEAST_SHARE = 0.2
LEAST_SECONDS = 0.1
ALPHA = 0.001
"""Largest p of a change point."""

_LEAST_STEP = 4.2
_FEWEST_TOGETHER = 5
"""What fewer tests did together is what one of them did."""
_SHORTEST_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Rise:
    """A rise of a series of durations.

    Attributes:
        place: The first value of the rise.
        before: Median of the level before it, in seconds.
        after: Median of the newest level.
        is_jump: Whether it came in one step.
        p: How often chance makes a step as large as its least likely one.
    """

    place: int
    before: float
    after: float
    is_jump: bool
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """A test that became slower.

    Attributes:
        suite: Its suite.
        test: Its account; None for most tests of the suite together.
        kind: Whether it was one step, or several.
        before: Median of its seconds before; of a whole suite, of its tests together.
        after: Median now.
        since: The first run of the rise.
    """

    suite: str
    test: TestAccount | None
    kind: Literal["jump", "creep"]
    before: float
    after: float
    since: RunRecord

    @property
    def ratio(self) -> float:
        """How many times as long it takes."""
        return self.after / self.before

    @property
    def name(self) -> str:
        """The test's name, or what stands for a whole suite."""
        return self.test.test.name if self.test else "(most tests of the suite)"


def slower_tests(grid: Grid, accounts: Sequence[TestAccount]) -> tuple[Slower, ...]:
    """Return the tests of a grid that became slower, those that lost most time first.

    Args:
        grid: A tier's newest runs on one branch.
        accounts: Its tests, as `accounts_of` returns them.
    """
    suites: dict[str, list[TestAccount]] = {}
    for each in accounts:
        if each.passed and not each.is_gone and not each.test.is_collection:
            suites.setdefault(each.test.suite, []).append(each)
    found = [each for suite, tests in suites.items() for each in _of_suite(suite, tests, grid)]
    return tuple(sorted(found, key=lambda each: each.before - each.after))


def _of_suite(suite: str, tests: Sequence[TestAccount], grid: Grid) -> list[Slower]:
    import numpy as np

    table = _durations(tests, _counting(suite, grid))
    logs = np.log(np.maximum(table, _SHORTEST_SECONDS))
    moved = _together(logs)
    found: list[Slower] = []
    if moved is not None:
        seconds = float(np.nansum(np.nanmedian(table, axis=1)))
        found += _found(suite, None, np.exp(moved) * seconds, grid)
        logs = logs - moved
    for test, row in zip(tests, np.exp(logs), strict=True):
        found += _found(suite, test, row, grid)
    return found


def _found(suite: str, test: TestAccount | None, row: Array, grid: Grid) -> list[Slower]:
    """Look at a row of the table, whose first column is the newest run."""
    import numpy as np

    columns = np.flatnonzero(~np.isnan(row))[:WINDOW][::-1]
    rise = rise_of(row[columns])
    if rise is None:
        return []
    return [
        Slower(
            suite=suite,
            test=test,
            kind="jump" if rise.is_jump else "creep",
            before=rise.before,
            after=rise.after,
            since=grid.runs[int(columns[rise.place])],
        )
    ]


def rise_of(seconds: Array) -> Rise | None:
    """Return the rise that a series of durations ends with; None where it has none.

    Args:
        seconds: Durations of passes, oldest first.
    """
    import numpy as np

    from floe_tests.results.measurements.change_points import FEWEST_RUNS, change_points

    if len(seconds) < FEWEST_RUNS or not _may_matter(seconds) or _step(seconds) < _LEAST_STEP:
        return None
    points = change_points(_scores(seconds).tolist(), alpha=ALPHA)
    places = [0, *(each.place for each in points), len(seconds)]
    levels = [float(np.median(seconds[begin:end])) for begin, end in pairwise(places)]
    first = len(levels) - 1
    while first and levels[first - 1] < levels[first]:
        first -= 1
    steps = len(levels) - 1 - first
    if not steps or len(seconds) - places[first + 1] < FEWEST_AFTER:
        return None
    before, after = levels[first], levels[-1]
    if after < before * (1 + LEAST_SHARE) or after - before < LEAST_SECONDS:
        return None
    place = places[first + 1]
    return Rise(
        place=_exact(seconds, place, before, after) if steps == 1 else place,
        before=before,
        after=after,
        is_jump=steps == 1,
        p=max(each.p for each in points[first:]),
    )


def _exact(seconds: Array, place: int, before: float, after: float) -> int:
    """Return the first value of a jump: ranks blur it by one or two."""
    middle = (before * after) ** 0.5
    while place < len(seconds) - FEWEST_AFTER and seconds[place] < middle:
        place += 1
    while place > 1 and seconds[place - 1] > middle:
        place -= 1
    return place


def _counting(suite: str, grid: Grid) -> list[bool]:
    """Return for each run whether the suite's results say anything about its tests."""
    return [
        any(each.name == suite and suite_counts(each) for each in run.suites) for run in grid.runs
    ]


def _durations(tests: Sequence[TestAccount], counting: Sequence[bool]) -> Array:
    """Return seconds by test and column; NaN where a test did not pass in a run that counts."""
    import numpy as np

    table = np.full((len(tests), len(counting)), np.nan)
    for row, each in enumerate(tests):
        passed = [
            (cell.column, cell.seconds)
            for cell in each.test.cells
            if cell.outcome == "passed" and counting[cell.column]
        ]
        if passed:
            columns, seconds = zip(*passed, strict=True)
            table[row, list(columns)] = seconds
    return table


def _together(logs: Array) -> Array | None:
    """Return how far a suite's tests lay from where they usually lie, by run.

    Returns:
        Logarithms, NaN for a run with few tests; None where the suite has few.
    """
    import numpy as np

    if len(logs) < _FEWEST_TOGETHER:
        return None
    usual = np.nanmedian(logs, axis=1, keepdims=True)
    moved = np.full(logs.shape[1], np.nan)
    many = np.sum(~np.isnan(logs), axis=0) >= _FEWEST_TOGETHER
    moved[many] = np.nanmedian((logs - usual)[:, many], axis=0)
    return moved


def _may_matter(seconds: Array) -> bool:
    """Whether the newest durations are large enough to be worth a look: most tests' are not."""
    import numpy as np

    newest, all_of_them = np.median(seconds[-FEWEST_AFTER:]), np.min(seconds)
    return bool(newest - all_of_them >= LEAST_SECONDS)


def _scores(seconds: Array) -> Array:
    """Return normal scores of the ranks: what is ten times as long is the longest, and no more."""
    from floe_tests.results.measurements.estimates import stats

    ranks = stats.rankdata(seconds)
    scores: Array = stats.norm.ppf((ranks - 0.5) / len(seconds))
    return scores


def _step(seconds: Array) -> float:
    """Return the largest rise at any place, in standard errors of neighbours that are alike."""
    import numpy as np

    from floe_tests.results.measurements.estimates import correlation

    scores = _scores(seconds)
    count = len(scores)
    left = np.arange(3, count - 2, dtype=np.float64)
    sums = np.cumsum(scores)
    means = sums[2 : count - 3] / left
    others = (sums[-1] - sums[2 : count - 3]) / (count - left)
    steps = (others - means) * np.sqrt(left * (count - left) / count)
    place = int(np.argmax(steps))
    begin = place + 3
    rest = scores.copy()
    rest[:begin] -= means[place]
    rest[begin:] -= others[place]
    spread = float(np.std(rest)) or 1e-9
    # What creeps lies about a line, not about two levels.
    times: Array = np.arange(count, dtype=np.float64)
    line: Array = scores - np.polyval(np.polyfit(times, scores, 1), times)
    alike = min(correlation(rest), correlation(line))
    return float(steps[place]) / (spread * np.sqrt((1 + alike) / (1 - alike)))
