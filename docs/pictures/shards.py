"""Draws docs/pictures/shards.svg: shards of runs beside each other, from first sight to verdict.

Run `python docs/pictures/shards.py HISTORY.db...`; each history has one run, as the tests of
tests/system/test_many_shards.py leave them.
"""

from __future__ import annotations

import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

TARGET = Path(__file__).with_name("shards.svg")
COLOURS = ("#3d7a99", "#d68910", "#7a3d99")
QUERY = """
    SELECT started_at, seconds FROM history_attempts
    WHERE started_at IS NOT NULL ORDER BY started_at, shard
"""


def read(history: Path) -> list[tuple[float, float]]:
    """Return begin and length of each shard, in seconds."""
    with sqlite3.connect(history) as database:
        rows = database.execute(QUERY).fetchall()
    return [(datetime.fromisoformat(begin).timestamp(), float(seconds)) for begin, seconds in rows]


def main(histories: list[Path]) -> None:
    """Draw the run of each history, the later ones above."""
    mpl.rcParams.update({"svg.hashsalt": "shards", "font.size": 8})
    runs = [read(history) for history in histories]
    first = min(begin for spans in runs for begin, _ in spans)
    figure, (lines, counts) = plt.subplots(
        2, 1, figsize=(7.2, 4.6), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    row = 0
    for number, (spans, colour) in enumerate(zip(runs, COLOURS, strict=False), start=1):
        moved = [(begin - first, seconds) for begin, seconds in spans]
        for begin, seconds in moved:
            lines.plot([begin, begin + seconds], [row, row], color=colour, linewidth=1.2)
            row += 1
        moments = range(int(max(begin + seconds for begin, seconds in moved)) + 2)
        at_once = [sum(begin <= at < begin + length for begin, length in moved) for at in moments]
        counts.plot(moments, at_once, color=colour, drawstyle="steps-post", label=f"run {number}")
    lines.set_ylabel("shards, by their begin")
    lines.set_yticks([])
    counts.set_ylabel("at once")
    counts.set_xlabel("seconds")
    counts.set_ylim(bottom=0)
    counts.legend(frameon=False, loc="upper right")
    for axes in (lines, counts):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(  # pyright: ignore[reportUnknownMemberType] - matplotlib leaves kwargs untyped
        TARGET, metadata={"Date": None}
    )


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
