"""A load test of k6: its summary is a benchmark, its checks are tests."""

from __future__ import annotations

from collections.abc import Callable

from floe_tests.core.verdict import Cause
from tests.support.small_server import serving

from .conftest import Example


def test_a_load_tests_summary_is_its_benchmark(example: Callable[..., Example]) -> None:
    load = example("k6", "k6")

    with serving() as shop:
        shop.answers["/basket"] = {"total": 7}
        url = f"http://{shop.address}"
        green = load.run({"SHOP_URL": url, "LOAD_SECONDS": "3"})

    assert green.verdict.cause is Cause.PASS, green.verdict
    (suite,) = green.suites
    assert "3 tests, " in load.printed(green)
    assert (suite.results.tally.passed, suite.results.collected) == (3, 3)
    assert "of 12 repetitions" in "\n".join(suite.notices), "what it measured is judged"

    red = load.run({"SHOP_URL": "http://127.0.0.1:1", "LOAD_SECONDS": "1"})

    assert red.verdict.cause is Cause.TEST_FAILURE, red.verdict
    assert "load::the basket is there" in "\n".join(map(str, red.verdict.evidence))
