"""The values of every chart: each is described twice, and the two agree."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendered import Manifest

CHARTS = sorted(path.parent for path in (Path(__file__).parents[3] / "charts").glob("*/Chart.yaml"))
# What stands inside `requests`, `hard` and the like is one value, explained above it.
EXPLAINED_ABOVE = {
    *("volume", "requests", "limits", "k8s-app"),
    *("pods", "persistentvolumeclaims"),
}

every_chart = pytest.mark.parametrize("chart", CHARTS, ids=[chart.name for chart in CHARTS])


def schema_leaves(schema: Manifest, path: str = "") -> Iterator[tuple[str, Manifest]]:
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, child
        yield from schema_leaves(child, here)


def value_paths(values: Manifest, known: dict[str, Manifest], path: str = "") -> Iterator[str]:
    for name, child in values.items():
        here = f"{path}.{name}" if path else name
        yield here
        if isinstance(child, dict) and "properties" in known.get(here, {}):
            yield from value_paths(child, known, here)


def value_at(values: Manifest, path: str) -> object:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


@every_chart
def test_the_schema_describes_every_value_and_refuses_others(chart: Path) -> None:
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    known = dict(schema_leaves(schema))

    assert set(value_paths(values, known)) == set(known)
    for path, child in known.items():
        assert child["description"].endswith("."), path
        if "properties" in child:
            assert child["additionalProperties"] is False, path
        if "default" in child:
            assert child["default"] == value_at(values, path), path


@every_chart
def test_every_value_has_a_comment_above_it(chart: Path) -> None:
    lines = (chart / "values.yaml").read_text().splitlines()

    bare = [
        line.strip()
        for before, line in itertools.pairwise(lines)
        if (key := re.match(r" *([A-Za-z0-9-]+):", line))
        and key[1] not in EXPLAINED_ABOVE
        and not before.lstrip().startswith("#")
    ]

    assert bare == []
