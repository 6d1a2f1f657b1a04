"""What judgement finds, and what it calls wrongly: `python benchmarks/detection.py`.

Simulated soaks and benchmarks with known leaks and slowdowns go through the same functions as real
ones. Seeds are fixed, so the same code gives the same table; it is printed, and written to
docs/detection.md. `--part NAME` makes one part of it anew. `--share 0.1` makes a tenth of the
repetitions, for a look in between, and writes nothing.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np

from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.results.measurements import benchmark, soak
from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.compared import Past
from floe_tests.results.measurements.drift import Drift, Expectation, Series, drift_of
from floe_tests.results.measurements.estimates import Array, mann_whitney
from floe_tests.results.measurements.soak_log import Load, Sample, SoakLog

PAGE = Path(__file__).resolve().parents[1] / "docs" / "detection.md"

SEED = 20_261_124
MIB = 2.0**20
LIMIT, IN_USE = 1024.0, 400.0
"""MiB: a component that has 624 MiB left to its limit."""
INTERVAL = 15.0
COMPONENTS = 8
SERIES = 2 * COMPONENTS
MEASUREMENTS = 6
NEWEST = datetime(2026, 11, 24, tzinfo=UTC)

Noise = Callable[[np.random.Generator, int], Array]


def white(share: float) -> Noise:
    """Independent looks."""
    return lambda chance, count: chance.normal(size=count) * share * LIMIT


def wandering(share: float) -> Noise:
    """Looks of which each is close to the one before: AR(1) with 0.7."""

    def make(chance: np.random.Generator, count: int) -> Array:
        steps = chance.normal(size=count) * share * LIMIT
        values = np.empty(count)
        values[0] = steps[0]
        for place in range(1, count):
            values[place] = 0.7 * values[place - 1] + steps[place] * (1 - 0.7**2) ** 0.5
        return values

    return make


def saw(share: float, period: int) -> Noise:
    """A collector that lets memory climb and takes it back every so many looks."""

    def make(chance: np.random.Generator, count: int) -> Array:
        phase = chance.integers(period)
        teeth = ((np.arange(count) + phase) % period) / period
        return teeth * share * LIMIT + chance.normal(size=count) * 0.002 * LIMIT

    return make


def filling(share: float, seconds: float) -> Noise:
    """A cache that fills and stays full."""

    def make(chance: np.random.Generator, count: int) -> Array:
        passed = np.arange(count) * INTERVAL
        full = share * LIMIT * (1 - np.exp(-passed / seconds))
        return full + chance.normal(size=count) * 0.002 * LIMIT

    return make


def main() -> None:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the repetitions")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part of the page")
    asked = parser.parse_args()
    started = perf_counter()
    made: dict[str, str] = {}
    for name in asked.part or PARTS:
        lines: list[str] = []
        for line in PARTS[name](asked.share):
            print(line, flush=True)  # noqa: T201
            lines.append(line)
        made[name] = "\n".join(lines).strip()
    print(f"{perf_counter() - started:.0f} s")  # noqa: T201
    if asked.share == 1.0:
        write(made)


def write(made: Mapping[str, str]) -> None:
    """Write the page; a part that was not made stays as it is there."""
    parts = {**_parts_of(PAGE.read_text() if PAGE.is_file() else ""), **made}
    sections = (f"<!-- {name} -->\n{parts[name]}" for name in PARTS if name in parts)
    PAGE.write_text("\n\n".join([INTRODUCTION, *sections]) + "\n")


def _parts_of(page: str) -> dict[str, str]:
    pieces = re.split(r"<!-- (\w+) -->\n", page)[1:]
    return {name: text.strip() for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


def leaks(share: float) -> Iterator[str]:
    """Simulate one leaking component in a soak of eight."""
    repetitions = max(20, int(200 * share))
    yield LEAKS
    for minutes in (10, 60):
        settings = SoakSettings()
        threshold = _threshold(minutes, settings)
        sizes = [0.5, 1.0, 1.5, 2.0, 4.0]
        yield f"\n### A soak of {minutes} minutes\n"
        yield (
            f"It looks {settings.drift.look_ahead * minutes / 60:g} h ahead, so a leak matters "
            f"from {threshold:.1f} MiB/min on.\n"
        )
        heads = " | ".join(f"{size * threshold:.1f} MiB/min" for size in sizes)
        yield f"| noise | {heads} |"
        yield f"| --- |{' --- |' * len(sizes)}"
        for name, noise in NOISES:
            found = [
                _share_found(noise, size * threshold, minutes=minutes, repetitions=repetitions)
                for size in sizes
            ]
            yield f"| {name} | {' | '.join(found)} |"
    yield ""


NOISES: Sequence[tuple[str, Noise]] = (
    ("0.5 % of the limit (5 MiB)", white(0.005)),
    ("1 % (10 MiB)", white(0.01)),
    ("2 % (20 MiB)", white(0.02)),
    ("5 % (51 MiB)", white(0.05)),
    ("1 %, wandering", wandering(0.01)),
    ("2 %, wandering", wandering(0.02)),
    ("a saw of 10 %, a tooth a minute", saw(0.1, 4)),
    ("a saw of 10 %, a tooth in two minutes", saw(0.1, 8)),
)


def _threshold(minutes: float, settings: SoakSettings) -> float:
    """Return the growth a minute that reaches the limit just within the horizon."""
    return (LIMIT - IN_USE) / (settings.drift.look_ahead * minutes)


def _share_found(noise: Noise, per_minute: float, *, minutes: float, repetitions: int) -> str:
    chance = np.random.default_rng(SEED)
    alone = together = 0
    for _ in range(repetitions):
        before = _drift(noise, 0.0, minutes, chance, None)
        expected = Expectation(slope_per_hour=before.slope.per_unit, sigma=before.slope.sigma)
        alone += _drift(noise, per_minute, minutes, chance, None).is_drift
        together += _drift(noise, per_minute, minutes, chance, expected).is_drift
    return f"{alone / repetitions:.0%} / {together / repetitions:.0%}"


def _drift(
    noise: Noise,
    per_minute: float,
    minutes: float,
    chance: np.random.Generator,
    expected: Expectation | None,
) -> Drift:
    rules = SoakSettings().drift
    count = int(minutes * 60 / INTERVAL)
    seconds = np.arange(count, dtype=np.float64) * INTERVAL
    values = IN_USE + per_minute * seconds / 60 + noise(chance, count)
    kept = seconds >= rules.warmup_share * minutes * 60
    drift = drift_of(
        Series(seconds=seconds[kept], values=values[kept], limit=LIMIT),
        error=rules.false_alarms / SERIES,
        horizon_hours=min(rules.hours_to_limit, rules.look_ahead * minutes / 60),
        expected=expected,
    )
    if drift is None:
        message = "the simulated soak is too short"
        raise ValueError(message)
    return drift


def healthy(share: float) -> Iterator[str]:
    """Simulate soaks without a leak, whole ones, and count those that are called drifting."""
    repetitions = max(20, int(300 * share))
    yield HEALTHY.format(components=COMPONENTS, repetitions=repetitions)
    yield "| noise of every component | first run | against a last good run | slope alone |"
    yield "| --- | --- | --- | --- |"
    for name, noise in (*NOISES, *HARMLESS):
        chance = np.random.default_rng(SEED + 1)
        first = second = bare = 0
        for _ in range(repetitions):
            good = soak.judge(_soak(noise, chance), SoakSettings())
            known = {(each.component, each.metric): each for each in good.judgement.soak}
            first += bool(good.judgement.drifts)
            bare += any(
                "slope" in each.proved and each.is_material for each in good.drifts.values()
            )
            again = soak.judge(_soak(noise, chance), SoakSettings(), known=known)
            second += bool(again.judgement.drifts)
        yield (
            f"| {name} | {first / repetitions:.1%} | {second / repetitions:.1%} | "
            f"{bare / repetitions:.1%} |"
        )
    yield ""


HARMLESS: Sequence[tuple[str, Noise]] = (
    ("a saw of 10 %, a tooth in five minutes", saw(0.1, 20)),
    ("a cache of 5 %, full after some two minutes", filling(0.05, 60)),
    ("a cache of 10 %, full after some six minutes", filling(0.1, 180)),
)


def _soak(noise: Noise, chance: np.random.Generator, minutes: float = 10) -> SoakLog:
    count = int(minutes * 60 / INTERVAL)
    memory = [IN_USE + noise(chance, count) for _ in range(COMPONENTS)]
    samples = [
        Sample(
            elapsed=place * INTERVAL,
            at="",
            component=f"component-{number}",
            pod=f"component-{number}-0",
            memory=float(memory[number][place]) * MIB,
            memory_limit=LIMIT * MIB,
            cpu=None,
            cpu_limit=None,
            disk=200 * MIB,
            disk_limit=1024 * MIB,
            restarts=0,
            oom_kills=0,
        )
        for place in range(count)
        for number in range(COMPONENTS)
    ]
    load = Load(
        elapsed=0, at="", operation="q", requests=9, errors=0, p50=0.1, p95=0.2, first_error=""
    )
    return SoakLog(
        planned_seconds=minutes * 60,
        interval_seconds=INTERVAL,
        fingerprint={"scale": 1},
        samples=tuple(samples),
        loads=(load,),
        end="completed",
        elapsed=minutes * 60,
    )


@dataclass(frozen=True)
class Spread:
    """Standard deviations, as shares.

    Attributes:
        together: By which a run takes all of its measurements along.
        between: Of a measurement from run to run, besides.
        within: Of repetitions.
    """

    together: float
    between: float
    within: float


SPREADS = (
    *(Spread(0, between, 0.05) for between in (0.01, 0.02)),
    *(Spread(0, between, 0.1) for between in (0.03, 0.06)),
    *(Spread(together, 0.02, 0.1) for together in (0.03, 0.07)),
)


def slowdowns(share: float) -> Iterator[str]:
    """Simulate a run after a baseline, with one of its measurements slower or none."""
    repetitions = max(20, int(300 * share))
    yield SLOWDOWNS.format(measurements=MEASUREMENTS, repetitions=repetitions)
    sizes = (0.05, 0.1, 0.2)
    yield (
        "| spread of whole runs | of each measurement | in a run | baseline | "
        "no change: called worse | the same by Mann–Whitney alone | 5 % slower | 10 % | 20 % |"
    )
    yield f"|{' --- |' * 9}"
    for spread in SPREADS:
        for runs in (1, 3, 8):
            alarms, bare = _benchmarks(spread, runs, 0.0, repetitions)
            found = [_benchmarks(spread, runs, size, repetitions)[0] for size in sizes]
            yield (
                f"| {spread.together:.0%} | {spread.between:.0%} | {spread.within:.0%} | {runs} | "
                f"{alarms:.1%} | {bare:.0%} | {' | '.join(f'{each:.0%}' for each in found)} |"
            )
    yield ""


def _benchmarks(spread: Spread, runs: int, slower: float, repetitions: int) -> tuple[float, float]:
    """Return the share of runs that are called worse, by the rules and by Mann–Whitney alone."""
    chance = np.random.default_rng(SEED + 2)
    settings = BenchmarkSettings()
    called = bare = 0
    for _ in range(repetitions):
        past: dict[str, list[Past]] = {}
        for number in range(runs):
            _put(past, benchmark.judge(_measured(spread, chance), settings, past={}), number)
        new = _measured(spread, chance, slower=slower)
        judged = benchmark.judge(new, settings, past=past)
        worse = {each.subject for each in judged.judgement.regressions}
        called += "m0" in worse if slower else bool(worse)
        bare += any(
            mann_whitney(
                each.values, [value for old in past[each.name] for value in old.record.values]
            )
            < settings.alpha / MEASUREMENTS
            for each in new.measurements
        )
    return called / repetitions, bare / repetitions


def _measured(spread: Spread, chance: np.random.Generator, *, slower: float = 0.0) -> Benchmark:
    """Return 20 repetitions of each measurement; a run's own level moves all of its repetitions."""
    measurements: list[Measurement] = []
    whole = np.log(2.0) + spread.together * chance.normal()
    for number in range(MEASUREMENTS):
        level = whole + spread.between * chance.normal() + (np.log1p(slower) if number == 0 else 0)
        # Repetitions are skewed: now and then one is much slower.
        values = np.exp(level + spread.within * (chance.gamma(2.0, size=20) - 2) / 2**0.5)
        measurements.append(
            Measurement(
                name=f"m{number}",
                unit="s",
                better="lower",
                values=tuple(float(value) for value in values),
            )
        )
    return Benchmark(fingerprint={"scale": 1}, measurements=tuple(measurements))


def _remember(past: dict[str, list[Past]], measured: Benchmark, *, number: int) -> bool:
    """Judge a run and put it into the past, newest first; give whether it was called worse."""
    judged = benchmark.judge(measured, BenchmarkSettings(), past=past)
    _put(past, judged, number)
    return bool(judged.judgement.regressions)


def _put(past: dict[str, list[Past]], judged: benchmark.Judged, number: int) -> None:
    is_good = not judged.judgement.regressions and not judged.judgement.doubts
    for each in judged.judgement.measurements:
        past.setdefault(each.name, []).insert(
            0,
            Past(
                record=each,
                run_id=f"run-{number}",
                started_at=NEWEST + timedelta(hours=number),
                commit=f"c{number}",
                is_good=is_good,
                is_regression=bool(judged.judgement.regressions),
            ),
        )


def pasts(share: float) -> Iterator[str]:
    """Simulate a platform's nights: unchanged ones, and one that becomes slower bit by bit."""
    repetitions = max(4, int(20 * share))
    nights = 40
    yield PASTS.format(repetitions=repetitions, nights=nights, measurements=MEASUREMENTS)
    yield "| what happens | nights that were red | pasts with a red night | first seen after |"
    yield "| --- | --- | --- | --- |"
    cases: Sequence[tuple[str, float, Callable[[int], float]]] = (
        ("nothing, spread 1 %", 0.01, lambda _: 0.0),
        ("nothing, spread 3 %", 0.03, lambda _: 0.0),
        ("8 % slower from night 20 on, spread 3 %", 0.03, _step),
        ("1 % slower every night from 10 on, spread 2 %", 0.02, _creep),
    )
    for name, between, slower in cases:
        chance = np.random.default_rng(SEED + 3)
        red = with_red = 0
        seen: list[int] = []
        for _ in range(repetitions):
            past: dict[str, list[Past]] = {}
            reds = [
                _remember(
                    past,
                    _measured(Spread(0, between, 0.05), chance, slower=slower(night)),
                    number=night,
                )
                for night in range(nights)
            ]
            red += sum(reds)
            with_red += any(reds)
            begin = next((night for night in range(nights) if slower(night) > 0), None)
            if begin is not None:
                after = [night - begin for night in range(begin, nights) if reds[night]]
                seen += after[:1]
        words = f"{np.median(seen):.0f} nights (median)" if seen else "–"
        share_red = red / repetitions / nights
        yield f"| {name} | {share_red:.2%} | {with_red / repetitions:.0%} | {words} |"


def _step(night: int) -> float:
    return 0.08 * (night >= 20)  # noqa: PLR2004 - as the table says


def _creep(night: int) -> float:
    return 1.01 ** max(0, night - 9) - 1


PARTS: Mapping[str, Callable[[float], Iterator[str]]] = {
    "leaks": leaks,
    "healthy": healthy,
    "slowdowns": slowdowns,
    "pasts": pasts,
}
INTRODUCTION = """\
<!-- Made by `python benchmarks/detection.py`: every number is from a run of it. -->

# What is found, and what is called wrongly

Simulated soaks and benchmarks with known leaks and slowdowns, judged by the same functions as real
ones with default settings ([how it is judged](soak-and-benchmark.md)). Synthetic data: a real
platform's noise is none of these exactly."""
LEAKS = """
## Leaks

One component of eight, memory and disk of each watched, 400 of 1,024 MiB in use, a look every 15 s.
Share of soaks in which a leak of that size is found: without / with a last good run to compare
with. Noise is the standard deviation of a look, as a share of the limit."""
HEALTHY = """
## Healthy soaks

{repetitions} soaks of ten minutes without a leak, {components} components each; share that is
called drifting. *Slope alone* is a Theil–Sen slope with the same interval and horizon, without the
demands that growth lasts and rises from below.
"""
SLOWDOWNS = """
## Benchmarks: one run against its baseline

{measurements} measurements of 20 repetitions, {repetitions} runs a cell. *Called worse* is any of
the six, without a change; on the right is how often the one that became slower is named. *Spread of
whole runs* is the machine's: it takes all measurements of a run along.
"""
PASTS = """
## Benchmarks: forty nights

{repetitions} pasts of {nights} nightly runs of {measurements} measurements, each judged against
those before it, by baseline and by change points.
"""

if __name__ == "__main__":
    main()
