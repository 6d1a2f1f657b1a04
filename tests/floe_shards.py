"""A pytest plugin: run the tests of one shard, and say which those are.

The orchestrator runs a suite in shards (docs/shards.md) and gives each pod its number, the number
of shards and a plan. All shards collect the same tests; each leaves out what belongs to others, and
writes `shard.json`: a digest of all that it collected, and the keys of those it kept. From these
the orchestrator proves that every test was in exactly one shard.

Without FLOE_SHARD_INDEX it does nothing. It is one file of standard library, and is in the test
image as a module, so that suites of any kind have it.
"""

from __future__ import annotations

import array
import hashlib
import json
import os
import sys
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

MAGIC = b"floe-shard-plan 1\n"
FILE = "shard.json"


class Shard(NamedTuple):
    """Which part of a suite this session is."""

    index: int
    count: int
    owners: dict[int, int]
    plan: str


def pytest_configure(config: pytest.Config) -> None:
    """Take part only where the orchestrator says that this is a shard."""
    index, count = os.environ.get("FLOE_SHARD_INDEX"), os.environ.get("FLOE_SHARD_COUNT")
    if index is None or count is None or config.getoption("collectonly"):
        return
    config.pluginmanager.register(Selection(_shard(int(index), int(count))), "floe-shard")


class Selection:
    """Leaves out what belongs to other shards."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.collected = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep this shard's tests of those that `-k` and `-m` have left."""
        keys = [test_key(item.nodeid) for item in items]
        mine = [self.owner(key) == self.shard.index for key in keys]
        self.collected = len(keys)
        _write(
            {
                "version": 1,
                "index": self.shard.index,
                "count": self.shard.count,
                "plan": self.shard.plan,
                "all": len(keys),
                "digest": hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest(),
                "selected": [key for key, kept in zip(keys, mine, strict=True) if kept],
            },
        )
        others = [item for item, kept in zip(items, mine, strict=True) if not kept]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item, kept in zip(items, mine, strict=True) if kept]

    def owner(self, key: str) -> int:
        """Give the shard that a test belongs to: by the plan, or else by its hash."""
        planned = self.shard.owners.get(int(key[:8], 16))
        return int(key, 16) % self.shard.count if planned is None else planned

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let a shard be empty: there may be more shards than tests."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.collected:
            session.exitstatus = pytest.ExitCode.OK


def test_key(node_id: str) -> str:
    """Give what the orchestrator calls a test: 16 hex digits of its name in JUnit."""
    path, bracket, parameters = node_id.partition("[")
    parts = path.split("::")
    parts[0] = parts[0].replace("/", ".")
    parts[0] = parts[0].removesuffix(".py")
    parts[-1] += bracket + parameters
    classname = ".".join(parts[:-1])
    name = f"{classname}::{parts[-1]}" if classname and classname != parts[-1] else parts[-1]
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


test_key.__test__ = False


def _write(fields: dict[str, object]) -> None:
    """Write the shard's account in one step: who follows the directory never reads half of it."""
    directory = Path(os.environ.get("FLOE_RESULTS_DIR") or "/results")
    if not directory.is_dir():
        return
    descriptor, name = tempfile.mkstemp(dir=directory, prefix=f".{FILE}.")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(fields, file, separators=(",", ":"))
    # mkstemp makes it private; the exporter may run as another user.
    Path(name).chmod(0o644)
    Path(name).replace(directory / FILE)


def _shard(index: int, count: int) -> Shard:
    if not 0 <= index < count:
        message = f"FLOE_SHARD_INDEX {index} is not below FLOE_SHARD_COUNT {count}."
        raise pytest.UsageError(message)
    path = os.environ.get("FLOE_SHARD_PLAN", "")
    content = Path(path).read_bytes() if path else b""
    owners = _read_plan(path, content) if content else {}
    return Shard(index, count, owners, hashlib.sha256(content).hexdigest())


def _read_plan(path: str, content: bytes) -> dict[int, int]:
    if not content.startswith(MAGIC):
        message = f"{path} is no shard plan that this test image knows."
        raise pytest.UsageError(message)
    body = zlib.decompress(content[len(MAGIC) :])
    tests = int.from_bytes(body[:4], "big")
    keys, owners = array.array("I"), array.array("H")
    keys.frombytes(body[4 : 4 + 4 * tests])
    owners.frombytes(body[4 + 4 * tests :])
    if sys.byteorder == "little":
        keys.byteswap()
        owners.byteswap()
    return dict(zip(keys, owners, strict=True))
