"""Which suites and tests a run chooses, and what is installed for them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from floe_tests.config.selection import Selection, release_values
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError


def tier(*suites: dict[str, Any]) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": "streams",
            "description": "A tier of several suites.",
            "environments": ["kind"],
            "releases": [{"name": "app", "chart": "charts/app"}],
            "suites": [{"job": "test-job.yaml", **suite} for suite in suites],
        }
    )


STREAMS = tier(
    {"name": "kafka", "groups": ["kafka"], "release_values": {"app": {"kafka": True}}},
    {"name": "kinesis", "groups": ["kinesis", "aws"], "release_values": {"app": {"s3": True}}},
)
PHASES = tier(
    {"name": "main", "excluded_groups": ["after_upgrade"]},
    {"name": "upgraded", "groups": ["after_upgrade"]},
)


def chosen(settings: TierSettings, **selection: tuple[str, ...]) -> list[tuple[Any, ...]]:
    suites = Selection(**selection).suites_of(settings)
    return [(suite.name, suite.groups, suite.excluded_groups) for suite in suites]


def test_without_a_choice_every_suite_runs_as_its_tier_has_it() -> None:
    assert chosen(STREAMS) == [("kafka", ("kafka",), ()), ("kinesis", ("kinesis", "aws"), ())]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param({"groups": ("kafka",)}, [("kafka", ("kafka",), ())], id="one suite's group"),
        pytest.param({"groups": ("aws",)}, [("kinesis", ("aws",), ())], id="some of its groups"),
        pytest.param(
            {"excluded_groups": ("kafka",)},
            [("kinesis", ("kinesis", "aws"), ("kafka",))],
            id="the other suite's group excluded",
        ),
    ],
)
def test_a_suite_with_groups_runs_when_one_of_them_is_chosen(
    selection: dict[str, tuple[str, ...]], expected: list[tuple[Any, ...]]
) -> None:
    assert chosen(STREAMS, **selection) == expected


def test_a_suite_without_groups_is_narrowed_and_its_exclusions_stay() -> None:
    assert chosen(PHASES, groups=("cube",)) == [("main", ("cube",), ("after_upgrade",))]
    assert chosen(PHASES, groups=("after_upgrade",)) == [("upgraded", ("after_upgrade",), ())]


def test_a_choice_that_no_suite_has_is_refused_with_the_groups_there_are() -> None:
    with pytest.raises(ConfigurationError, match="name the groups aws, kafka, kinesis"):
        chosen(STREAMS, groups=("kafak",))


NO_GROUPS = [
    pytest.param("x or --deselect tests/test_it.py", id="option"),
    pytest.param('x" --deselect tests/test_it.py "', id="out of the quotes"),
    pytest.param("x' -p no:terminal '", id="single quotes"),
    pytest.param("kafka or kinesis", id="expression"),
    pytest.param("not", id="word of expressions"),
    pytest.param("True", id="constant"),
    pytest.param("", id="empty"),
    pytest.param("-k", id="dash"),
    pytest.param("kafka\n", id="line"),
    pytest.param("$(id)", id="shell"),
    pytest.param("kafka(version=3)", id="call"),
    pytest.param("ka fka", id="space"),
    pytest.param("kafka\\", id="backslash"),
    pytest.param("käfka", id="letters"),
    pytest.param("x" * 101, id="long"),
]


@pytest.mark.parametrize("name", NO_GROUPS)
@pytest.mark.parametrize("field", ["groups", "excluded_groups"])
def test_what_is_no_markers_name_is_refused(field: str, name: str) -> None:
    """It would become options of pytest, and other tests would run than the run says."""
    with pytest.raises(ConfigurationError, match="is no group"):
        chosen(PHASES, **{field: (name,)})
    with pytest.raises(ValidationError, match="is no group"):
        tier({"name": "main", field: [name]})


def test_a_markers_name_is_taken() -> None:
    assert chosen(PHASES, groups=("_slow_2",)) == [("main", ("_slow_2",), ("after_upgrade",))]


def test_a_release_gets_the_values_of_the_chosen_suites_alone() -> None:
    suites = Selection(groups=("kafka",)).suites_of(STREAMS)

    assert list(release_values(suites, "app")) == [{"kafka": True}]
    assert list(release_values(STREAMS.suites, "app")) == [{"kafka": True}, {"s3": True}]
