"""Kubernetes' quantities, as the suites read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from platform_suite.quantity import amount


@pytest.mark.parametrize(
    ("quantity", "wanted"),
    [
        ("0", 0),
        ("2", 2),
        ("500m", Decimal("0.5")),
        ("1.5", Decimal("1.5")),
        ("1536Mi", 1536 * 1024**2),
        ("10Gi", 10 * 1024**3),
        ("64Ki", 64 * 1024),
        ("1G", 10**9),
        ("3k", 3000),
    ],
)
def test_a_quantity_is_the_number_that_kubernetes_reads(quantity: str, wanted: Decimal) -> None:
    assert amount(quantity) == wanted


@pytest.mark.parametrize("quantity", ["", "Mi", "1 Gi", "1e3", "-1"])
def test_what_is_not_known_is_no_number(quantity: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(quantity)
