"""Which test belongs to which shard: balanced, the same everywhere, small, and nobody lost."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

import floe_tests_pytest
from floe_tests.core.errors import HarnessError
from floe_tests.execution.sharding.plan import (
    CONFIG_MAP_BYTES,
    MOST_TESTS,
    balanced,
    decoded,
    shard_by_hash,
)
from floe_tests.execution.sharding.plan import test_key as key_of
from floe_tests.results.cases import case_name_of_node
from floe_tests_pytest import sharding


def loads(seconds: dict[str, float], count: int) -> list[float]:
    owners = balanced(seconds, count=count).shards
    found = [0.0] * count
    for name, duration in seconds.items():
        found[owners[int(key_of(name)[:8], 16)]] += duration
    return found


def test_the_longest_test_has_a_shard_for_itself():
    seconds = {"long": 100.0, **{f"test_{n}": 1.0 for n in range(100)}}

    assert sorted(loads(seconds, 2)) == [100.0, 100.0]


@pytest.mark.parametrize("count", [2, 7, 40, 250])
def test_no_shard_is_longer_than_the_bound_of_longest_first(count: int):
    """Graham: at most 4/3 of the best plan, which is at least the mean and the longest test."""
    draw = random.Random(count)  # noqa: S311 - an example
    seconds = {f"test_{n}": round(draw.lognormvariate(0, 1.5), 3) for n in range(3000)}

    best = max(sum(seconds.values()) / count, *seconds.values())
    assert max(loads(seconds, count)) <= best * 4 / 3 * 1.05  # durations are kept by two digits


def test_the_order_of_the_history_makes_no_other_plan():
    seconds = {f"test_{n}": n % 17 / 10 for n in range(500)}
    turned = dict(reversed(seconds.items()))

    assert balanced(seconds, count=12) == balanced(turned, count=12)


def test_a_test_that_never_passed_counts_as_the_median():
    seconds: dict[str, float | None] = {"a": 1.0, "b": 2.0, "c": 90.0, "new": None}

    assert balanced(seconds, count=4).seconds.count(2.0) == 2


def test_a_millisecond_more_is_no_other_plan():
    seconds = {f"test_{n}": 1.02 + n / 10 for n in range(80)}
    jittered = {name: value * 1.0004 for name, value in seconds.items()}

    assert balanced(seconds, count=10).encoded() == balanced(jittered, count=10).encoded()


@pytest.mark.parametrize("tests", [50_000, MOST_TESTS + 5_000])
def test_a_plan_fits_into_a_config_map_whatever_the_tests_are_called(tests: int):
    """Names of 1 KiB of noise, which no compression makes smaller."""
    draw = random.Random(7)  # noqa: S311 - an example
    seconds = {
        f"tests.deep.test_{n}::test_x[{draw.randbytes(24).hex()}-{'ß' * 8}{n}]": draw.random()
        for n in range(tests)
    }

    plan = balanced(seconds, count=500)

    size = len(plan.encoded())
    assert size < CONFIG_MAP_BYTES
    assert size <= 6 * MOST_TESTS + 1024
    if tests == 50_000:
        assert size < 300_000
        # In base64, as the request carries it: etcd takes 1.5 MiB.
        assert len(plan.shards) > 49_990, "two of 50,000 may share a short key, not more"


def test_a_plan_is_read_as_it_was_written():
    plan = balanced({f"test_{n}": n / 7 for n in range(1000)}, count=33)

    assert decoded(plan.encoded()) == dict(plan.shards)
    assert sharding._read_plan("plan", plan.encoded()) == dict(plan.shards)


def test_a_damaged_plan_is_refused():
    damaged = balanced({"a": 1.0}, count=2).encoded()[:-3]

    with pytest.raises(HarnessError, match="damaged"):
        decoded(damaged)
    with pytest.raises(pytest.UsageError, match="no shard plan"):
        sharding._read_plan("plan", b"something else")


@pytest.mark.parametrize(
    "node",
    [
        "tests/unit/test_x.py::test_a",
        "tests/unit/test_x.py::TestA::test_b[1]",
        "test_x.py::test_c[a::b/c.py]",
        "test_x.py::test_d[ä-😀]",
        "tests/spec.yaml::case one",
        "top.py",
    ],
)
def test_the_pod_and_the_history_call_a_test_the_same(node: str):
    """Else the plan would not be followed, and every test would go by its hash."""
    assert sharding.test_key(node) == key_of(case_name_of_node(node))


def test_unknown_tests_are_spread_and_none_is_lost():
    keys = [key_of(f"new::test_{n}") for n in range(9000)]
    shards = [shard_by_hash(key, 30) for key in keys]

    assert set(shards) == set(range(30))
    assert max(shards.count(n) for n in range(30)) < 400
    selection = sharding.Selection(sharding.Shard(0, 30, {}, ""), None)
    assert [selection.owner(key) for key in keys] == shards


def test_the_plugin_needs_nothing_that_a_test_image_may_lack():
    imported = {
        line.split()[1].partition(".")[0]
        for path in Path(floe_tests_pytest.__file__).parent.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }

    assert imported - {"floe_tests_pytest", "pytest"} <= sys.stdlib_module_names
