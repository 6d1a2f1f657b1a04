"""What a benchmark is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_suite.order_stream import StreamRules

from ..environment import Environment  # noqa: TID252 - suites are packages of their own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SLOWDOWN = "FLOE_BENCHMARK_SLOWDOWN"


@dataclass(frozen=True)
class BenchmarkSettings:
    """One benchmark.

    Attributes:
        rounds: Repetitions of each measurement.
        warmup: Rounds before them, whose values do not count.
        warm_seconds: How long each server is asked at most before the first round.
        rules: The data.
        slowdown: By measurement, the factor by which it is made slower on purpose.
    """

    rounds: int
    warmup: int
    warm_seconds: float
    rules: StreamRules
    slowdown: Mapping[str, float]


def read_settings(variables: Mapping[str, str], *, timed: Sequence[str]) -> BenchmarkSettings:
    """Read the settings.

    Args:
        variables: The environment.
        timed: Names of the measurements whose time is taken in this process: no other can be made
            slower from here.

    Raises:
        WrongEnvironment: Some are wrong; all of them at once.
    """
    env = Environment(variables)
    settings = BenchmarkSettings(
        rounds=env.whole("FLOE_BENCHMARK_ROUNDS", 10, least=1, most=1000),
        warmup=env.whole("FLOE_BENCHMARK_WARMUP", 1, least=0, most=100),
        warm_seconds=env.number("FLOE_BENCHMARK_WARM_SECONDS", 120, least=0, most=600),
        rules=StreamRules(
            env.whole("FLOE_BENCHMARK_SCALE", 10_000, least=10_000, most=100_000_000),
            env.whole("FLOE_BENCHMARK_SEED", 7, least=0, most=1_000_000),
        ),
        slowdown=env.factors(SLOWDOWN, timed),
    )
    env.check()
    return settings
