"""Tests that became slower: found by the change, and not by noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from floe_tests.results.history.analysis import Question, TierAccount, read_accounts
from floe_tests.results.history.slower import rise_of
from floe_tests.results.history.store import History
from tests.support import runs

COUNT = 40
CHANCE = np.random.default_rng(11)


def _account(url: str, seconds: dict[str, list[float]]) -> TierAccount:
    """Return a tier whose tests took so long, newest first."""
    with History.open(url) as history:
        for number in range(COUNT):
            run = runs.run_of(number, dict.fromkeys(seconds, "."))
            (suite,) = run.suites
            cases = tuple(replace(case, seconds=seconds[case.name][number]) for case in suite.cases)
            history.record(run=replace(run, suites=(replace(suite, cases=cases),)))
        (account,) = read_accounts(history, Question())
    return account


def _noise(seed: int) -> list[float]:
    chance = np.random.default_rng(seed)
    return [float(each) for each in 2 * np.exp(chance.normal(0, 0.05, COUNT))]


def test_a_jump_has_its_run_and_both_levels_and_the_others_are_left_alone(url: str) -> None:
    jumped = [each * (1.6 if number < 12 else 1) for number, each in enumerate(_noise(99))]
    others = {f"t::{number}": _noise(number) for number in range(8)}
    (found,) = _account(url, {"t::jumped": jumped, **others}).slower()

    assert (found.name, found.kind, found.since.commit) == ("t::jumped", "jump", "c11")
    assert (found.before, found.after) == (pytest.approx(2, 0.1), pytest.approx(3.2, 0.1))


def test_a_machine_that_became_slower_makes_no_single_test_slower(sqlite_url: str) -> None:
    machine = [1.5 if number < 15 else 1.0 for number in range(COUNT)]
    tests = {
        f"t::{number}": [each * by for each, by in zip(_noise(number), machine, strict=True)]
        for number in range(8)
    }
    (found,) = _account(sqlite_url, tests).slower()

    assert (found.test, found.suite, found.since.commit) == (None, "tiny", "c14")
    assert found.ratio == pytest.approx(1.5, 0.1)


def test_what_creeps_is_found_from_its_beginning() -> None:
    seconds = 2 * np.exp(CHANCE.normal(0, 0.05, 100)) * np.linspace(1, 1.8, 100)
    found = rise_of(seconds)

    assert found is not None
    assert not found.is_jump
    assert found.after > 1.4 * found.before


@pytest.mark.parametrize(
    "seconds",
    [
        np.full(60, 2.0),
        np.where(np.arange(60) < 40, 2.0, 1.0),
        np.where(np.arange(60) < 40, 0.01, 0.03) * np.exp(CHANCE.normal(0, 0.05, 60)),
        np.where(np.arange(60) < 57, 2.0, 4.0) * np.exp(CHANCE.normal(0, 0.05, 60)),
        np.where(np.abs(np.arange(60) - 30) < 8, 4.0, 2.0) * np.exp(CHANCE.normal(0, 0.05, 60)),
        np.array([1.0, 1.0, 9.0]),
        np.array([]),
    ],
    ids=["steady", "faster", "too short", "too new", "was slower", "too few", "none"],
)
def test_what_is_not_slower_now_is_left_alone(seconds: np.ndarray) -> None:
    assert rise_of(seconds) is None


def test_noise_alarms_in_less_than_one_of_a_hundred_tests() -> None:
    """benchmarks/slower.py has the numbers of more kinds of noise."""
    chance = np.random.default_rng(5)
    alarms = sum(
        rise_of(2 * np.exp(chance.normal(0, spread, 60))) is not None
        for spread in (0.1, 0.3)
        for _ in range(300)
    )
    assert alarms <= 3
