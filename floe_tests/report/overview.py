"""The website's front page: every tier's health, newest verdict, trend, and what needs somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.config.project import REPORT
from floe_tests.core import durable

if TYPE_CHECKING:
    from floe_tests.report.status import RunPoint, TierStatus

NAME = "index.html"
TREND = 30
"""So many of the newest runs are drawn."""

_PAGE = Path(__file__).with_name("page")
_WIDTH, _HEIGHT = 8, 28
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the drawing of a trend: how it is coloured, and where it stands."""

    kind: str
    x: float
    y: float
    height: float
    title: str


def bars(trend: Sequence[RunPoint]) -> tuple[Bar, ...]:
    """Return the bars of a trend, oldest first.

    A bar is as high as tests were known, filled as far as they ran, red as far as they failed.
    """
    shown = trend[:TREND]
    most = max((each.known for each in shown), default=0) or 1
    found: list[Bar] = []
    for place, each in enumerate(reversed(shown)):
        title = f"{each.at:%Y-%m-%d %H:%M} {each.cause}"
        if each.tests < each.known:
            title += f", {each.tests:,} of {each.known:,} tests"
        heights = {"missing": _HEIGHT * each.known / most, **_filled(each, _HEIGHT / most)}
        found += [
            Bar(kind, float(place * _WIDTH), _HEIGHT - height, height, title)
            for kind, height in heights.items()
        ]
    return tuple(found)


def _filled(run: RunPoint, scale: float) -> dict[str, float]:
    ran = max(_LEAST, run.tests * scale)
    if run.fault not in {"none", "test"} or run.cause == "SUSPECT_ENV":
        return {"other": ran}
    if run.fault == "none":
        return {"passed": ran}
    return {"passed": ran, "failed": max(_LEAST, run.failed * scale)}


def html(statuses: Sequence[TierStatus], *, folder: Path | None = None) -> str:
    """Return the front page.

    Args:
        statuses: The tiers.
        folder: Where it will stand: a tier is linked where its page is there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    return environment.get_template("overview.html.j2").render(
        generated=datetime.now(UTC),
        statuses=statuses,
        some_ran=any(each.ran_at for each in statuses),
        first=statuses[0].tier if statuses else "integration",
        pages={each.tier for each in statuses if _has_page(folder, each.tier)},
        report=REPORT,
        bars=bars,
        width=TREND * _WIDTH,
        bar_width=_WIDTH - 2,
        height=_HEIGHT,
        style=(_PAGE / "overview.css").read_text(encoding="utf-8"),
    )


def _has_page(folder: Path | None, tier: str) -> bool:
    return folder is not None and (folder / tier / REPORT).is_file()


def write(folder: Path, statuses: Sequence[TierStatus]) -> Path:
    """Write the front page of an output folder; return it."""
    path = folder / NAME
    durable.write_text(path, html(statuses, folder=folder))
    return path
