"""Which test belongs to which shard: balanced by durations, and small enough for a ConfigMap.

A plan names tests by hash, so its size hangs on their number and not on their names, which
parametrisation makes as long as it likes. Two tests of one hash share a shard, which is no harm;
a test that the plan does not know goes by its hash, so that none is lost. The other half of this
module is the pytest plugin in `packages/floe-tests-pytest`, which reads a plan inside the pod.
"""

from __future__ import annotations

import array
import hashlib
import heapq
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from floe_tests.core.errors import HarnessError

MAGIC = b"floe-shard-plan 1\n"
# A ConfigMap may hold 1 MiB in all. Six bytes a test, before compression: 150,000 tests always fit.
# Source: https://kubernetes.io/docs/concepts/configuration/configmap/#motivation
CONFIG_MAP_BYTES = 1024 * 1024
MOST_TESTS = 150_000
_KEY_DIGITS = 16
_SHORT_DIGITS = 8
_UNKNOWN_SECONDS = 1.0


def test_key(name: str) -> str:
    """Return what a test is called between a pod and the orchestrator: 16 hex digits of its name.

    Args:
        name: The case's name, as the history has it.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:_KEY_DIGITS]


test_key.__test__ = False  # pyright: ignore[reportFunctionMemberAccess] - no test of pytest's


def shard_by_hash(key: str, count: int) -> int:
    """Return the shard of a test that no plan knows.

    Args:
        key: Its key.
        count: How many shards there are.
    """
    return int(key, 16) % count


@dataclass(frozen=True)
class Plan:
    """Tests by shard.

    Attributes:
        count: How many shards.
        shards: The shard of each test that is known, from 0, by the short form of its key.
        seconds: How long the known tests of each shard take, by the history.
    """

    count: int
    shards: Mapping[int, int]
    seconds: tuple[float, ...]

    def encoded(self) -> bytes:
        """Return the plan as a file, below CONFIG_MAP_BYTES whatever the tests are called."""
        keys = array.array("I", sorted(self.shards))
        owners = array.array("H", (self.shards[key] for key in keys))
        if sys.byteorder == "little":
            keys.byteswap()
            owners.byteswap()
        body = len(keys).to_bytes(4, "big") + keys.tobytes() + owners.tobytes()
        return MAGIC + zlib.compress(body, 9)


def balanced(seconds: Mapping[str, float | None], *, count: int) -> Plan:
    """Spread tests over shards so that the longest shard is short.

    Longest processing time first: each test goes to the shard that has least so far, the longest
    tests first. No shard is more than a third longer than the best plan's longest.

    Args:
        seconds: Duration of each known test by name; None where it never passed: it gets the
            median of the others.
        count: How many shards.

    Source: R. L. Graham, Bounds on multiprocessing timing anomalies (1969)
    """
    known = [value for value in seconds.values() if value is not None]
    usual = median(known) if known else _UNKNOWN_SECONDS
    # By key and not by name: in one order on every machine, and no two tests are in a tie.
    tests = sorted(
        (
            (_rounded(usual if value is None else value), test_key(name))
            for name, value in seconds.items()
        ),
        key=lambda test: (-test[0], test[1]),
    )[:MOST_TESTS]
    loads = [(0.0, shard) for shard in range(count)]
    shards: dict[int, int] = {}
    for duration, key in tests:
        short = int(key[:_SHORT_DIGITS], 16)
        if short in shards:  # another test of the same short key: both go where the longer one is
            continue
        load, shard = heapq.heappop(loads)
        shards[short] = shard
        heapq.heappush(loads, (load + duration, shard))
    return Plan(count, shards, tuple(load for load, _ in sorted(loads, key=lambda item: item[1])))


def decoded(content: bytes) -> Mapping[int, int]:
    """Read the shards of a plan's file, by the short form of the tests' keys.

    Raises:
        HarnessError: It is no plan.
    """
    try:
        body = zlib.decompress(content.removeprefix(MAGIC))
        tests = int.from_bytes(body[:4], "big")
        keys, owners = array.array("I"), array.array("H")
        keys.frombytes(body[4 : 4 + 4 * tests])
        owners.frombytes(body[4 + 4 * tests :])
        if sys.byteorder == "little":
            keys.byteswap()
            owners.byteswap()
        return dict(zip(keys, owners, strict=True))
    except (ValueError, zlib.error) as error:
        message = "the shard plan is damaged; give the shards a new one."
        raise HarnessError(message) from error


def _rounded(seconds: float) -> float:
    """Return two digits of a duration: what varies from run to run does not make another plan."""
    return float(f"{max(seconds, 0.001):.2g}")
