"""A tier's YAML, loaded by Dagster: what a wrong one says, and what a right one becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

if TYPE_CHECKING:
    from tests.support.project import Project

SUITES = """\
  suites:
    - name: one
      command: [pytest]
"""
HEAD = """\
  name: unit
  description: fast tests
"""
LOCAL = f"{HEAD}  environments: [local]\n"
KIND = f"{HEAD}  environments: [kind]\n"

# What is wrong, the field that the message names, and the remedy that it gives.
WRONG = {
    "a setting that there is not": (
        f"{LOCAL}  colour: red\n{SUITES}",
        ["attributes.colour", "there is no such setting", "There are: name, description"],
    ),
    "a misspelt setting inside another": (
        f"{LOCAL}  deadlines: {{tests_second: 9}}\n{SUITES}",
        ["attributes.deadlines.tests_second", "Did you mean tests_seconds?"],
    ),
    "a missing setting": (
        f"  name: unit\n  environments: [local]\n{SUITES}",
        ["attributes.description", "Field required"],
    ),
    "a name that is no DNS label": (
        f"{LOCAL.replace('unit', 'Unit_Tests')}{SUITES}",
        ["attributes.name", "'Unit_Tests' is no DNS label", "lower-case letters, digits and '-'"],
    ),
    "an environment that there is not": (
        f"{HEAD}  environments: [minikube]\n{SUITES}",
        ["attributes.environments.0", "'local', 'kind'", "input_value='minikube'"],
    ),
    "no environment": (
        f"{HEAD}  environments: []\n{SUITES}",
        ["attributes.environments", "Write at least one"],
    ),
    "no suite": (f"{LOCAL}  suites: []\n", ["attributes.suites", "Write at least one"]),
    "a suite with both ways to run": (
        f"{LOCAL}{SUITES}      job: tests/one/test-job.yaml\n",
        ["attributes.suites.0", "suite 'one' needs either `job` or `command`, and not both"],
    ),
    "a suite with no way to run": (
        f"{LOCAL}  suites:\n    - name: one\n",
        ["attributes.suites.0", "suite 'one' needs either `job` or `command`"],
    ),
    "a command where a cluster is": (
        f"{KIND}{SUITES}",
        ["suites: one have no `job`", "Give each suite a test-job.yaml, or leave only `local`"],
    ),
    "two suites of one name": (
        f"{LOCAL}{SUITES}    - name: one\n      command: [pytest]\n",
        ["suites: 'one' stands there twice", "names must differ"],
    ),
    "deadlines in the wrong order": (
        f"{LOCAL}  deadlines: {{tests_seconds: 200, pod_seconds: 190}}\n{SUITES}",
        ["attributes.deadlines", "tests_seconds < pod_seconds < job_seconds", "200, 190, 600"],
    ),
    "a deadline beyond the budget": (
        f"{LOCAL}  budget: {{minutes: 2}}\n{SUITES}",
        ["deadlines.tests_seconds: 240 s", "budget.minutes allows (2 min)", "Shorten it or raise"],
    ),
    "a memory without its unit": (
        f"{LOCAL}  budget: {{memory: '8'}}\n{SUITES}",
        ["attributes.budget.memory", "'8' is no memory size", "such as 8Gi"],
    ),
    "releases on local without a stand-in": (
        f"{LOCAL}  releases:\n    - {{name: app, chart: charts/app}}\n{SUITES}",
        ["embedded: missing", "name the code of the embedded platform, or take `local` out"],
    ),
    "a remote chart without a version": (
        (
            f"{KIND}  releases:\n    - {{name: app, chart: 'oci://example.com/app'}}\n"
            "  suites:\n    - {name: one, job: tests/one/test-job.yaml}\n"
        ),
        ["attributes.releases.0", "needs `version`"],
    ),
    "a chart that is not there": (
        (
            f"{KIND}  releases:\n    - {{name: app, chart: charts/app}}\n"
            "  suites:\n    - {name: one, job: pyproject.toml}\n"
        ),
        ["releases[0].chart", "charts/app is no Helm chart", "Give the chart's folder"],
    ),
    "a schedule with a field too few": (
        f"{LOCAL}  schedule: {{cron: '0 3 * *'}}\n{SUITES}",
        ["attributes.schedule.cron", "has 4 fields", "such as '0 3 * * *'"],
    ),
}


def chain(error: BaseException) -> str:
    """Return an error with its causes, as `dagster definitions validate` prints it."""
    causes = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        causes.append(str(error))
    return "\n".join(causes)


@pytest.mark.parametrize(("attributes", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_yaml_stops_at_load_with_file_field_and_remedy(
    project: Project, attributes: str, words: list[str]
):
    file = project.tier(attributes)

    with pytest.raises(ComponentTreeException) as raised:
        project.load()

    text = chain(raised.value)
    assert str(file) in text
    assert [word for word in words if word not in text] == [], text


def test_all_wrong_settings_of_a_tier_are_reported_at_once(project: Project):
    project.tier(
        "  name: Unit\n  description: x\n  environments: [cloud]\n  color: red\n"
        "  budget: {memory: lots}\n  deadlines: {pod_seconds: 1}\n"
        "  suites:\n    - {name: one}\n    - {name: Two, command: [pytest]}\n"
    )

    with pytest.raises(ComponentTreeException) as raised:
        project.load()

    text = chain(raised.value)
    assert "7 validation errors" in text, text
    fields = ["name", "environments.0", "color", "budget.memory", "deadlines", "suites.0"]
    assert [
        field for field in [*fields, "suites.1.name"] if f"attributes.{field} at" not in text
    ] == []


def test_a_wrong_suite_is_not_reported_as_none(project: Project):
    """The one real mistake stood below `Tuple should have at least 1 item`, and misled."""
    project.tier(f"{LOCAL}  suites:\n    - name: one\n")

    with pytest.raises(ComponentTreeException) as raised:
        project.load()

    assert "1 validation error " in chain(raised.value)


def test_all_missing_files_of_a_tier_are_reported_at_once(project: Project):
    project.tier(
        f"{KIND}  releases:\n    - {{name: a, chart: charts/a}}\n"
        "    - {name: b, chart: charts/b}\n"
        "  suites:\n    - {name: one, job: tests/one/test-job.yaml}\n"
    )

    with pytest.raises(ComponentTreeException) as raised:
        project.load()

    text = chain(raised.value)
    assert [
        field for field in ("releases[0]", "releases[1]", "suites[0]") if field not in text
    ] == []


def test_a_tier_becomes_five_assets_in_order_a_check_a_job_and_a_schedule(project: Project):
    project.tier(
        f"{LOCAL.replace('unit', 'nightly-unit')}  schedule: {{cron: '0 3 * * *'}}\n{SUITES}"
    )

    repository = project.load().get_repository_def()

    graph = repository.asset_graph
    stages = ["cluster", "platform", "test_job", "results", "released"]
    keys = [dg.AssetKey(["nightly_unit", stage]) for stage in stages]
    assert list(graph.toposorted_asset_keys) == keys
    assert [graph.get(key).parent_keys for key in keys] == [set(), *({key} for key in keys[:-1])]
    (check,) = graph.asset_check_keys
    assert (check.asset_key, check.name) == (keys[3], "one")
    job = repository.get_job("nightly_unit")
    assert job.tags["floe-tests/tier"] == "nightly-unit"
    assert job.executor_def.name == dg.in_process_executor.name
    (schedule,) = (each for each in repository.schedule_defs if each.name != "prune_daily")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")


def test_two_tiers_of_one_project_stay_apart(project: Project):
    project.tier(f"{LOCAL}{SUITES}", folder="unit")
    project.tier(f"{LOCAL.replace('unit', 'lint')}{SUITES}", folder="lint")

    repository = project.load().get_repository_def()

    groups = {node.group_name for node in repository.asset_graph.asset_nodes}
    assert groups == {"unit", "lint"}
    assert len(list(repository.get_job("lint").asset_layer.executable_asset_keys)) == 5
