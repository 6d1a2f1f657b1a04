"""One soak from start to end: the load, and every interval a sample of each pod and a sum of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .load import Load, Tally
from .usage import NoUsage, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .load import Operation
    from .record import Record
    from .usage import Sample

# Longer than any pipeline is given.
GRACE_SECONDS = 320.0


@dataclass(frozen=True)
class Soaked:
    """What became of a soak.

    Attributes:
        intervals: How many there were.
        sampled: In how many of them each component was sampled.
        gaps: Why there was no sample, one reason an interval without.
        tallies: The load, by operation.
    """

    intervals: int
    sampled: dict[str, int]
    gaps: list[str]
    tallies: dict[str, Tally]


class Soak:
    """A soak that has not begun.

    Args:
        operations: The load.
        sampler: Samples the pods, or says why it cannot.
        record: Where everything goes.
        interval_seconds: How often.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        sampler: Sampler | NoUsage,
        record: Record,
        *,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._load = Load(operations, clock=clock)
        self._sampler = sampler
        self._record = record
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._sleep = sleep
        self._sampled: dict[str, int] = {}
        self._gaps: list[str] = []
        self._intervals = 0

    def run(self, seconds: float) -> Soaked:
        """Load the platform for so long, and record it.

        Whatever ends it, SIGTERM above all, the record says so in its last line.
        """
        ended = "terminated"
        began = self._clock()
        try:
            self._load.start()
            while (passed := self._clock() - began) < seconds:
                wanted = min((self._intervals + 1) * self._interval_seconds, seconds)
                self._sleep(max(0.0, wanted - passed))
                self._close_interval()
            self._load.stop(grace_seconds=GRACE_SECONDS)
            self._write_load()
            ended = "completed"
        finally:
            if ended == "terminated":
                self._load.stop(grace_seconds=0)
                self._write_load()
            self._record.end(ended)
        return Soaked(self._intervals, self._sampled, self._gaps, self._load.tallies())

    def _close_interval(self) -> None:
        self._intervals += 1
        try:
            samples = self._sample()
        except Exception as error:  # noqa: BLE001 - the API away: a gap, and the load goes on
            reason = f"{type(error).__name__}: {error}"[:500]
            self._gaps.append(reason)
            self._record.write("gap", reason=reason)
        else:
            for sample in samples:
                self._record.write("sample", **asdict(sample))
            for component in {sample.component for sample in samples}:
                self._sampled[component] = self._sampled.get(component, 0) + 1
        self._write_load()

    def _sample(self) -> list[Sample]:
        if isinstance(self._sampler, NoUsage):
            raise self._sampler
        return self._sampler.sample()

    def _write_load(self) -> None:
        for summary in self._load.take():
            self._record.write("load", **asdict(summary))
