"""How many of a suite's shards run at once: looked at again and again, and set on its Job."""

from __future__ import annotations

import time
from collections.abc import Callable

from floe_tests.core.deadline import Deadline
from floe_tests.core.log import Log
from floe_tests.execution.sharding.capacity import Capacity
from floe_tests.execution.sharding.fair_share import fair_shares, next_parallelism

LOOK_SECONDS = 3.0
# A pod that the scheduler has not placed after this long fits nowhere now.
UNPLACED_SECONDS = 5.0
_GROW_SECONDS = 5.0
# The Job controller's own writes conflict with each change of ours, and it then pauses for twice as
# long each time: several changes a second cost a run half a minute without pods.
_CHANGE_SECONDS = 5.0


class Parallelism:
    """The parallelism of one sharded suite.

    What the nodes say is an estimate, and may not be readable at all. What pods experience is the
    truth: where some find no node, it falls to the number of those that did; then it grows again.
    """

    def __init__(
        self,
        *,
        run: str,
        wish: int,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with all that is wanted.

        Args:
            run: The run, as its label says it.
            wish: How many at once at most.
            log: Receives what changes.
            clock: The clock that its pauses run on, monotonic seconds.
        """
        self._run = run
        self._clock = clock
        self._wish = wish
        self._log = log
        self._felt = wish
        self._share = wish
        self._others = 0
        self._grown = Deadline(_GROW_SECONDS, clock=self._clock)
        self._changed: Deadline | None = None
        self.now = wish

    def see(self, capacity: Capacity) -> None:
        """Take what was seen of the cluster."""
        shares = fair_shares(capacity.claims)
        claimed = sum(claim.pods for claim in capacity.claims if claim.run == self._run)
        share = shares.get(self._run, self._wish)
        # All that is left to run is no bound: it would only be written anew with each pod's end.
        bounds = [self._wish, share if share < claimed else self._wish]
        bounds += [bound for bound in (capacity.fitting, capacity.quota) if bound is not None]
        self._share = max(1, min(bounds))
        self._others = len(shares.keys() - {self._run})

    def observe(self, *, placed: int, unplaced: int) -> None:
        """Take what the suite's own pods experience.

        Args:
            placed: How many have a node and have not ended.
            unplaced: How many have waited for one for longer than UNPLACED_SECONDS.
        """
        if unplaced:
            self._felt = max(1, placed)
            self._grown = Deadline(_GROW_SECONDS, clock=self._clock)
        elif placed >= self.now and self._felt < self._wish and self._grown.passed:
            self._felt = min(self._wish, self._felt + max(1, self._felt // 4))
            self._grown = Deadline(_GROW_SECONDS, clock=self._clock)

    def next(self, *, placed: int) -> int | None:
        """Return the parallelism to set now; None when it is to stay, for some seconds at least.

        Args:
            placed: How many of the suite's pods have a node and have not ended.
        """
        share = min(self._share, self._felt)
        parallelism = next_parallelism(share=share, running=placed, now=self.now)
        is_early = self._changed is not None and not self._changed.passed
        if parallelism == self.now or is_early:
            return None
        self._changed = Deadline(_CHANGE_SECONDS, clock=self._clock)
        beside = f"beside {self._others} other runs" if self._others else "alone"
        self._log(f"up to {parallelism} shards at once ({beside}; before: {self.now})")
        self.now = parallelism
        return parallelism
