"""Which time counts when something is said to have expired.

In a cluster it is the API server's: the machines that create things and those that remove them
agree on no other. On this machine nothing but its own clock is there, which NTP, a person or a
virtual machine that was asleep may set. What expires by it goes two hours later, so that a step of
an hour, forward or back, ends nothing that lives. A kind cluster's API has this machine's clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

LARGEST_STEP = timedelta(hours=2)


def certain_now() -> datetime:
    """Return a time (UTC) that is over for certain, also if this machine's clock was set ahead."""
    return datetime.now(UTC) - LARGEST_STEP
