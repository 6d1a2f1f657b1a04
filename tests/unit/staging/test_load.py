"""Load at a set rate, on a clock that a test can hold."""

from __future__ import annotations

import threading
import time

import pytest

from staging.soak.load import Load, Operation, _quantile


def test_slow_answers_do_not_lower_the_rate_and_their_wait_counts() -> None:
    """One thread, and an answer that does not come: a closed loop would begin nothing more."""
    seconds, answer = [0.0], threading.Event()
    load = Load(
        [Operation("slow", 1200, answer.wait, side_by_side=1)],
        clock=lambda: seconds[-1],
    )
    load.start()
    seconds.append(1.0)
    while load.tallies()["slow"].begun < 20:
        threading.Event().wait(0.01)
    assert load.tallies()["slow"].ended == 0
    seconds.append(3.0)
    answer.set()
    load.stop(grace_seconds=20)

    tally = load.tallies()["slow"]
    (summary,) = load.take()
    assert tally.ended == tally.begun
    assert tally.errors == 0
    assert summary.max_seconds == 3.0, "measured from the intended beginning"
    assert summary.p50_seconds == pytest.approx(3 - tally.begun // 2 * 0.05, abs=0.1)


def test_error_is_counted_with_its_text_and_the_load_goes_on() -> None:
    answers = iter([RuntimeError("broken"), None, ValueError("later")])

    def do() -> None:
        answer = next(answers, None)
        if answer is not None:
            raise answer

    load = Load([Operation("op", 3000, do, side_by_side=1)])
    load.start()
    threading.Event().wait(0.3)
    load.stop(grace_seconds=5)

    (summary,) = load.take()
    assert summary.errors == 2
    assert summary.first_error == "RuntimeError: broken"
    assert summary.requests > 3
    assert load.tallies()["op"].first_error == "RuntimeError: broken"


def test_what_is_not_over_when_the_load_ends_is_an_error_and_holds_nobody_up() -> None:
    release = threading.Event()
    load = Load([Operation("hangs", 600, release.wait, side_by_side=1)])
    load.start()
    threading.Event().wait(0.15)
    began = time.monotonic()
    load.stop(grace_seconds=0.2)
    seconds = time.monotonic() - began
    release.set()

    tally = load.tallies()["hangs"]
    assert seconds < 2
    assert tally.ended == tally.errors == tally.begun > 0
    assert "not over after" in tally.first_error


def test_interval_without_an_end_is_summed_up_all_the_same() -> None:
    load = Load([Operation("rare", 1, lambda: None, first_after_seconds=60)])

    (summary,) = load.take()

    assert (summary.operation, summary.requests, summary.errors) == ("rare", 0, 0)
    assert summary.p50_seconds is summary.p95_seconds is summary.max_seconds is None


def test_each_summary_is_of_what_ended_since_the_last_one() -> None:
    load = Load([Operation("op", 3000, lambda: None)])
    load.start()
    threading.Event().wait(0.2)
    first = load.take()[0].requests
    load.stop(grace_seconds=5)
    second = load.take()[0].requests

    assert first > 0
    assert first + second == load.tallies()["op"].begun
    assert load.take()[0].requests == 0


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5.0), (0.95, 10.0), (1.0, 10.0), (0.01, 1.0)]
)
def test_quantiles_are_values_that_were_seen(share: float, expected: float) -> None:
    assert _quantile([float(number) for number in range(1, 11)], share) == expected
