"""What a soak is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_suite.order_stream import StreamRules

from ..environment import Environment  # noqa: TID252 - suites are packages of their own

if TYPE_CHECKING:
    from collections.abc import Mapping

# Preparation, the ends of what is under way, and the comparison of the totals.
AROUND_SECONDS = 360.0


@dataclass(frozen=True)
class SoakSettings:
    """One soak.

    Attributes:
        seconds: How long the load lasts.
        interval_seconds: How often usage is sampled and load summed up.
        pipelines_per_minute: Pipelines that begin.
        queries_per_minute: Queries that begin, in all, evenly over their kinds.
        maintenance_minutes: How often the tables are kept up.
        rules: The data.
        kubelet_tls: `verify`: by the cluster's CA. `unverified`: the certificate that a kubelet
            shows first is the one that it must show from then on.
    """

    seconds: float
    interval_seconds: float
    pipelines_per_minute: float
    queries_per_minute: float
    maintenance_minutes: float
    rules: StreamRules
    kubelet_tls: str


def read_settings(variables: Mapping[str, str]) -> SoakSettings:
    """Read the settings.

    Raises:
        WrongEnvironment: Some are wrong; all of them at once.
    """
    env = Environment(variables)
    settings = SoakSettings(
        seconds=60 * env.number("FLOE_SOAK_MINUTES", 10, least=1, most=14 * 24 * 60),
        interval_seconds=env.number("FLOE_SOAK_INTERVAL_SECONDS", 15, least=5, most=300),
        pipelines_per_minute=env.number("FLOE_SOAK_PIPELINES_PER_MINUTE", 1, least=0.1, most=60),
        queries_per_minute=env.number("FLOE_SOAK_QUERIES_PER_MINUTE", 40, least=1, most=6000),
        maintenance_minutes=env.number("FLOE_SOAK_MAINTENANCE_MINUTES", 5, least=1, most=1440),
        rules=StreamRules(
            env.whole("FLOE_SOAK_SCALE", 10_000, least=10_000, most=100_000_000),
            env.whole("FLOE_SOAK_SEED", 7, least=0, most=1_000_000),
        ),
        kubelet_tls=env.choice("FLOE_SOAK_KUBELET_TLS", ("verify", "unverified")),
    )
    env.fits(
        settings.seconds + AROUND_SECONDS,
        what=f"a soak of {settings.seconds / 60:g} minutes with what is around it",
    )
    env.check()
    return settings
