"""Kubernetes' quantities as numbers: `1536Mi`, `500m`, `2`."""

from __future__ import annotations

import re
from decimal import Decimal

_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


def amount(quantity: str) -> Decimal:
    """Read a quantity, in bytes, CPUs or pieces.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    matched = re.fullmatch(r"(\d+(?:\.\d+)?)(m|[kMGT]|[KMGT]i)?", quantity)
    if matched is None:
        message = f"not a quantity that is known here: {quantity!r}"
        raise ValueError(message)
    number, unit = Decimal(matched[1]), matched[2] or ""
    if unit == "m":
        return number / 1000
    if unit.endswith("i"):
        return number * 1024 ** _POWERS[unit[0].replace("K", "k")]
    return number * 1000 ** _POWERS[unit]
