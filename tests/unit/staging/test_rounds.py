"""Measurements in rounds, on a clock that moves when what is measured says so."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from staging.benchmark.measured import NAMES, TIMED
from staging.benchmark.rounds import Rounds, Timed, Told
from staging.benchmark.settings import read_settings
from staging.environment import WrongEnvironment


class Clock:
    """Time that passes by `spend` alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def takes(self, name: str, seconds: float) -> Timed:
        def do() -> None:
            self.order.append(name)
            self.now += seconds

        return Timed(name, do)


@pytest.fixture(autouse=True)
def only_their_own_garbage() -> Iterator[None]:
    """Rounds collect garbage before each measurement: of a test session that is all of pytest."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(
    clock: Clock, path: Path, *measured: Timed | Told, slowdown: dict[str, float] | None = None
) -> Rounds:
    return Rounds(
        measured,
        path / "benchmark.json",
        fingerprint={"suite_version": "1"},
        slowdown=slowdown or {},
        clock=clock,
        sleep=clock.sleep,
    )


class Compiling:
    """A server whose answers become faster by 10 % each, for so many of them."""

    def __init__(self, clock: Clock, *, answers: int) -> None:
        self.asked = 0
        self._clock = clock
        self._answers = answers

    def answer(self) -> None:
        self._clock.now += 3 * 0.9 ** min(self.asked, self._answers)
        self.asked += 1


@pytest.mark.parametrize(("answers", "fastest"), [(0, 3.0), (5, 3 * 0.9**5)])
def test_servers_are_asked_until_they_become_no_faster_and_it_does_not_count(
    clock: Clock, tmp_path: Path, answers: int, fastest: float
) -> None:
    server = Compiling(clock, answers=answers)
    served = Timed("served", server.answer, is_served=True)
    rounds = taken(clock, tmp_path, served, clock.takes("own", 1.0))

    rounds.warm(most_seconds=600)

    before = clock.now
    server.answer()
    assert clock.now - before == pytest.approx(fastest)
    assert clock.order == [], "what is measured in this process is not asked"
    assert rounds.measurements["served"].warmup == rounds.measurements["served"].values == []
    rounds.run(rounds=1, warmup=0)
    document = json.loads((tmp_path / "benchmark.json").read_text())
    assert document["warmed_seconds"] == {"served": pytest.approx(before, abs=0.1)}


def test_server_that_becomes_faster_for_ever_is_asked_no_longer_than_it_may(
    clock: Clock, tmp_path: Path
) -> None:
    server = Compiling(clock, answers=10_000)
    rounds = taken(clock, tmp_path, Timed("served", server.answer, is_served=True))

    rounds.warm(most_seconds=20)

    assert 20 <= clock.now < 24


def test_each_round_takes_every_measurement_once_in_an_order_that_changes(
    clock: Clock, tmp_path: Path
) -> None:
    names = ("a", "b", "c", "d")
    rounds = taken(clock, tmp_path, *(clock.takes(name, 1.0) for name in names))
    rounds.run(rounds=7, warmup=0)

    # In the first round each is done twice more, to find out how long it takes.
    rest = clock.order[12:]
    orders = [tuple(rest[start : start + 4]) for start in range(0, 24, 4)]
    assert all(sorted(order) == list(names) for order in orders)
    assert len(set(orders)) > 2
    assert {name: each.values for name, each in rounds.measurements.items()} == {
        name: [1.0] * 7 for name in names
    }


def test_what_is_short_is_done_several_times_a_repetition(clock: Clock, tmp_path: Path) -> None:
    rounds = taken(clock, tmp_path, clock.takes("quick", 0.04))
    rounds.run(rounds=2, warmup=1)

    assert len(clock.order) == 2 + 3 * 7, "7 x 40 ms are the first above 250 ms"
    assert rounds.measurements["quick"].values == pytest.approx([0.04, 0.04]), "of one"


def test_warmup_is_apart_and_all_of_it_is_written_after_each_measurement(
    clock: Clock, tmp_path: Path
) -> None:
    rounds = taken(clock, tmp_path, clock.takes("a", 1.0))

    def breaks() -> None:
        raise RuntimeError

    broken = taken(clock, tmp_path / "broken", clock.takes("a", 1.0), Timed("b", breaks))
    rounds.run(rounds=3, warmup=2)
    with pytest.raises(RuntimeError):
        broken.run(rounds=1, warmup=0)

    document = json.loads((tmp_path / "benchmark.json").read_text())
    (measurement,) = document["measurements"]
    assert measurement == {
        "name": "a",
        "unit": "s",
        "better": "lower",
        "warmup": [1.0, 1.0],
        "values": [1.0, 1.0, 1.0],
    }
    assert document["fingerprint"] == {"suite_version": "1"}
    assert "slowed_on_purpose" not in document


def test_slowdown_is_within_the_time_that_is_measured_and_written_down(
    clock: Clock, tmp_path: Path
) -> None:
    measured = (clock.takes("a", 1.0), clock.takes("b", 1.0))
    rounds = taken(clock, tmp_path, *measured, slowdown={"a": 1.2})
    rounds.run(rounds=3, warmup=0)

    assert rounds.measurements["a"].values == pytest.approx([1.2] * 3)
    assert rounds.measurements["b"].values == [1.0] * 3
    document = json.loads((tmp_path / "benchmark.json").read_text())
    assert document["slowed_on_purpose"] == {"a": 1.2}


def test_parts_that_what_is_done_tells_stand_beside_the_whole(clock: Clock, tmp_path: Path) -> None:
    def pipeline() -> dict[str, float]:
        clock.now += 5.0
        return {"ingest": 2.0, "transform": 1.5}

    rounds = taken(clock, tmp_path, Told("pipeline", ("ingest", "transform"), pipeline))
    rounds.run(rounds=2, warmup=0)

    assert {name: each.values for name, each in rounds.measurements.items()} == {
        "pipeline": [5.0, 5.0],
        "ingest": [2.0, 2.0],
        "transform": [1.5, 1.5],
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nothing=1.2", id="unknown"),
        pytest.param("ingest_batch=1.2", id="not-timed-here"),
        pytest.param("generate=0.8", id="quicker"),
        pytest.param("generate", id="no-factor"),
        pytest.param("generate=much", id="no-number"),
    ],
)
def test_slowdown_that_cannot_be_made_is_refused(text: str) -> None:
    with pytest.raises(WrongEnvironment, match="give NAME=FACTOR with a factor above 1"):
        read_settings({"FLOE_BENCHMARK_SLOWDOWN": text}, timed=TIMED)


def test_slowdown_of_several_is_read() -> None:
    variables = {"FLOE_BENCHMARK_SLOWDOWN": "generate=1.2, cube_query=2"}

    settings = read_settings(variables, timed=TIMED)

    assert settings.slowdown == {"generate": 1.2, "cube_query": 2.0}
    assert len(set(NAMES)) == len(NAMES)
