"""Quantities as the API writes them."""

from __future__ import annotations

import pytest

from floe_tests.doctor.versions import version_in
from floe_tests.kube.quantity import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", 0.1),
        ("2", 2),
        (2, 2),
        ("1.5", 1.5),
        ("250000u", 0.25),
        ("512Mi", 512 * 1024**2),
        ("8Gi", 8 * 1024**3),
        ("24684084Ki", 24684084 * 1024),
        ("128M", 128 * 1000**2),
        ("12e6", 12_000_000),
        ("", 0),
        (None, 0),
        ("plenty", 0),
        ("3Xi", 0),
    ],
)
def test_a_quantity_is_a_number(text: object, number: float):
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("kind v0.30.0 go1.24.6", (0, 30, 0)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("v1.34", (1, 34, 0)),
        ("none", None),
    ],
)
def test_a_version_is_found_in_what_is_printed(text: str, version: object):
    assert version_in(text) == version
