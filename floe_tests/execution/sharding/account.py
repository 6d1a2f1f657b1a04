"""What a shard says of its collection: all tests, as a digest, and those that it kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from floe_tests.core.json_values import count_of, is_object, text_of
from floe_tests.exporter.results import SHARD_FILE

_ACCOUNT_BYTES = 32 * 1024 * 1024
_MOST_TESTS = 10_000_000


@dataclass(frozen=True)
class Account:
    """What a shard says of its collection.

    Attributes:
        all_tests: How many tests it collected, other shards' included.
        digest: What stands for these tests, in any order.
        selected: Keys of the tests that it kept.
        plan: SHA-256 of the plan that it followed.
        count: How many shards it was told that there are.
    """

    all_tests: int
    digest: str
    selected: tuple[str, ...]
    plan: str
    count: int


def read_account(results: Path) -> Account | None:
    """Read what a shard says of its collection; None where it says nothing that can be read."""
    path = results / SHARD_FILE
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            fields: object = json.loads(file.read(_ACCOUNT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not is_object(fields):
        return None
    selected: object = fields.get("selected")
    counts = (count_of(fields.get(name), largest=_MOST_TESTS) for name in ("all", "count"))
    all_tests, count = counts
    if not isinstance(selected, list) or all_tests is None or count is None:
        return None
    keys = tuple(key for key in cast("list[object]", selected) if isinstance(key, str))
    return Account(
        all_tests=all_tests,
        digest=text_of(fields.get("digest")),
        selected=keys,
        plan=text_of(fields.get("plan")),
        count=count,
    )
