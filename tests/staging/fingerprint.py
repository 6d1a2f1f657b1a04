"""What must be the same for two runs to be compared: the machine, the data, the suite.

The platform is not in it: it is what is compared.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

# Another number makes a new history: it changes when a measurement means something else.
SUITE_VERSION = "2"
_GIBIBYTE_IN_KIB = 1024 * 1024


def fingerprint(*, kubernetes: str, scale: int, seed: int) -> dict[str, object]:
    """Describe this node and this load.

    Args:
        kubernetes: Version of Kubernetes.
        scale: How many orders the platform holds.
        seed: Which.
    """
    return {
        "node": {
            "kernel": platform.release(),
            "cpu_model": _first(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo")),
            "cpus": os.cpu_count(),
            "memory_gib": round(
                int(_first(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo"))) / _GIBIBYTE_IN_KIB
            ),
            "kubernetes": kubernetes,
        },
        "scale": scale,
        "seed": seed,
        "suite_version": SUITE_VERSION,
    }


def _first(pattern: str, path: Path) -> str:
    found = re.search(pattern, path.read_text(encoding="utf-8"))
    return found[1].strip() if found else "unknown"
