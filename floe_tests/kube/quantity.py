"""Kubernetes' quantities (`100m`, `512Mi`) as numbers.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"(?P<number>[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?P<suffix>[A-Za-z]{0,2})")
_SUFFIXES = {
    **{name: 1024.0**power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{name: 1000.0**power for power, name in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{name: 1000.0**-power for power, name in enumerate(("m", "u", "n"), 1)},
}

MIB = 1024**2


def quantity(text: object) -> float:
    """Return a quantity as a number: cores, or bytes. What is absent or no quantity is 0."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None or found["suffix"] not in _SUFFIXES:
        return 0.0
    return float(found["number"]) * _SUFFIXES[found["suffix"]]
