"""The table of faults: what was done to running suites, and what they said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Row:
    """A line of the table of faults.

    Attributes:
        fault: What was done.
        expected: The verdict it must get.
        seen: The verdict it got.
        to_verdict_seconds: From the change that decided to the verdict.
        finally_seen: The verdict of the whole run, further attempts included.
        left: What was left behind.
    """

    fault: str
    expected: str
    seen: str
    to_verdict_seconds: float | None
    finally_seen: str
    left: int = 0


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as a page."""
    lines = [
        "| fault | expected | seen | s to verdict | the run came to | left behind |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        seconds = "" if row.to_verdict_seconds is None else f"{row.to_verdict_seconds:.1f}"
        lines.append(
            f"| {row.fault} | `{row.expected}` | `{row.seen}` | {seconds} | `{row.finally_seen}` | "
            f"{row.left or 'nothing'} |"
        )
    return "\n".join(lines) + "\n"


def slowest_but_few(rows: Sequence[Row]) -> float:
    """Return the 95th percentile of the seconds to the verdict."""
    seconds = sorted(row.to_verdict_seconds for row in rows if row.to_verdict_seconds is not None)
    return seconds[max(0, -(-len(seconds) * 95 // 100) - 1)] if seconds else 0.0


def write_page(path: Path, rows: Sequence[Row]) -> None:
    """Write docs/faults.md."""
    path.write_text(
        "<!-- Made by `make faults` from real runs: tests/system/faults. -->\n\n"
        "# What was done to running suites, and what they said\n\n"
        "Each line is a test on a real kind cluster: the fault, the verdict it must get, the "
        "verdict it got, the seconds from the change that decided (the container's end, a "
        "condition, a deadline; Kubernetes' times are whole seconds, cut off) to the verdict, what "
        "the run came to with its further attempts, and what was left in the cluster.\n\n"
        f"{len(rows)} faults; 95 of 100 got their verdict within "
        f"{slowest_but_few(rows):.1f} s of the change.\n\n" + markdown(rows)
    )
