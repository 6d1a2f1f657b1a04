"""Start the program with its signals held back until it listens."""

from __future__ import annotations

import signal

# Process 1 of a container loses a signal that comes before its handler is set; a blocked signal
# waits. The imports below take most of the start-up time.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

import os  # noqa: E402
import sys  # noqa: E402

from .program import main  # noqa: E402

sys.exit(main(sys.argv[1:], os.environ))
