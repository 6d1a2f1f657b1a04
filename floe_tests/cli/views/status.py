"""How every tier stands, for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from floe_tests.core.ledger import as_json
from floe_tests.report.inventory import age
from floe_tests.report.status import RunPoint, TierStatus
from floe_tests.results.cases import legible

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN_RUNS = 20
_LINE_CHARACTERS = 120
_COLOURS = {
    "healthy": "green",
    "failing": "red",
    "wavering": "yellow",
    "not judged": "yellow",
    "never ran": "dim",
}


def as_text(found: Sequence[TierStatus]) -> str:
    """Return the tiers as JSON."""
    return json.dumps([as_json(each) for each in found], indent=1)


def show(found: Sequence[TierStatus], console: Console) -> None:
    """Print a few lines a tier: those that need somebody first."""
    ran = [each for each in found if each.ran_at is not None]
    if not ran:
        first = found[0].tier if found else "integration"
        console.print(f"No runs yet: floe-tests run {first}", markup=False)
        return
    for each in ran:
        _show_tier(each, console)
    never = [each.tier for each in found if each.ran_at is None]
    if never:
        console.print(f"never ran: {', '.join(never)}", markup=False, style="dim")


def _show_tier(each: TierStatus, console: Console) -> None:
    from rich.text import Text

    head = Text(each.tier, style="bold")
    head.append(f" on {each.environment}, {legible(each.branch)}  ", style="not bold")
    head.append(each.health, style=f"bold {_COLOURS[each.health]}")
    head.append(f"  {trend_of(each.trend)}", style="not bold")
    console.print(head)
    tested = each.tested if " " in each.tested else each.tested[:12]
    on = f" on {legible(tested)}" if tested else ""
    _line(console, each.summary)
    if each.extent:
        _line(console, each.extent)
    _line(
        console,
        f"ran {age(each.ran_at)} ago{on}: {each.tests} tests, {each.failing} failing, "
        f"{each.flaky} flaky, {each.quarantined} in quarantine",
    )
    for need in each.needs:
        tests = f"{need.tests} test{'' if need.tests == 1 else 's'}"
        _line(console, f"- {need.title.lower()}: {tests}, {need.first}")
    console.print()


def _line(console: Console, text: str) -> None:
    line = " ".join(legible(text).split())
    shown = line if len(line) <= _LINE_CHARACTERS else f"{line[: _LINE_CHARACTERS - 1]}…"
    console.print(f"  {shown}", markup=False, soft_wrap=True)


def trend_of(trend: Sequence[RunPoint]) -> str:
    """Return the newest runs as letters, oldest first: `.` green, `x` red, else whose fault."""
    return "".join(_letter(each) for each in reversed(trend[:_SHOWN_RUNS]))


def _letter(run: RunPoint) -> str:
    if run.cause == "SUSPECT_ENV":
        return "S"
    return {"none": ".", "test": "x"}.get(run.fault, run.fault[:1].upper())
