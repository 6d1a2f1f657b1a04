"""The limits in the test pod's manifest are in force in the kernel.

A limit that is written down and not enforced lets a test take the node from the platform.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.kubernetes

_CGROUPS = Path("/sys/fs/cgroup")
_IS_VERSION_2 = (_CGROUPS / "cgroup.controllers").exists()


def _memory_limit_bytes() -> str:
    name = "memory.max" if _IS_VERSION_2 else "memory/memory.limit_in_bytes"
    return (_CGROUPS / name).read_text(encoding="utf-8").strip()


def _cpu_quota_and_period_microseconds() -> tuple[str, str]:
    if _IS_VERSION_2:
        quota, period = (_CGROUPS / "cpu.max").read_text(encoding="utf-8").split()
        return quota, period
    quota = (_CGROUPS / "cpu/cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
    period = (_CGROUPS / "cpu/cpu.cfs_period_us").read_text(encoding="utf-8").strip()
    return quota, period


def test_memory_limit_of_the_manifest_is_in_force() -> None:
    """The kernel would kill this container at the very limit that its manifest names."""
    wanted_bytes = int(os.environ["MEMORY_LIMIT_MIB"]) * 1024 * 1024
    assert _memory_limit_bytes() == str(wanted_bytes)


def test_cpu_limit_of_the_manifest_is_in_force() -> None:
    """The kernel slows this container down at the very share that its manifest names."""
    quota, period = _cpu_quota_and_period_microseconds()
    assert quota not in {"max", "-1"}, "no limit is in force"
    assert int(quota) * 1000 / int(period) == int(os.environ["CPU_LIMIT_MILLICORES"])
