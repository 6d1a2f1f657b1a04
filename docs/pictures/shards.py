"""Draws docs/pictures/shards.svg from a history: each shard of a run, from first sight to verdict.

python docs/pictures/shards.py HISTORY.db
"""

from __future__ import annotations

import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

TARGET = Path(__file__).with_name("shards.svg")
COLOURS = {"PASS": "#3d7a99", "TEST_FAILURE": "#c0392b"}
QUERY = """
    SELECT shard, number, cause, started_at, seconds FROM history_attempts
    WHERE started_at IS NOT NULL ORDER BY shard, number
"""


def main(history: Path) -> None:
    """Draw the run of a history that has one."""
    with sqlite3.connect(history) as database:
        rows = database.execute(QUERY).fetchall()
    mpl.rcParams.update({"svg.hashsalt": "shards", "font.size": 8})
    begins = [datetime.fromisoformat(row[3]) for row in rows]
    first = min(begins)
    figure, (lines, counts) = plt.subplots(
        2, 1, figsize=(7.2, 5.4), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    spans = [
        ((begin - first).total_seconds(), float(row[4]))
        for begin, row in zip(begins, rows, strict=True)
    ]
    for (start, seconds), (shard, _, cause, *_) in zip(spans, rows, strict=True):
        colour = COLOURS.get(cause, "#d68910")
        lines.plot([start, start + seconds], [shard, shard], color=colour, linewidth=0.9)
    for cause, colour in (*COLOURS.items(), ("another attempt needed", "#d68910")):
        lines.plot([], [], color=colour, label=cause)
    lines.legend(loc="lower right", frameon=False)
    lines.set_ylabel("shard")
    end = int(max(start + seconds for start, seconds in spans)) + 1
    moments = range(end + 1)
    counts.plot(moments, [sum(s <= at < s + n for s, n in spans) for at in moments], color="#555")
    counts.set_ylabel("at once")
    counts.set_xlabel("seconds")
    counts.set_ylim(bottom=0)
    for axes in (lines, counts):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
