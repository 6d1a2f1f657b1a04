"""Waiting with a deadline: every wait of the suite ends, and says what it saw last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NotYet(Exception):  # noqa: N818 - a state that may still come, not an error
    """What is waited for has not come; the text is the state that was seen instead."""


class DeadlineExceeded(AssertionError):  # noqa: N818 - named after the cause Kubernetes reports
    """What was waited for did not come in time: a failed test, not a broken one."""


def wait_for(
    probe: Callable[[], T],
    *,
    what: str,
    deadline_seconds: float,
    pause_seconds: float = 0.25,
) -> T:
    """Ask again and again until the answer comes or the deadline has passed.

    Args:
        probe: Returns the answer, or raises NotYet with the state it saw.
        what: What is waited for, for the error's text.
        deadline_seconds: How long in all, on the monotonic clock.
        pause_seconds: How long between two questions.

    Returns:
        The probe's answer.

    Raises:
        DeadlineExceeded: With the last state seen.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        try:
            return probe()
        except NotYet as seen:
            remaining_seconds = deadline - time.monotonic()
            if remaining_seconds <= 0:
                message = f"{what}: not within {deadline_seconds:g} s; last seen: {seen}"
                raise DeadlineExceeded(message) from seen
        time.sleep(min(pause_seconds, remaining_seconds))
