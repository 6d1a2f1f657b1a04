"""Start the program with its signals held back until it listens."""

from __future__ import annotations

if __name__ == "__main__":
    import signal

    # Process 1 of a container loses a signal that comes before its handler is set; a blocked
    # signal waits. The imports below take most of the start-up time.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

    import os
    import sys

    from .program import main

    sys.exit(main(sys.argv[1:], os.environ))
