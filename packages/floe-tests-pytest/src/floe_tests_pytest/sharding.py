"""Runs the tests of one shard, and says which those are.

The orchestrator runs a suite in shards (docs/shards.md) and gives each pod its number, the number
of shards and a plan. All shards collect the same tests; each leaves out what belongs to others, and
writes `shard.json`: a digest of all that it collected, and the keys of those it kept. From these
the orchestrator proves that every test was in exactly one shard.
"""

from __future__ import annotations

import array
import hashlib
import json
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from floe_tests_pytest.results import write

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"floe-shard-plan 1\n"
FILE = "shard.json"
_OUTPUT = "floe_tests_collected"


@dataclass(frozen=True)
class Shard:
    """Which part of a suite this session is."""

    index: int
    count: int
    owners: dict[int, int]
    plan: str


def shard_of(variables: Mapping[str, str]) -> Shard | None:
    """Return the shard that the orchestrator says this session is; None where it says nothing.

    Args:
        variables: The environment.

    Raises:
        pytest.UsageError: The number is not below the number of shards, or the plan is unknown.
    """
    numbers = variables.get("FLOE_SHARD_INDEX"), variables.get("FLOE_SHARD_COUNT")
    if numbers[0] is None or numbers[1] is None:
        return None
    index, count = int(numbers[0]), int(numbers[1])
    if not 0 <= index < count:
        message = f"FLOE_SHARD_INDEX {index} is not below FLOE_SHARD_COUNT {count}."
        raise pytest.UsageError(message)
    path = variables.get("FLOE_SHARD_PLAN", "")
    content = Path(path).read_bytes() if path else b""
    owners = _read_plan(path, content) if content else {}
    return Shard(index, count, owners, hashlib.sha256(content).hexdigest())


class Selection:
    """Leaves out what belongs to other shards."""

    def __init__(self, shard: Shard, directory: Path | None) -> None:
        """Take part in a session.

        Args:
            shard: Which part it is.
            directory: Where its account goes; None for nowhere.
        """
        self.shard = shard
        self.collected = 0
        self._directory = directory

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep this shard's tests of those that `-k` and `-m` have left."""
        keys = [test_key(item.nodeid) for item in items]
        mine = [self.owner(key) == self.shard.index for key in keys]
        self.collected = len(keys)
        self._write(keys, [key for key, kept in zip(keys, mine, strict=True) if kept])
        output = getattr(config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = self.collected
        others = [item for item, kept in zip(items, mine, strict=True) if not kept]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item, kept in zip(items, mine, strict=True) if kept]

    def owner(self, key: str) -> int:
        """Return the shard that a test belongs to: by the plan, or else by its hash."""
        planned = self.shard.owners.get(int(key[:8], 16))
        return int(key, 16) % self.shard.count if planned is None else planned

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(
        self,
        node: Any,
        error: object,  # noqa: ARG002 - pytest-xdist's signature
    ) -> None:
        """Take over what a worker of pytest-xdist collected."""
        output = getattr(node, "workeroutput", {})
        self.collected = max(self.collected, int(output.get(_OUTPUT, 0)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let a shard be empty: there may be more shards than tests."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.collected:
            session.exitstatus = pytest.ExitCode.OK

    def _write(self, keys: list[str], selected: list[str]) -> None:
        if self._directory is None or not self._directory.is_dir():
            return
        account = {
            "version": 1,
            "index": self.shard.index,
            "count": self.shard.count,
            "plan": self.shard.plan,
            "all": len(keys),
            "digest": hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest(),
            "selected": selected,
        }
        text = json.dumps(account, separators=(",", ":"))
        path = self._directory / FILE
        # Every worker of pytest-xdist has the same account.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write(path, text)


def test_key(node_id: str) -> str:
    """Return what the orchestrator calls a test: 16 hex digits of its name in JUnit."""
    path, bracket, parameters = node_id.partition("[")
    parts = path.split("::")
    parts[0] = parts[0].replace("/", ".")
    parts[0] = parts[0].removesuffix(".py")
    parts[-1] += bracket + parameters
    classname = ".".join(parts[:-1])
    name = f"{classname}::{parts[-1]}" if classname and classname != parts[-1] else parts[-1]
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read_plan(path: str, content: bytes) -> dict[int, int]:
    if not content.startswith(MAGIC):
        message = f"{path} is no shard plan that this version of floe-tests-pytest knows."
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
