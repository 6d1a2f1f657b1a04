"""The results of a suite: what its attempts have sent."""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.execution.attempt import Attempt
from floe_tests.results import received
from floe_tests.results.attempts import with_earlier
from floe_tests.results.collate import SuiteResults

NO_RESULTS = SuiteResults(
    cases=(),
    source="none",
    collected=None,
    deselected=None,
    reported=0,
    in_flight=(),
    session_finished=False,
    exit_status=None,
    notices=(),
)


def results_of(attempts: Sequence[Attempt]) -> SuiteResults:
    """Return what a suite's attempts came to: the last one, with the failures of those before it.

    Args:
        attempts: The attempts, oldest first; at least one.
    """
    *earlier, last = (
        received.read(attempt.directory / "results", cut=attempt.facts.results.cut)
        for attempt in attempts
    )
    return with_earlier(last, earlier)
