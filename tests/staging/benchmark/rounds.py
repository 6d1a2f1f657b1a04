"""Measuring: rounds in which every measurement is taken once, in an order that changes.

A machine that becomes slower in the course of a benchmark makes all measurements slower by as much
then, and not the last one alone. What is short is done several times a repetition, for a quarter of
a second at least: a scheduler gives and takes time by tenths of one.
"""

from __future__ import annotations

import gc
import json
import math
import random
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SHORTEST_SECONDS = 0.25
_MOST_A_REPETITION = 200
_LOOK_SECONDS = 3.0
_LOOKS_WITHOUT = 3
_FASTER = 0.03


@dataclass(frozen=True)
class Timed:
    """A measurement whose time is taken around it.

    Attributes:
        name: Its name.
        do: What is measured, once.
        is_served: Whether programs beside this one answer it, which compile themselves as they run.
    """

    name: str
    do: Callable[[], object]
    is_served: bool = False


@dataclass(frozen=True)
class Told:
    """Measurements that what is done tells itself, beside the time that it takes as a whole.

    Attributes:
        name: Name of the whole.
        names: Names of the parts.
        do: Does it, and gives seconds by part.
    """

    name: str
    names: tuple[str, ...]
    do: Callable[[], Mapping[str, float]]


@dataclass
class Measurement:
    """The values of one measurement, in seconds, in the order of the rounds."""

    name: str
    unit: Literal["s"] = "s"
    better: Literal["lower"] = "lower"
    warmup: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Rounds:
    """Takes measurements, and writes them down after each.

    Args:
        measured: What is measured.
        path: benchmark.json.
        fingerprint: What must be the same for two benchmarks to be compared.
        slowdown: By name, the factor by which a measurement is made slower, within its time.
        clock: Seconds, never back.
        sleep: Sleeps.
    """

    def __init__(
        self,
        measured: Sequence[Timed | Told],
        path: Path,
        *,
        fingerprint: Mapping[str, object],
        slowdown: Mapping[str, float],
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._measured = measured
        self._path = path
        self._fingerprint = fingerprint
        self._slowdown = slowdown
        self._clock = clock
        self._sleep = sleep
        self._started_at = datetime.now(UTC)
        self._times: dict[str, int] = {}
        self._warmed_seconds: dict[str, float] = {}
        names = [n for each in measured for n in (each.name, *getattr(each, "names", ()))]
        self.measurements = {name: Measurement(name) for name in names}

    def warm(self, *, most_seconds: float) -> None:
        """Ask each server until its code is as fast as it becomes, and take no time.

        After a roll-out a JVM or a Node is slower by half, for a thousand answers and more. How
        many hangs on what they do, so it is seen: a server is warm when none of three looks in a
        row, each of three seconds, was faster by 3 % than the fastest before.

        Args:
            most_seconds: How long one server is asked at most.
        """
        for each in self._measured:
            if isinstance(each, Timed) and each.is_served:
                self._warm(each, most_seconds)

    def _warm(self, served: Timed, most_seconds: float) -> None:
        began = self._clock()
        fastest, looks_without = math.inf, 0
        while looks_without < _LOOKS_WITHOUT and self._clock() - began < most_seconds:
            looked = self._clock()
            took: list[float] = []
            while self._clock() - looked < _LOOK_SECONDS:
                before = self._clock()
                served.do()
                took.append(self._clock() - before)
            now = median(took)
            if now < fastest * (1 - _FASTER):
                fastest, looks_without = now, 0
            else:
                looks_without += 1
        self._warmed_seconds[served.name] = round(self._clock() - began, 1)

    def run(self, *, rounds: int, warmup: int) -> None:
        """Take every measurement in each round, those of the warm-up apart."""
        for number in range(-warmup, rounds):
            order = list(self._measured)
            # The same orders in every benchmark: what comes before a measurement is a part of it.
            random.Random(number).shuffle(order)  # noqa: S311 - an order, no secret
            for each in order:
                for name, seconds in self._take(each).items():
                    of = self.measurements[name]
                    (of.warmup if number < 0 else of.values).append(round(seconds, 6))
                self._write()

    def _take(self, measured: Timed | Told) -> dict[str, float]:
        times = self._times_of(measured)
        parts: Mapping[str, float] = {}
        gc.collect()
        began = self._clock()
        for _ in range(times):
            result = measured.do()
            if isinstance(measured, Told):
                parts = result  # type: ignore[assignment] - what a Told's `do` gives
        if (factor := self._slowdown.get(measured.name)) is not None:
            self._sleep((self._clock() - began) * (factor - 1))
        return {measured.name: (self._clock() - began) / times, **parts}

    def _times_of(self, measured: Timed | Told) -> int:
        """Find out how often it is done in a repetition, once: what has parts, one time."""
        if measured.name not in self._times:
            times = 1
            if isinstance(measured, Timed):
                measured.do()  # imports, connections: not what is measured later
                began = self._clock()
                measured.do()
                wanted = -(-SHORTEST_SECONDS // max(self._clock() - began, 1e-6))
                times = int(min(max(wanted, 1), _MOST_A_REPETITION))
            self._times[measured.name] = times
        return self._times[measured.name]

    def _write(self) -> None:
        """Write what there is, whole or not at all: a pod that is killed leaves it behind."""
        document = {
            "fingerprint": self._fingerprint,
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "warmed_seconds": self._warmed_seconds,
            "measurements": [asdict(each) for each in self.measurements.values()],
        }
        if self._slowdown:
            document["slowed_on_purpose"] = dict(self._slowdown)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}")
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self._path)
