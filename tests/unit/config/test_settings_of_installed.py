"""What a tier may say of a platform that is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from floe_tests.config import references
from floe_tests.config.loader import load_tiers
from floe_tests.config.memory import check_memory
from floe_tests.config.tier import TierSettings

TIER: dict[str, Any] = {
    "name": "staging-soak",
    "description": "x",
    "environments": ["context"],
    "suites": [{"name": "soak", "job": "test-job.yaml"}],
    "installed": {"release": "floe-platform", "namespace": "floe-staging"},
}


def test_release_and_namespace_are_enough():
    tier = TierSettings.model_validate(TIER)

    assert tier.installed is not None
    assert (tier.installed.ready_seconds, tier.installed.wait_seconds) == (120, 600)
    assert tier.cluster_name == "floe-staging"


def test_two_clusters_with_one_namespace_are_two():
    tier = TierSettings.model_validate({**TIER, "context": {"context": "west"}})

    assert tier.cluster_name == "west/floe-staging"
    assert TierSettings.model_validate({**TIER, "installed": None}).cluster_name == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"releases": [{"name": "a", "chart": "charts/a"}]},
            "releases: does not go with `installed`",
            id="releases",
        ),
        pytest.param({"embedded": {"code": "x"}}, "embedded: does not go with", id="embedded"),
        pytest.param({"namespace": "mine"}, "namespace: does not go with", id="namespace"),
        pytest.param(
            {"pod_security": "baseline"}, "pod_security: does not go with", id="Pod Security"
        ),
        pytest.param({"kind": {"workers": 1}}, "kind: does not go with", id="kind"),
        pytest.param(
            {"environments": ["kind", "context"]}, r"environments: .*Write \[context\]", id="kind"
        ),
        pytest.param({"environments": ["local"]}, r"Write \[context\]", id="local"),
        pytest.param(
            {"suites": [{"name": "a", "job": "a.yaml", "release_values": {"floe-platform": {}}}]},
            r"suites\[0\].release_values: does not go with",
            id="release values",
        ),
        pytest.param(
            {
                "suites": [
                    {
                        "name": "a",
                        "job": "a.yaml",
                        "before": {"release": "floe-platform", "action": "upgrade"},
                    }
                ]
            },
            r"suites\[0\].before: does not go with .*others upgrade floe-platform",
            id="a change",
        ),
        pytest.param(
            {"triggers": {"after_green": "staging-soak"}},
            "triggers.after_green: 'staging-soak' is the tier itself",
            id="a tier that follows itself",
        ),
        pytest.param(
            {"installed": None, "triggers": {"on_deployment": True}},
            "triggers: the tier has no `installed` platform",
            id="triggers without a platform",
        ),
        pytest.param(
            {"installed": {"release": "floe-platform"}}, "Field required", id="no namespace"
        ),
        pytest.param(
            {"installed": {"release": "a", "namespace": "Floe"}}, "no DNS label", id="no label"
        ),
        pytest.param(
            {"installed": {"release": "a", "namespace": "b", "wait_seconds": 0}},
            "greater than 0",
            id="no time to wait",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_field(changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        TierSettings.model_validate({**TIER, **changes})


def test_all_that_does_not_go_together_is_said_at_once():
    with pytest.raises(ValidationError) as error:
        TierSettings.model_validate(
            {**TIER, "environments": ["kind"], "namespace": "mine", "kind": {"workers": 2}}
        )

    assert all(f"{name}: " in str(error.value) for name in ("environments", "namespace", "kind"))


def test_the_tier_that_one_follows_must_be_there(tmp_path: Path):
    (tmp_path / "test-job.yaml").touch()
    tier = TierSettings.model_validate({**TIER, "triggers": {"after_green": "staging-benchmrk"}})

    (problem,) = references.problems_in(tier, tmp_path)

    assert problem.startswith("triggers.after_green: there is no tier 'staging-benchmrk'")


def test_the_tier_that_one_follows_is_found_in_a_project_of_any_name(tmp_path: Path):
    (tmp_path / "test-job.yaml").touch()
    folder = tmp_path / "orders_project" / "defs" / "staging-benchmark"
    folder.mkdir(parents=True)
    (folder / "defs.yaml").touch()
    tier = TierSettings.model_validate({**TIER, "triggers": {"after_green": "staging-benchmark"}})

    assert references.problems_in(tier, tmp_path) == ()


def test_the_shipped_tiers_stay_within_their_memory():
    root = Path(__file__).parents[3]
    shipped = [tier for tier in load_tiers(root) if tier.installed is not None]
    assert shipped

    for tier in shipped:
        check_memory(tier, root)
