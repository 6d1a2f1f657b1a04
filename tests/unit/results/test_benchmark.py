"""Each rule of a benchmark: worse, better, unchanged, or too little to say, and since when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floe_tests.config.measured import BenchmarkSettings
from floe_tests.results.measurements import benchmark, benchmark_file
from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.change_points import change_points
from floe_tests.results.records import MeasurementRecord
from tests.support.soaks import BEGAN, FINGERPRINT, measured, past_of, pasts_of

RULES = BenchmarkSettings()
PAST = pasts_of([past_of(measured(seed), number=seed) for seed in range(1, 7)])


def judge(new: Benchmark, past: Any = PAST, **changes: Any) -> benchmark.Judged:
    rules = RULES.model_copy(update=changes)
    return benchmark.judge(new, rules, past=past, platform="new", commit="c99")


def records(found: benchmark.Judged) -> dict[str, MeasurementRecord]:
    return {each.name: each for each in found.judgement.measurements}


def test_a_run_like_its_baseline_is_unchanged() -> None:
    found = judge(measured(50))

    assert found.judgement.regressions == ()
    assert found.judgement.doubts == ()
    assert records(found)["ingest"].finding == "unchanged"
    assert abs(records(found)["ingest"].change or 1) < 0.05


def test_a_slower_run_is_a_regression_that_names_size_and_commits() -> None:
    found = judge(measured(50, 1.25))

    (worse,) = found.judgement.regressions
    assert worse.subject == "ingest"
    assert worse.value.startswith("+2")
    assert "median 2.486 s against 1.996 s" in worse.value
    assert "of the last 6 good runs" in worse.value
    assert "commits c6..c99" in worse.value
    assert records(found)["query"].finding == "unchanged"
    low, high = (records(found)["ingest"].change_low, records(found)["ingest"].change_high)
    assert low is not None
    assert high is not None
    assert low < 0.25 < high


def test_a_regression_names_the_platforms_that_it_lies_between() -> None:
    runs = [past_of(measured(seed), number=seed, platform="old") for seed in range(1, 7)]

    (worse,) = judge(measured(50, 1.25), pasts_of(runs)).judgement.regressions
    assert "platform old → new" in worse.value


@pytest.mark.parametrize(("unit", "is_found"), [("s", True), ("ms", False), ("rows", True)])
def test_milliseconds_of_a_measurement_of_time_are_no_regression(
    unit: str, *, is_found: bool
) -> None:
    """From 2 to 2.5: half a second, half a millisecond, or half of what is no time."""

    def of(seed: int, factor: float = 1.0) -> Benchmark:
        taken = measured(seed, factor)
        changed = [replace(each, unit=unit) for each in taken.measurements]
        return replace(taken, measurements=tuple(changed))

    past = pasts_of([past_of(of(seed), number=seed) for seed in range(1, 7)])

    found = judge(of(50, 1.25), past)

    assert bool(found.judgement.regressions) is is_found
    assert bool(judge(of(50, 1.25), past, min_seconds=0).judgement.regressions)


def test_a_faster_run_is_said_and_no_finding() -> None:
    found = judge(measured(50, 0.7))

    assert found.judgement.regressions == ()
    assert any("ingest improvement: -" in str(each) for each in found.judgement.notes)


def test_where_higher_is_better_a_lower_value_is_worse() -> None:
    past = pasts_of([past_of(measured(n, better="higher"), number=n) for n in range(1, 7)])

    assert judge(measured(50, 0.7, better="higher"), past).judgement.regressions
    assert not judge(measured(50, 1.3, better="higher"), past).judgement.regressions


def test_the_first_run_is_green_and_says_that_it_is_the_baseline() -> None:
    """Nothing to compare with is not "too little seen": an INCONCLUSIVE would never end."""
    found = judge(measured(1), {})

    assert (found.judgement.regressions, found.judgement.doubts) == ((), ())
    assert str(found.judgement.notes[0]).startswith("ingest baseline: recorded: 2.0")
    assert records(found)["ingest"].finding == "recorded"


def test_a_shift_that_one_earlier_run_cannot_tell_from_chance_is_none() -> None:
    """Two runs on a shared machine differ; their repetitions by far too much for Mann–Whitney."""
    found = judge(measured(50, 1.08), pasts_of([past_of(measured(1), number=1)]))

    (ingest, _) = found.compared
    assert ingest.p_values is not None
    assert ingest.p_values[0] < RULES.alpha
    assert found.judgement.regressions == ()


SHARED = (1.0, 1.09, 0.96, 1.12, 0.9, 1.05, 0.94, 1.08)


def shared(seed: int, level: float, *, slower: float = 1.0, count: int = 6) -> Benchmark:
    """Return a run of a machine that others share: all of it slower by a factor, one by another."""
    chance = np.random.default_rng(seed)
    return Benchmark(
        fingerprint=FINGERPRINT,
        measurements=tuple(
            Measurement(
                name=f"m{number}",
                unit="s",
                better="lower" if number % 2 == 0 else "higher",
                values=tuple(
                    float(each) ** (1 if number % 2 == 0 else -1)
                    for each in 2.0
                    * level
                    * (slower if number == 0 else 1.0)
                    * np.exp(0.03 * chance.normal(size=20))
                ),
            )
            for number in range(count)
        ),
    )


NOISY = pasts_of(
    [past_of(shared(number, level), number=number) for number, level in enumerate(SHARED, 1)]
)


def test_on_a_shared_machine_one_that_does_not_go_with_the_others_is_found() -> None:
    found = judge(shared(50, 0.97, slower=1.2), NOISY)

    (worse,) = found.judgement.regressions
    assert worse.subject == "m0"
    assert "without what the 5 other measurements of the run did" in worse.value
    own = found.compared[0].own
    assert own is not None
    assert own.low < 0.2 < own.high
    assert (records(found)["m0"].change_low or 0) < 0 < (records(found)["m0"].change or 0)


@pytest.mark.parametrize("level", [0.88, 1.0, 1.13])
def test_what_all_do_together_on_a_shared_machine_is_no_regression(level: float) -> None:
    assert judge(shared(50, level), NOISY).judgement.regressions == ()


def test_all_that_become_slower_by_more_than_the_machine_does_are_regressions() -> None:
    found = judge(shared(50, 1.6), NOISY)

    assert {each.subject for each in found.judgement.regressions} == {f"m{n}" for n in range(6)}


def test_one_that_stays_while_the_others_become_faster_is_no_regression() -> None:
    assert judge(shared(50, 0.7, slower=1 / 0.7), NOISY).judgement.regressions == ()


def test_few_others_say_nothing_of_the_machine() -> None:
    few = pasts_of(
        [past_of(shared(n, level, count=4), number=n) for n, level in enumerate(SHARED, 1)]
    )

    assert judge(shared(50, 0.97, slower=1.2, count=4), few).judgement.regressions == ()


def test_a_certain_change_that_is_too_small_is_none() -> None:
    quiet = [past_of(measured(seed), number=seed) for seed in range(1, 13)]

    found = judge(
        measured(50, 1.04), pasts_of(quiet), baseline_runs=12, run_spread=0.001, run_alpha=0.05
    )
    assert records(found)["ingest"].finding == "unchanged"


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_repetitions_are_said(count: int) -> None:
    found = judge(measured(50, 1.5, count=count))

    assert [str(each) for each in found.judgement.doubts] == [
        f"{name} values: {count}, at least 10 are needed" for name in ("ingest", "query")
    ]
    assert found.judgement.regressions == ()


def test_values_that_never_change_are_no_regression() -> None:
    same = Benchmark(
        fingerprint=FINGERPRINT,
        measurements=(Measurement(name="ingest", unit="s", better="lower", values=(2.0,) * 20),),
    )
    past = pasts_of([past_of(same, number=number) for number in range(12)])

    found = judge(same, past)
    assert found.judgement.regressions == ()
    assert records(found)["ingest"].change == pytest.approx(0)


def test_another_environment_is_no_baseline() -> None:
    other = replace(measured(50, 1.5), fingerprint={**FINGERPRINT, "scale": 1})

    assert judge(other).judgement.regressions == ()
    assert records(judge(other))["ingest"].finding == "recorded"


def test_another_unit_is_no_baseline() -> None:
    assert records(judge(measured(50, 1000, unit="ms")))["ingest"].finding == "recorded"


def test_without_a_fingerprint_nothing_can_be_compared() -> None:
    found = judge(replace(measured(50), fingerprint={}))

    assert "nobody can say which runs" in str(found.judgement.doubts[0])
    assert records(found)["ingest"].finding == "incomparable"


def test_a_measurement_that_is_missing_is_a_doubt() -> None:
    """A benchmark that hangs in its slowest measurement must not be green for it."""
    new = measured(50)
    found = judge(replace(new, measurements=new.measurements[1:]))

    assert [str(each) for each in found.judgement.doubts] == [
        "ingest values: measured by the last good run, and not by this one"
    ]


def test_nothing_measured_is_a_doubt() -> None:
    assert "none arrived" in str(judge(Benchmark()).judgement.doubts[0])


def test_red_runs_are_no_baseline() -> None:
    slow = [past_of(measured(n, 1.25), number=n, is_good=False) for n in range(7, 12)]
    runs = [past_of(measured(n), number=n) for n in range(1, 7)]

    (worse,) = judge(measured(50, 1.25), pasts_of([*runs, *slow])).judgement.regressions
    assert "commits c6..c7" in worse.value


def test_an_older_step_that_was_let_pass_is_not_where_a_new_regression_began() -> None:
    runs = [past_of(measured(n, 1.0 if n < 12 else 1.06), number=n) for n in range(1, 22)]

    (worse,) = judge(measured(50, 1.4), pasts_of(runs)).judgement.regressions
    assert worse.value.startswith("+3")
    assert "commits c21..c99" in worse.value


def test_what_is_accepted_is_the_new_baseline() -> None:
    runs = [past_of(measured(n), number=n) for n in range(1, 7)]
    slow = [
        past_of(measured(n, 1.25), number=n + 48, is_good=False, is_regression=True)
        for n in range(7, 12)
    ]
    since = (BEGAN + timedelta(hours=48)).date()

    found = judge(measured(50, 1.25), pasts_of([*runs, *slow]), accepted_since=since)
    assert found.judgement.regressions == ()
    assert len(found.compared[0].baseline) == 5


def test_a_creep_that_carries_its_baseline_along_is_found_in_the_history() -> None:
    runs = [
        past_of(measured(seed, 1.0 if seed < 12 else 1.15), number=seed) for seed in range(1, 22)
    ]

    found = judge(measured(50, 1.15), pasts_of(runs), baseline_runs=5)
    (worse,) = found.judgement.regressions
    assert worse.subject == "ingest"
    assert "since a change point in the history" in worse.value
    assert "commits c11..c12" in worse.value


def test_a_change_for_the_better_is_no_regression() -> None:
    runs = [
        past_of(measured(seed, 1.09 if seed < 12 else 1.0), number=seed) for seed in range(1, 22)
    ]

    found = judge(measured(50), pasts_of(runs))
    assert found.judgement.regressions == ()
    assert found.compared[0].changes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(100, 10_000), factor=st.floats(0.5, 2), more=st.floats(1, 2))
def test_a_slower_run_is_never_judged_milder(seed: int, factor: float, more: float) -> None:
    milder = bool(judge(measured(seed, factor)).judgement.regressions)
    harder = bool(judge(measured(seed, factor * more)).judgement.regressions)

    assert harder >= milder


def test_a_change_point_needs_more_than_chance() -> None:
    steps = [0.0, 0.01, -0.01, 0.005] * 3 + [0.2, 0.21, 0.19, 0.2]

    (change,) = change_points(steps, alpha=0.005)
    assert change.place == 12
    assert change.after - change.before == pytest.approx(0.2, abs=0.01)
    assert change_points([0.0, 0.01, -0.01, 0.005] * 4, alpha=0.005) == ()
    assert change_points([1.0] * 20, alpha=0.005) == ()
    assert change_points(steps[:7], alpha=0.005) == ()


def test_a_lone_slow_night_is_no_change_point() -> None:
    assert change_points([*[0.0, 0.01, -0.01] * 5, 0.5, *[0.0, 0.01] * 5], alpha=0.005) == ()


def test_many_values_are_kept_as_quantiles() -> None:
    values = [float(each) for each in range(1, 1001)]

    assert len(benchmark.kept(values)) == 200
    assert (benchmark.kept(values)[0], benchmark.kept(values)[-1]) == (1.0, 1000.0)
    assert benchmark.kept([1.0, 2.0]) == (1.0, 2.0)


def document(**changes: object) -> dict[str, object]:
    one = {"name": "ingest", "unit": "s", "better": "lower", "warmup": [9.0], "values": [2.0, 2.1]}
    return {"fingerprint": FINGERPRINT, "measurements": [{**one, **changes}]}


def read(tmp_path: Path, content: bytes | dict[str, object]) -> Benchmark:
    path = tmp_path / "benchmark.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return benchmark_file.read(path)


def test_a_file_is_read_without_its_warm_up(tmp_path: Path) -> None:
    found = read(tmp_path, document())

    assert found.fingerprint == FINGERPRINT
    assert found.measurements[0].values == (2.0, 2.1)
    assert found.notices == ()


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (document(name=""), "without name"),
        (document(better="bigger"), "without name"),
        (document(values="x"), "without name"),
        (document(values=[2.0, "x", 0, -1, None, True]), "5 × ingest: a value that is no number"),
        ({"measurements": [7]}, "a measurement that is no object"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(
    tmp_path: Path, content: bytes | dict[str, object], notice: str
) -> None:
    assert notice in read(tmp_path, content).notices[0]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e-300", "1" + "0" * 400])
def test_a_value_that_nobody_can_compare_is_left_out(tmp_path: Path, value: str) -> None:
    content = json.dumps(document()).replace("2.1", value).encode()

    assert read(tmp_path, content).measurements[0].values == (2.0,)


def test_names_and_sizes_have_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_file, "VALUES", 1)
    assert read(tmp_path, document()).measurements[0].values == (2.0,)
    monkeypatch.setattr(benchmark_file, "_LIMIT_BYTES", 10)
    assert "larger than" in read(tmp_path, document()).notices[0]
    assert benchmark_file.read(tmp_path / "none").notices == (
        "benchmark.json: no such file arrived",
    )


def test_one_name_twice_counts_once(tmp_path: Path) -> None:
    content = document()
    content["measurements"] = [*content["measurements"], *content["measurements"]]  # type: ignore[misc]

    found = read(tmp_path, content)
    assert len(found.measurements) == 1
    assert "a second measurement of one name" in found.notices[0]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["measurements", "name", "values", "better", "fingerprint"]),
                inner | st.sampled_from(["lower", "higher"]),
                max_size=5,
            )
        ),
        max_leaves=10,
    )
)
def test_no_file_breaks_the_judgement(tmp_path: Path, value: object) -> None:
    found = judge(read(tmp_path, json.dumps({"measurements": value}).encode()))

    assert found.judgement.doubts
