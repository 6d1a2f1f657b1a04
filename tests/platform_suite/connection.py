"""Whether a TCP connection can be made from here: what the network does, not what it should."""

from __future__ import annotations

import socket

# Longer than a packet that was lost once takes to be sent again.
_TIMEOUT_SECONDS = 3.0


def connects(address: str | None, port: int) -> bool:
    """Try to connect, and hang up.

    Args:
        address: Of a pod or a Service; None, for a pod that has none yet, fails the test.
        port: TCP port.
    """
    assert address is not None, "the pod to connect to has no address"
    try:
        with socket.create_connection((address, port), timeout=_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False
