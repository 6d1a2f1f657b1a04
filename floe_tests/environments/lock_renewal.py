"""A run's claim to a cluster is renewed for as long as the run's process lives."""

from __future__ import annotations

import threading

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.environments.cluster_holder import LEASE, holder_of
from floe_tests.environments.cluster_lock import DURATION_SECONDS, RENEW_SECONDS, ClusterLock


class Renewal:
    """Renews a run's claim from a thread, for as long as this process lives."""

    def __init__(self, lock: ClusterLock) -> None:
        """Begin.

        Args:
            lock: The claim, which is held.
        """
        self._lock = lock
        self._stopped = threading.Event()
        self._renewed = Deadline(DURATION_SECONDS)
        self._lost = ""
        self._why = ""
        self._thread = threading.Thread(
            target=self._go_on, daemon=True, name=f"renewal of lease/{LEASE}"
        )
        self._thread.start()

    @property
    def lost(self) -> str:
        """Why the cluster is no longer this run's; empty while it is."""
        if not self._lost and self._renewed.passed:
            return f"lease/{LEASE} could not be renewed for {DURATION_SECONDS} s: {self._why}"
        return self._lost

    def stop(self) -> None:
        """End it, and wait for a renewal that is under way: none may come after a release."""
        self._stopped.set()
        self._thread.join(timeout=RENEW_SECONDS)

    def _go_on(self) -> None:
        while not self._stopped.wait(RENEW_SECONDS):
            try:
                if not self._lock.renew() and not self._lock.is_held():
                    holder = holder_of(
                        self._lock.kube.get("Lease", LEASE, namespace=self._lock.namespace)
                    )
                    self._lost = f"lease/{LEASE} is held by {holder or 'nobody'} now"
                    return
            except FloeTestsError as error:
                self._why = first_line(error)
                continue
            self._renewed = Deadline(DURATION_SECONDS)
