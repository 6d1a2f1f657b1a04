"""Drawings: named for who cannot see them, in the page's own ink, and harmless."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring

from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.results.measurements import benchmark, plots, soak, soak_log
from floe_tests.results.measurements.plots import Plot
from tests.support.soaks import measured, past_of, pasts_of, soak_lines, write_lines

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>$x^2$&\"'"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plot]:
    lines = soak_lines(
        memory=lambda seconds: 400 + 12 * seconds / 60,
        components=("cube", HOSTILE),
        operation="_hidden$",
    )
    log = soak_log.read(write_lines(tmp_path_factory.mktemp("soak"), lines))
    of_soak = plots.of_soak(soak.judge(log, SoakSettings(latency_seconds={"*": 0.5})))
    runs = [past_of(measured(n, 1.0 if n < 12 else 1.09), number=n) for n in range(1, 22)]
    compared = benchmark.judge(
        measured(50, 1.4), BenchmarkSettings(), past=pasts_of(runs), commit="c99"
    ).compared
    return {plot.name: plot for plot in (*of_soak, *plots.of_benchmark(compared))}


def elements(plot: Plot) -> list[Element]:
    return list(fromstring(plot.svg).iter())


def test_what_was_found_is_drawn_first(drawn: dict[str, Plot]) -> None:
    assert next(iter(drawn)) == "memory-cube"
    assert {"latency", "errors", "baseline-ingest", "history-ingest"} <= set(drawn)


def test_every_drawing_has_a_title_and_its_numbers_in_words(drawn: dict[str, Plot]) -> None:
    for plot in drawn.values():
        root = fromstring(plot.svg)
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title is not None
        assert description is not None
        assert (title.text, description.text) == (plot.title, plot.description)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == title.get("id")
        assert root.get("aria-describedby") == description.get("id")
    assert "called a drift; at its limit in 0." in drawn["memory-cube"].description
    assert "regressed; +27.2% (+21.8% to +32.9%)" in drawn["baseline-ingest"].description
    assert "at c12 (p = 0.0005)" in drawn["history-ingest"].description


def test_axes_name_their_units(drawn: dict[str, Plot]) -> None:
    def words(name: str) -> str:
        return " ".join(each.text or "" for each in elements(drawn[name]))

    assert "memory in MiB" in words("memory-cube")
    assert "minutes since the soak began" in words("memory-cube")
    assert "p95 latency in s" in words("latency")
    assert "ingest in s (lower is better)" in words("baseline-ingest")


def test_text_and_axes_have_the_ink_of_the_page(drawn: dict[str, Plot]) -> None:
    """A black axis on a dark page is none."""
    for plot in drawn.values():
        assert "currentColor" in plot.svg
        for each in elements(plot):
            style = f"{each.get('style', '')};fill:{each.get('fill', '')}"
            assert not re.search(r"(fill|stroke): ?(#000000|#ffffff|black|white)", style), style


def test_names_of_a_pod_are_text_and_no_markup(drawn: dict[str, Plot]) -> None:
    (hostile,) = [plot for plot in drawn.values() if plot.title == f"{HOSTILE}: memory"]

    assert not [each for each in elements(hostile) if each.tag.endswith("script")]
    assert re.fullmatch(r"[a-zA-Z0-9-]+", hostile.name)
    shown = [each.text for each in elements(drawn["latency"]) if each.text]
    assert any("_hidden$" in text for text in shown)


def test_ids_are_of_one_drawing_alone_and_nothing_is_loaded(drawn: dict[str, Plot]) -> None:
    seen: set[str] = set()
    for plot in drawn.values():
        ids = {each.get("id") for each in elements(plot)} - {None}
        assert not ids & seen
        seen |= {str(each) for each in ids}
        targets = re.findall(r'(?:href="|url\()([^")]*)', plot.svg)
        assert all(target.removeprefix("#") in ids for target in targets)


def test_the_same_run_is_drawn_the_same(tmp_path: Path) -> None:
    log = soak_log.read(write_lines(tmp_path, soak_lines()))
    once, again = (plots.of_soak(soak.judge(log, SoakSettings())) for _ in range(2))

    assert once == again


def test_a_long_soak_is_thinned_and_keeps_its_extremes() -> None:
    seconds = np.arange(50_000, dtype=np.float64)
    values = np.sin(seconds)
    values[31_234] = 99.0

    times, kept = plots._thinned(seconds, values)

    assert len(times) <= 700
    assert 99.0 in kept


def test_more_components_than_a_page_can_show_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "MOST_PLOTS", 2)
    log = soak_log.read(write_lines(tmp_path, soak_lines()))

    found = plots.of_soak(soak.judge(log, SoakSettings()))
    assert [plot.name for plot in found] == ["memory-cube", "memory-postgres", "latency", "errors"]


def test_nothing_seen_is_nothing_drawn() -> None:
    assert plots.of_soak(soak.judge(soak_log.SoakLog(), SoakSettings())) == ()
    assert plots.of_benchmark(()) == ()
