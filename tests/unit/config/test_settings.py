"""What a tier's settings accept, what they default to, and what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from floe_tests.config import references
from floe_tests.config.deadlines import BudgetSettings
from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.environments.providers.kind.settings import KindSettings

SUITE: dict[str, Any] = {"name": "one", "job": "tests/one/test-job.yaml"}
TIER: dict[str, Any] = {
    "name": "integration",
    "description": "proves that it works",
    "environments": ["kind"],
    "suites": [SUITE],
}


def test_four_lines_are_a_tier():
    settings = TierSettings.model_validate(TIER)

    assert (settings.keep, settings.namespace, settings.schedule) == ("never", "floe-test", None)
    assert settings.budget.memory_mib == 8192
    deadlines = settings.deadlines
    assert deadlines.tests_seconds < deadlines.pod_seconds < deadlines.job_seconds


def test_settings_cannot_be_changed_after_they_were_checked():
    settings = TierSettings.model_validate(TIER)

    with pytest.raises(ValidationError, match="frozen"):
        settings.name = "another"  # pyright: ignore[reportAttributeAccessIssue] - the test's point


@pytest.mark.parametrize(
    ("memory", "mebibytes"),
    [("512Mi", 512), ("4Gi", 4096), ("16Gi", 16384)],
)
def test_memory_is_counted_in_mebibytes(memory: str, mebibytes: int):
    assert BudgetSettings(memory=memory).memory_mib == mebibytes


@pytest.mark.parametrize("memory", ["8", "8G", "0Gi", "8 Gi", "-1Gi", "1.5Gi", "Gi", ""])
def test_other_sizes_are_refused_with_an_example(memory: str):
    with pytest.raises(ValidationError, match=r"no memory size.*such as 8Gi"):
        BudgetSettings(memory=memory)


@pytest.mark.parametrize(
    "name",
    ["", "Unit", "unit_tests", "-unit", "unit-", "unit.tests", "ünit", "u" * 41, "unit\n", "a b"],
)
def test_a_name_that_is_no_dns_label_is_refused(name: str):
    with pytest.raises(ValidationError, match="no DNS label"):
        TierSettings.model_validate({**TIER, "name": name})


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True))
def test_every_dns_label_of_40_characters_is_a_name(name: str):
    assert TierSettings.model_validate({**TIER, "name": name}).name == name


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("kindest/node:v1.34.2", "v1.34.2"),
        ("registry:5000/kindest/node:v1.34.2-cilium", "v1.34.2"),
        ("kindest/node:cilium", None),
        ("kindest/node", None),
    ],
)
def test_the_version_of_kubernetes_stands_in_the_node_images_tag(image: str, version: str | None):
    assert KindSettings(node_image=image).kubernetes_version == version


def test_what_the_project_does_not_have_is_found_all_at_once(tmp_path: Path):
    settings = TierSettings.model_validate(
        {
            **TIER,
            "environments": ["local", "kind"],
            "releases": [
                {"name": "a", "chart": "charts/a", "values_files": ["a.yaml", "b.yaml"]},
                {"name": "b", "chart": "oci://example.com/b", "version": "1.0.0"},
            ],
            "embedded": {"code": "images/platform"},
        }
    )
    (tmp_path / "a.yaml").touch()

    problems = references.problems_in(settings, tmp_path)

    assert [problem.split(":")[0] for problem in problems] == [
        "releases[0].chart",
        "releases[0].values_files",
        "suites[0].job",
        "embedded.code",
    ]
    assert "b.yaml does not exist" in problems[1]


def test_nothing_is_wrong_when_all_files_are_there(tmp_path: Path):
    chart = tmp_path / "charts" / "a"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").touch()
    job = tmp_path / SUITE["job"]
    job.parent.mkdir(parents=True)
    job.touch()
    settings = TierSettings.model_validate(
        {**TIER, "releases": [{"name": "a", "chart": "charts/a"}]}
    )

    assert references.problems_in(settings, tmp_path) == ()


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param(
            {"release": "b", "action": "upgrade"},
            r"suites\[0\].before.release: 'b' is none of the tier's releases \(a\)",
            id="a release that is not there",
        ),
        pytest.param(
            {"release": "a", "action": "rollback", "values": {"x": 1}},
            "a rollback takes the values of the revision before",
            id="values for a rollback",
        ),
        pytest.param(
            {"release": "a", "action": "reinstall"},
            "Input should be 'upgrade' or 'rollback'",
            id="an action that is none",
        ),
    ],
)
def test_what_cannot_happen_before_a_suite_is_refused(before: dict[str, Any], message: str):
    tier = {
        **TIER,
        "releases": [{"name": "a", "chart": "charts/a"}],
        "suites": [{**SUITE, "before": before}],
    }

    with pytest.raises(ValidationError, match=message):
        TierSettings.model_validate(tier)


def test_the_values_of_an_upgrade_must_be_there(tmp_path: Path):
    before = {"release": "a", "action": "upgrade", "values_files": ["more.yaml"]}
    settings = TierSettings.model_validate(
        {
            **TIER,
            "releases": [{"name": "a", "chart": "oci://example.com/a", "version": "1"}],
            "suites": [{**SUITE, "before": before}],
        }
    )

    first, *_ = references.problems_in(settings, tmp_path)

    assert first == f"suites[0].before.values_files: more.yaml does not exist under {tmp_path}."


def judged(**settings: object) -> SuiteSettings:
    return SuiteSettings.model_validate({"name": "soak", "job": "test-job.yaml", **settings})


def test_a_suite_is_judged_where_it_says_so_and_every_rule_has_a_default():
    assert judged().soak is None
    assert judged(soak={}).soak == SoakSettings()
    assert judged(benchmark={}).benchmark == BenchmarkSettings()
    ceilings = judged(soak={"ceilings": {"cpu": 0.5}}).soak
    assert ceilings is not None
    assert (ceilings.ceilings.memory, ceilings.ceilings.cpu) == (0.9, 0.5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"soak": {"drift": {"exempt": ["postgres"]}}}, "no `component/metric`"),
        ({"soak": {"drift": {"exempt": ["postgres/cpu"]}}}, "Metrics are memory, disk"),
        ({"soak": {"latency_seconds": {"*": 0}}}, "must be more than 0 s"),
        ({"soak": {"ceiling": {}}}, "Did you mean ceilings?"),
        ({"soak": {"ceilings": {"memory": 90}}}, "less than or equal to 1"),
        ({"soak": {"min_coverage": 0}}, "greater than 0"),
        ({"benchmark": {"min_sample": 3}}, "Did you mean min_samples?"),
        ({"benchmark": {"min_samples": 2}}, "greater than or equal to 5"),
        ({"benchmark": {"accepted_since": "soon"}}, "valid date"),
    ],
)
def test_a_wrong_rule_is_named_with_its_remedy(settings: dict[str, object], said: str):
    with pytest.raises(ValidationError) as caught:
        judged(**settings)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        pytest.param({"shards": {"count": 0}}, "greater than or equal to 1", id="none"),
        pytest.param({"shards": {"count": 501}}, "less than or equal to 500", id="too many"),
        pytest.param({"shards": {}}, "Field required", id="no count"),
        pytest.param(
            {"shards": {"count": 4, "parallelism": 5}},
            "parallelism 5 is more than count 4. Leave it out",
            id="more at once than there are",
        ),
        pytest.param(
            {"shards": {"count": 4}, "job": None, "command": ["pytest"]},
            "has `shards` and no `job`",
            id="no pod",
        ),
        pytest.param({"shards": {"count": 4}, "soak": {}}, "is a soak or a benchmark", id="a soak"),
    ],
)
def test_shards_that_cannot_be_are_refused(suite: dict[str, Any], message: str):
    local = {"environments": ["local"]} if "command" in suite else {}

    with pytest.raises(ValidationError, match=message):
        TierSettings.model_validate({**TIER, **local, "suites": [{**SUITE, **suite}]})


def test_a_suite_runs_whole_unless_it_says_otherwise():
    assert TierSettings.model_validate(TIER).suites[0].shards is None
