"""What the charts share is one library chart, and the same in every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

CHARTS = Path(__file__).parents[3] / "charts"
USERS = ("flink-operator", "floe-platform", "floe-tests", "statefun")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("chart", USERS)
def test_a_chart_has_the_library_as_it_is(chart: str):
    copies = sorted(path.name for path in (CHARTS / chart / "charts").iterdir())

    assert copies == ["floe-common"], "make charts-common"
    copy = contents(CHARTS / chart / "charts" / "floe-common")
    assert copy == contents(CHARTS / "floe-common"), "make charts-common"


@pytest.mark.parametrize("chart", USERS)
def test_a_chart_depends_on_the_library_that_it_has(chart: str):
    library = yaml.safe_load((CHARTS / "floe-common" / "Chart.yaml").read_text())
    depends = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())["dependencies"]

    assert library["type"] == "library"
    assert depends == [
        {
            "name": library["name"],
            "version": library["version"],
            "repository": "file://../floe-common",
        }
    ]


def test_no_two_charts_define_the_same_template():
    bodies: dict[str, list[str]] = {}
    define = re.compile(
        r'define "([\w-]+)\.(\w+)" -?\}\}\n(.*?)\n\{\{- end \}\}\n(?=\n|\Z)', re.DOTALL
    )
    for path in CHARTS.glob("*/templates/**/*.tpl"):
        for chart, name, body in define.findall(path.read_text()):
            bodies.setdefault(body.replace(f'"{chart}.', '"'), []).append(f"{chart}.{name}")

    assert len(bodies) > 50
    assert not {body: names for body, names in bodies.items() if len(names) > 1}


@pytest.mark.parametrize("function", ["run", "role", "database"])
def test_the_scripts_of_both_databases_have_the_same_functions(function: str):
    found = [
        re.search(rf"^{function}\(\) \{{\n.*?^\}}\n", script.read_text(), re.DOTALL | re.MULTILINE)
        for script in CHARTS.glob("*/files/postgres/databases.sh")
    ]

    assert len(found) == 2
    assert len({each[0] if each else None for each in found}) == 1
    assert None not in found
