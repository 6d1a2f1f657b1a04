"""Draws what soaks and benchmarks saw, as SVG that fits into a page.

Everything has two signs: a colour that people with any sight tell apart (Okabe and Ito), and a
dash or a shape. Axes and text take the colour of the page around them (`currentColor`), so one
drawing fits light and dark. Titles and descriptions are for screen readers.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from floe_tests.results.measurements import soak
from floe_tests.results.measurements.compared import Compared
from floe_tests.results.measurements.drift import Drift, Series
from floe_tests.results.measurements.estimates import Array
from floe_tests.results.measurements.soak_series import METRICS
from floe_tests.results.measurements.suite import Plot

# Source: https://jfly.uni-koeln.de/color/ (Okabe and Ito), those that stand out on white and black.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKED, _PLAIN, _GOOD = _COLOURS[1], _COLOURS[0], _COLOURS[2]
_DASHES: Sequence[Any] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
# A colour that no drawing uses otherwise: in the SVG it becomes that of the page's own text.
_INK = "#010203"
_POINTS = 600
_MOST_LINES = len(_COLOURS)
MOST_PLOTS = 40
"""Most drawings of components; each takes a tenth of a second and 20 kB of the page."""
_WIDTH, _HEIGHT = 6.4, 2.6
_MIB = 2.0**20


def of_soak(judged: soak.Judged) -> tuple[Plot, ...]:
    """Draw a soak: each component's memory, disk and CPU, and the operations' latency and errors.

    Args:
        judged: The soak.
    """
    keys = sorted(
        (key for key in judged.series if key[1] != "latency"),
        key=lambda key: (METRICS.index(key[1]), key[0]),  # type: ignore[arg-type]
    )
    # What was found stands first.
    found = {(each.component, each.metric) for each in judged.judgement.soak if each.is_finding}
    keys.sort(key=lambda key: key not in found)
    plots = [
        _component(component, metric, judged.series[component, metric], judged.drifts)
        for component, metric in keys[:MOST_PLOTS]
    ]
    operations = [key[0] for key in judged.series if key[1] == "latency"]
    if operations:
        plots.append(_latency(judged, operations))
    if judged.log.loads:
        plots.append(_errors(judged))
    return tuple(plots)


def of_benchmark(compared: Iterable[Compared]) -> tuple[Plot, ...]:
    """Draw a benchmark: each measurement against its baseline, and its history.

    Args:
        compared: The measurements.
    """
    found_first = sorted(compared, key=lambda each: each.record.finding != "regressed")
    return tuple(
        plot
        for each in found_first[:MOST_PLOTS]
        if each.record.values
        for plot in (_against_baseline(each), *([_history(each)] if each.past else []))
    )


def _component(
    component: str, metric: str, series: Series, drifts: Mapping[tuple[str, str], Drift]
) -> Plot:
    unit, scale = ("MiB", _MIB) if metric in {"memory", "disk"} else ("cores", 1.0)
    drift = drifts.get((component, metric))
    found = drift is not None and drift.is_drift
    figure, axes = _axes()
    minutes, values = _thinned(series.seconds / 60, series.values / scale)
    axes.plot(minutes, values, color=_PLAIN, linewidth=1, label=metric)
    words = [
        f"{component}: {metric} from {_amount(values[0], unit)} to {_amount(values[-1], unit)}"
    ]
    highest = float(np.max(values))
    if drift is not None:
        hours = np.array([0.0, float(series.seconds[-1]) / 3600])
        since = max(0.0, float(series.seconds[-1]) / 3600 - drift.hours)
        hours[0] = since
        line = (drift.slope.start + drift.slope.per_unit * hours) / scale
        colour = _MARKED if found else _GOOD
        axes.plot(hours * 60, line, color=colour, linestyle=_DASHES[1], linewidth=2, label="slope")
        slope = _amount(drift.slope.per_unit / scale, f"{unit}/h")
        words.append(f"growth {slope}{', called a drift' if found else ''}")
        if drift.hours_to_limit is not None and drift.has_limit and drift.proved:
            words.append(f"at its limit in {drift.hours_to_limit:.1f} h")
    if series.limit is not None:
        limit = series.limit / scale
        words.append(f"limit {_amount(limit, unit)}")
        # A limit far above would press the line flat: then it is said, and not drawn.
        if limit < 3 * highest:
            axes.axhline(limit, color=_INK, linestyle=_DASHES[2], linewidth=1.5, label="limit")
            axes.set_ylim(top=limit * 1.05)
        else:
            axes.plot(
                [], [], color=_INK, alpha=0, label=f"limit {_amount(limit, unit)}, not in view"
            )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes since the soak began")
    axes.set_ylabel(f"{metric} in {unit}")
    _legend(axes)
    return _finished(figure, f"{metric}-{component}", f"{component}: {metric}", "; ".join(words))


def _latency(judged: soak.Judged, operations: Sequence[str]) -> Plot:
    figure, axes = _axes()
    words: list[str] = []
    drawn = _most_first({name: float(np.max(_values(judged, name))) for name in operations})
    for place, name in enumerate(drawn[:_MOST_LINES]):
        series = judged.series[name, "latency"]
        minutes, values = _thinned(series.seconds / 60, series.values)
        style = {"color": _COLOURS[place], "linestyle": _DASHES[place % len(_DASHES)]}
        axes.plot(minutes, values, linewidth=1.2, label=_plain(name), **style)
        words.append(f"{name} at most {_amount(float(np.max(values)), 's')}")
        if series.limit is not None and series.limit < 3 * float(np.max(values)):
            axes.axhline(series.limit, linewidth=1, alpha=0.6, **style)
            words.append(f"its ceiling {_amount(series.limit, 's')}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes since the soak began")
    axes.set_ylabel("p95 latency in s")
    _legend(axes)
    more = f"; {len(drawn) - _MOST_LINES} more are not drawn" if len(drawn) > _MOST_LINES else ""
    return _finished(figure, "latency", "Latency by operation (p95)", "; ".join(words) + more)


def _errors(judged: soak.Judged) -> Plot:
    figure, axes = _axes()
    totals: dict[str, tuple[int, int]] = {}
    for load in judged.log.loads:
        errors, requests = totals.get(load.operation, (0, 0))
        totals[load.operation] = errors + load.errors, requests + load.requests
    drawn = _most_first({name: float(errors) for name, (errors, _) in totals.items()})
    for place, name in enumerate(drawn[:_MOST_LINES]):
        loads = [each for each in judged.log.loads if each.operation == name]
        minutes = np.array([each.elapsed / 60 for each in loads])
        sums = np.cumsum([each.errors for each in loads]).astype(np.float64)
        minutes, sums = _thinned(minutes, sums)
        style = {"color": _COLOURS[place], "linestyle": _DASHES[place % len(_DASHES)]}
        axes.plot(minutes, sums, drawstyle="steps-post", linewidth=1.4, label=_plain(name), **style)
    axes.set_ylim(bottom=0, top=max(1.0, axes.get_ylim()[1]))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("minutes since the soak began")
    axes.set_ylabel("errors, added up")
    _legend(axes)
    words = "; ".join(f"{name}: {totals[name][0]} of {totals[name][1]} requests" for name in drawn)
    return _finished(figure, "errors", "Errors by operation", words)


def _against_baseline(compared: Compared) -> Plot:
    record = compared.record
    figure, axes = _axes(height=0.36 * (len(compared.baseline) + 1) + 0.9)
    rows = [("this run", record), *((_when(each), each.record) for each in compared.baseline)]
    for place, (_, each) in enumerate(rows):
        values = np.asarray(each.values)
        colour = (
            _PLAIN
            if place
            else {"regressed": _MARKED, "improved": _GOOD}.get(record.finding, _PLAIN)
        )
        # Spread over the row by a fixed pattern: no two drawings of a run differ.
        heights = -place + 0.22 * np.sin(np.arange(len(values)) * 2.4)
        shown_values, shown_heights = _thinned(values, heights)
        marker = "o" if place else "D"
        axes.plot(
            shown_values, shown_heights, marker, color=colour, markersize=3, alpha=0.55, mew=0
        )
        middle = each.median or float(np.median(values))
        axes.plot([middle, middle], [-place - 0.35, -place + 0.35], color=_INK, linewidth=2)
    axes.set_yticks([-place for place in range(len(rows))], [_plain(name) for name, _ in rows])
    axes.set_ylim(-len(rows) + 0.45, 0.55)
    axes.set_xlabel(_plain(f"{record.name} in {record.unit} ({record.better} is better)"))
    words = [f"median {_amount(record.median or 0, record.unit)}, {record.finding}"]
    if record.change is not None:
        low, high = record.change_low or 0, record.change_high or 0
        words.append(f"{record.change:+.1%} ({low:+.1%} to {high:+.1%}) against the baseline")
    title = f"{record.name}: this run against its baseline"
    return _finished(figure, f"baseline-{record.name}", title, "; ".join(words))


def _history(compared: Compared) -> Plot:
    record = compared.record
    figure, axes = _axes()
    middles = [each.record.median or math.nan for each in compared.past]
    middles.append(record.median or math.nan)
    places = np.arange(len(middles))
    axes.plot(places, middles, color=_PLAIN, linewidth=0.8, alpha=0.6)
    good = [place for place, each in enumerate(compared.past) if each.is_good]
    bad = [place for place, each in enumerate(compared.past) if not each.is_good]
    axes.plot(good, [middles[n] for n in good], "o", color=_PLAIN, markersize=4, label="green run")
    if bad:
        axes.plot(bad, [middles[n] for n in bad], "x", color=_MARKED, markersize=5, label="red run")
    axes.plot(places[-1:], middles[-1:], "D", color=_INK, markersize=5, label="this run")
    words = [f"{len(middles)} runs"]
    edges = [0, *(change.place for change in compared.changes), len(middles)]
    for change in compared.changes:
        axes.axvline(
            change.place - 0.5,
            color=_MARKED,
            linestyle=_DASHES[1],
            linewidth=1.2,
            label="" if change is not compared.changes[0] else "change point",
        )
        where = compared.past[change.place] if change.place < len(compared.past) else None
        commit = (where.commit or "unknown")[:10] if where else "this run"
        words.append(
            f"changed by {math.expm1(change.after - change.before):+.1%} at {commit} "
            f"(p = {change.p:.4f})"
        )
    for begin, end in pairwise(edges):
        level = float(np.median(middles[begin:end]))
        axes.plot([begin - 0.4, end - 0.6], [level, level], color=_INK, linewidth=1.6)
    commits = [*((each.commit or "")[:7] for each in compared.past), "this run"]
    shown = np.linspace(0, len(middles) - 1, min(8, len(middles)))
    ticks = sorted({int(each) for each in shown})
    axes.set_xticks(ticks, [_plain(commits[n]) for n in ticks], rotation=20)
    axes.set_ylabel(_plain(f"median in {record.unit}"))
    axes.set_xlabel("runs by commit, oldest first")
    _legend(axes)
    title = f"{record.name}: its history"
    return _finished(figure, f"history-{record.name}", title, "; ".join(words))


def _when(past: Any) -> str:
    commit = f" {past.commit[:7]}" if past.commit else ""
    return f"{past.started_at:%m-%d %H:%M}{commit}"


def _values(judged: soak.Judged, operation: str) -> Array:
    return judged.series[operation, "latency"].values


def _most_first(amounts: Mapping[str, float]) -> Sequence[str]:
    return sorted(amounts, key=lambda name: (-amounts[name], name))


def _plain(text: str) -> str:
    """Return a name that matplotlib shows as it is: no mathematics, and in every legend."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _thinned(times: Array, values: Array) -> tuple[Array, Array]:
    """Keep what a drawing can show: of each stretch its least and its largest value."""
    if len(values) <= _POINTS:
        return times, values
    kept: set[int] = {0, len(values) - 1}
    for part in np.array_split(np.arange(len(values)), _POINTS // 2):
        kept |= {int(part[np.argmin(values[part])]), int(part[np.argmax(values[part])])}
    places = sorted(kept)
    return times[places], values[places]


def _amount(value: float, unit: str) -> str:
    number = f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
    return f"{number} {unit}".rstrip()


def _axes(*, height: float = _HEIGHT) -> tuple[Any, Any]:
    # The figure alone, without pyplot: nothing is global, and no window is looked for.
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.grid(visible=True, color=_INK, alpha=0.12, linewidth=0.6)
    return figure, axes


def _legend(axes: Any) -> None:
    labels = axes.get_legend_handles_labels()[1]
    if not labels:
        return
    legend = axes.legend(
        fontsize=8,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=min(4, len(labels)),
    )
    for text in legend.get_texts():
        text.set_color(_INK)


def _finished(figure: Any, name: str, title: str, description: str) -> Plot:
    import matplotlib as mpl

    library: Any = mpl
    written = io.StringIO()
    # Letters as text: they can be read, searched and enlarged. No date and a fixed salt: the same
    # run gives the same file.
    with library.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    name = re.sub(r"[^a-zA-Z0-9-]+", "-", name).strip("-") or "plot"
    svg = _inline(written.getvalue(), name, title, description)
    return Plot(name=name, title=title, description=description, svg=svg)


def _inline(document: str, name: str, title: str, description: str) -> str:
    """Make an element of a page out of a document: named, described, in the page's own ink."""
    # matplotlib's own preamble names its address and a document type: a page has neither.
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Ids stand once in a page, and each drawing has its own.
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = body.replace(_INK, "currentColor")
    for place, colour in enumerate(_COLOURS, start=1):
        # The page has these names for light and for dark; elsewhere the colour itself stands.
        body = body.replace(colour, f"var(--series-{place}, {colour})")
    head = (
        f'<svg role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
        f' xmlns="http://www.w3.org/2000/svg"'
    )
    size = re.search(r'viewBox="[^"]+"', body)
    inner = body[body.index(">") + 1 :]
    return (
        f"{head} {size[0] if size else ''}>"
        f'<title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>{inner}'
    )
