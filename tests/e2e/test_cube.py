"""Cube: it is ready, it knows its model, and it refuses what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.cube_api import CUBE

if TYPE_CHECKING:
    from platform_suite.cube_api import CubeApi

    from .story import TwoAtOnce

pytestmark = pytest.mark.kubernetes


def test_model_has_the_measures_and_the_dimension_of_the_daily_totals(cube: CubeApi) -> None:
    """What a dashboard can be built from."""
    response = cube.get("/cubejs-api/v1/meta", token=cube.token())
    assert response.status_code == 200, response.text
    models = {model["name"]: model for model in response.json()["cubes"]}
    assert CUBE in models
    measures = {measure["name"] for measure in models[CUBE]["measures"]}
    assert measures == {f"{CUBE}.{name}" for name in ("orders", "revenueCents", "days")}
    assert {d["name"] for d in models[CUBE]["dimensions"]} == {f"{CUBE}.day"}


def test_unknown_measure_is_refused_by_name(cube: CubeApi, two_at_once: TwoAtOnce) -> None:
    """A dashboard with a typing error is told so, and shows no zero."""
    assert two_at_once.first.run.status == "SUCCESS", two_at_once.first.reasons()
    response = cube.ask({"measures": [f"{CUBE}.profit"]}, token=cube.token())
    assert response.status_code == 400
    assert "profit" in response.json()["error"]


def test_totals_of_a_range_of_days_are_those_of_its_days(
    cube: CubeApi, two_at_once: TwoAtOnce
) -> None:
    """Cube filters in the database: a week is the sum of its seven days."""
    assert two_at_once.first.run.status == "SUCCESS", two_at_once.first.reasons()
    week = ["2026-01-05", "2026-01-11"]
    measure, day = f"{CUBE}.orders", f"{CUBE}.day"
    of_week = {"measures": [measure], "timeDimensions": [{"dimension": day, "dateRange": week}]}
    (row,) = cube.wait_for_rows(of_week)
    days = cube.wait_for_rows({**of_week, "dimensions": [day]})
    assert [week[0], week[-1]] == [min(days, key=_day)[day][:10], max(days, key=_day)[day][:10]]
    assert int(row[measure]) == sum(int(each[measure]) for each in days) > 0


def _day(row: dict[str, str]) -> str:
    return row[f"{CUBE}.day"]
