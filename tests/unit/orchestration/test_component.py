"""A tier's YAML, loaded by Dagster: what a wrong one says, and what a right one becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from floe_tests.core.errors import ConfigurationError

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
        ["colour", "there is no such setting", "There are: name, description"],
    ),
    "a misspelt setting inside another": (
        f"{LOCAL}  deadlines: {{tests_second: 9}}\n{SUITES}",
        ["deadlines.tests_second", "Did you mean tests_seconds?"],
    ),
    "a missing setting": (
        f"  name: unit\n  environments: [local]\n{SUITES}",
        ["description", "missing. Write it."],
    ),
    "a name that is no DNS label": (
        f"{LOCAL.replace('unit', 'Unit_Tests')}{SUITES}",
        ["name", "'Unit_Tests' is no DNS label", "lower-case letters, digits and '-'"],
    ),
    "an environment that there is not": (
        f"{HEAD}  environments: [minikube]\n{SUITES}",
        ["environments[0]", "'local', 'kind'"],
    ),
    "no environment": (
        f"{HEAD}  environments: []\n{SUITES}",
        ["environments", "Write at least one"],
    ),
    "no suite": (f"{LOCAL}  suites: []\n", ["suites", "Write at least one"]),
    "a suite with both ways to run": (
        f"{LOCAL}{SUITES}      job: tests/one/test-job.yaml\n",
        ["suites[0]", "suite 'one' needs either `job` or `command`, and not both"],
    ),
    "a suite with no way to run": (
        f"{LOCAL}  suites:\n    - name: one\n",
        ["suites[0]", "suite 'one' needs either `job` or `command`"],
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
        ["deadlines", "tests_seconds < pod_seconds < job_seconds", "200, 190, 600"],
    ),
    "a deadline beyond the budget": (
        f"{LOCAL}  budget: {{minutes: 2}}\n{SUITES}",
        ["deadlines.tests_seconds: 240 s", "budget.minutes allows (2 min)", "Shorten it or raise"],
    ),
    "a memory without its unit": (
        f"{LOCAL}  budget: {{memory: '8'}}\n{SUITES}",
        ["budget.memory", "'8' is no memory size", "such as 8Gi"],
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
        ["releases[0]", "needs `version`"],
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
        ["schedule.cron", "has 4 fields", "such as '0 3 * * *'"],
    ),
}


@pytest.fixture
def refusal(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what `dg check defs` says of a tier's attributes, in lines."""
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")

    def lines(attributes: str) -> list[str]:
        file = project.tier(attributes)
        with pytest.raises(ConfigurationError) as raised:
            project.load()
        first, *others = str(raised.value).splitlines()
        assert first == str(file.relative_to(project.root))
        return others

    return lines


@pytest.mark.parametrize(("attributes", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_yaml_is_told_with_file_field_and_remedy(
    refusal: Callable[[str], list[str]], attributes: str, words: list[str]
):
    text = "\n".join(refusal(attributes))

    assert [word for word in words if word not in text] == [], text


def test_all_wrong_settings_of_a_tier_are_reported_at_once(refusal: Callable[[str], list[str]]):
    lines = refusal(
        "  name: Unit\n  description: x\n  environments: [cloud]\n  color: red\n"
        "  budget: {memory: lots}\n  deadlines: {pod_seconds: 1}\n"
        "  suites:\n    - {name: one}\n    - {name: Two, command: [pytest]}\n"
    )

    assert sorted(line.split(": ")[0].strip() for line in lines) == [
        "line 10, suites[0]",
        "line 11, suites[1].name",
        "line 3, name",
        "line 5, environments[0]",
        "line 6, color",
        "line 7, budget.memory",
        "line 8, deadlines",
    ]


def test_a_wrong_suite_is_not_reported_as_none(refusal: Callable[[str], list[str]]):
    """The one real mistake stood below `Tuple should have at least 1 item`, and misled."""
    assert len(refusal(f"{LOCAL}  suites:\n    - name: one\n")) == 1


def test_all_missing_files_of_a_tier_are_reported_at_once(refusal: Callable[[str], list[str]]):
    text = "\n".join(
        refusal(
            f"{KIND}  releases:\n    - {{name: a, chart: charts/a}}\n"
            "    - {name: b, chart: charts/b}\n"
            "  suites:\n    - {name: one, job: tests/one/test-job.yaml}\n"
        )
    )

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


def test_a_wrong_tier_is_a_job_that_fails_with_what_is_wrong_and_the_others_run(project: Project):
    project.tier(f"{LOCAL}  schedule: {{cron: '0 3 * * *'}}\n{SUITES}", folder="unit")
    project.tier(f"{LOCAL.replace('unit', 'my-shop')}  color: red\n{SUITES}", folder="shop")
    project.write(f"{project.package}/defs/broken/defs.yaml", "type: [")
    project.write(f"{project.package}/defs/python.py", "import no_such_module\n")
    project.write(
        f"{project.package}/defs/other/defs.yaml", "type: dagster.NoSuchComponent\nattributes: {}\n"
    )

    repository = project.load().get_repository_def()

    assert {"unit", "my_shop", "broken", "python", "other"} < set(repository.job_names)
    assert repository.has_schedule_def("unit_schedule")
    newest = project.root / "output" / "my-shop"
    project.write("output/my-shop/junit.xml", "<testsuite><testcase name='a'/></testsuite>")
    project.write("output/my-shop/verdict.json", "{}")
    with dg.DagsterInstance.ephemeral() as instance:
        result = repository.get_job("my_shop").execute_in_process(
            instance=instance, raise_on_error=False
        )
    (event,) = result.filter_events(lambda each: each.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == (
        f"Tier my-shop cannot run.\n{project.package}/defs/shop/defs.yaml\n"
        "  line 6, color: there is no such setting. There are: "
        + str(failure.description).partition("There are: ")[2]
    )
    junit = (newest / "junit.xml").read_text()
    assert 'errors="1"' in junit, "a CI that reads JUnit alone saw the run before"
    assert "line 6, color" in junit
    assert not (newest / "verdict.json").exists()


def test_a_run_that_its_environment_refuses_leaves_no_green_of_the_run_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    project.tier(f"{LOCAL}{SUITES}")
    junit = project.write("output/unit/junit.xml", "<testsuite><testcase name='a'/></testsuite>")
    monkeypatch.setenv("FLOE_TESTS_CLUSTER", "kindd")
    job = project.load().get_repository_def().get_job("unit")

    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    assert 'errors="1"' in junit.read_text()
    assert "FLOE_TESTS_CLUSTER" in junit.read_text()


@pytest.mark.parametrize("name", ["prune", "reap"])
def test_a_job_of_the_project_is_no_name_of_a_tier(project: Project, name: str):
    """Two jobs of one name would leave Dagster with none."""
    project.tier(f"{LOCAL.replace('unit', name)}{SUITES}")

    assert {name, "tier"} < set(project.load().get_repository_def().job_names)
