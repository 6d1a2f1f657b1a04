"""Load at a set rate: what begins does not wait for what has not ended.

A client that waits for each answer before it asks again goes slower when the platform does, and so
hides it. Here each request has the moment at which it is to begin, and its latency is measured from
that moment, whether or not it could begin then.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What waits beyond this is counted as an error at once: memory has an end.
_MOST_UNDER_WAY = 200
_ERROR_CHARACTERS = 300


@dataclass(frozen=True)
class Operation:
    """Something that is done at a rate.

    Attributes:
        name: Its name in the record.
        per_minute: How often it begins.
        do: Does it once, in a thread of its own; what it raises is its error.
        side_by_side: How often it can be under way; more wait, and their time runs.
        first_after_seconds: When the first one begins.
    """

    name: str
    per_minute: float
    do: Callable[[], object]
    side_by_side: int = 4
    first_after_seconds: float = 0.0


@dataclass(frozen=True)
class Summary:
    """What ended of an operation since the last summary; seconds from the intended beginning."""

    operation: str
    requests: int
    errors: int
    p50_seconds: float | None
    p95_seconds: float | None
    max_seconds: float | None
    first_error: str


@dataclass(frozen=True)
class Tally:
    """An operation over the whole time."""

    begun: int
    ended: int
    errors: int
    first_error: str


class _Course:
    """One operation under way."""

    def __init__(self, operation: Operation, clock: Callable[[], float]) -> None:
        self.operation = operation
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        # Daemons: an executor's threads would hold up the end of a process that is told to end.
        self._workers = [
            threading.Thread(target=self._work, name=operation.name, daemon=True)
            for _ in range(operation.side_by_side)
        ]
        self._lock = threading.Lock()
        self._under_way: dict[int, float] = {}
        self._seconds: list[float] = []
        self._errors: list[str] = []
        self._first_error = ""
        self.begun = self._ended = self._failed = 0

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def begin(self, due: float) -> None:
        with self._lock:
            number = self.begun = self.begun + 1
            if len(self._under_way) >= _MOST_UNDER_WAY:
                self._note(0.0, f"{_MOST_UNDER_WAY} are under way already")
                return
            self._under_way[number] = due
        self._waiting.put((number, due))

    def _work(self) -> None:
        while (wanted := self._waiting.get()) is not None:
            self._do(*wanted)

    def _do(self, number: int, due: float) -> None:
        error = ""
        try:
            self.operation.do()
        except Exception as caught:  # noqa: BLE001 - whatever it is, it is this request's outcome
            error = f"{type(caught).__name__}: {caught}"[:_ERROR_CHARACTERS]
        with self._lock:
            if self._under_way.pop(number, None) is not None:
                self._note(self._clock() - due, error)

    def _note(self, seconds: float, error: str) -> None:
        self._ended += 1
        self._seconds.append(seconds)
        if error:
            self._failed += 1
            self._errors.append(error)
            self._first_error = self._first_error or error

    def idle(self) -> bool:
        with self._lock:
            return not self._under_way

    def give_up(self) -> None:
        """Count what is under way as errors, and wait for it no longer."""
        with self._lock:
            for due in self._under_way.values():
                seconds = self._clock() - due
                self._note(seconds, f"not over after {seconds:.0f} s, at the end of the load")
            self._under_way.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        for _ in self._workers:
            self._waiting.put(None)

    def take(self) -> Summary:
        with self._lock:
            seconds, errors = sorted(self._seconds), self._errors
            self._seconds, self._errors = [], []
        return Summary(
            operation=self.operation.name,
            requests=len(seconds),
            errors=len(errors),
            p50_seconds=_quantile(seconds, 0.5),
            p95_seconds=_quantile(seconds, 0.95),
            max_seconds=_quantile(seconds, 1.0),
            first_error=errors[0] if errors else "",
        )

    def tally(self) -> Tally:
        with self._lock:
            return Tally(self.begun, self._ended, self._failed, self._first_error)


class Load:
    """All operations, from start to stop.

    Args:
        operations: What is done, each at its rate.
        clock: Seconds, never back.
    """

    def __init__(
        self, operations: Sequence[Operation], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._courses = [_Course(operation, clock) for operation in operations]
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._drive, args=(course,), daemon=True)
            for course in self._courses
        ]
        self._began = 0.0

    def start(self) -> None:
        """Begin, each operation in a thread that only looks at the clock."""
        self._began = self._clock()
        for course in self._courses:
            course.start()
        for thread in self._threads:
            thread.start()

    def stop(self, *, grace_seconds: float) -> None:
        """Begin nothing more, and wait for what is under way; what is not over then is an error."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        deadline = self._clock() + grace_seconds
        while self._clock() < deadline and not all(course.idle() for course in self._courses):
            time.sleep(0.05)
        for course in self._courses:
            course.give_up()

    def take(self) -> list[Summary]:
        """Sum up what has ended since the last time; an operation without any is there too."""
        return [course.take() for course in self._courses]

    def tallies(self) -> dict[str, Tally]:
        """Sum up everything, by operation."""
        return {course.operation.name: course.tally() for course in self._courses}

    def _drive(self, course: _Course) -> None:
        pause = 60 / course.operation.per_minute
        due = self._began + course.operation.first_after_seconds
        while not self._stopped.wait(max(0.0, due - self._clock())):
            course.begin(due)
            # Due times follow from the rate alone: a thread that was late catches up.
            due += pause


def _quantile(ordered: list[float], share: float) -> float | None:
    """Return the nearest rank of sorted seconds; None without any."""
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * share // 1))
    return round(ordered[int(rank) - 1], 4)
