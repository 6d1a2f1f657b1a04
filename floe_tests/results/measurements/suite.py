"""What a suite measured, judged and drawn, in plain values that can be written down.

Nothing here imports numpy: whoever reads a judged suite back needs no statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

from floe_tests.results.measurements.judgement import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing.

    Attributes:
        name: What its file is called, without an ending.
        title: What it shows.
        description: The same in words, with the numbers that matter.
        svg: The drawing, an `<svg>` element.
    """

    name: str
    title: str
    description: str
    svg: str


@dataclass(frozen=True)
class Measured:
    """A judged soak or benchmark, as its page shows it.

    Attributes:
        judgement: The findings.
        plots: The drawings.
    """

    judgement: Judgement
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True)
class SuiteMeasurements:
    """All that a suite measured. It may be a soak and a benchmark.

    Attributes:
        judgement: The findings of both.
        soak: The soak; None for a suite that is none.
        benchmark: The benchmark; None for a suite that is none.
    """

    judgement: Judgement
    soak: Measured | None = None
    benchmark: Measured | None = None
