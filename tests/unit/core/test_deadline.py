"""A deadline on a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass

from floe_tests.core.deadline import Deadline


@dataclass
class Clock:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_time_runs_from_the_deadlines_making():
    clock = Clock()
    deadline = Deadline(10, clock=clock)

    clock.seconds += 4

    assert (deadline.elapsed_seconds, deadline.remaining_seconds) == (4, 6)
    assert not deadline.passed


def test_it_has_passed_at_its_last_moment_and_never_owes_time():
    clock = Clock()
    deadline = Deadline(10, clock=clock)

    clock.seconds += 10
    assert deadline.passed

    clock.seconds += 90
    assert deadline.remaining_seconds == 0
    assert deadline.elapsed_seconds == 100


def test_a_deadline_of_nothing_has_passed_at_once():
    assert Deadline(0).passed


def test_by_default_it_runs_on_the_monotonic_clock():
    deadline = Deadline(3600)

    assert 0 <= deadline.elapsed_seconds < 60
    assert not deadline.passed
