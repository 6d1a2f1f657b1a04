"""What kind is told to create."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml

from floe_tests.core.labels import Owner
from floe_tests.environments.providers.kind.environment import kind_config

OWNER = Owner(
    run_id="1a2b3c4d",
    tier="integration",
    ref="refs/heads/main",
    commit="72c65fc",
    expires_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cluster_has_one_control_plane_and_the_workers_wanted(workers: int):
    config = yaml.safe_load(kind_config(OWNER, workers=workers))

    roles = [node["role"] for node in config["nodes"]]
    assert roles == ["control-plane", *["worker"] * workers]
    assert (config["kind"], config["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")


def test_every_node_says_from_its_first_second_whose_it_is_and_until_when():
    """A reaper finds the cluster by these, even if its run was killed while it came up."""
    config = yaml.safe_load(kind_config(OWNER, workers=1))

    for node in config["nodes"]:
        assert node["labels"]["floe-tests/run"] == "1a2b3c4d"
        assert node["labels"]["floe-tests/expires"] == "1795428000"
        assert node["labels"]["floe-tests/ref"] == "refs-heads-main"


def test_no_label_is_one_that_the_kubelet_refuses_to_set_on_its_own_node():
    """With it the node never came up, and kind said only that it had waited."""
    assert "kubernetes.io/" not in json.dumps(
        [node["labels"] for node in yaml.safe_load(kind_config(OWNER, workers=1))["nodes"]]
    )


def test_labels_are_text_for_yaml_too():
    """`72` as a commit would be a number, and kind refuses labels that are none."""
    owner = Owner("1e10", "unit", "true", "72", datetime(2026, 11, 23, tzinfo=UTC))

    (node,) = yaml.safe_load(kind_config(owner, workers=0))["nodes"]

    assert all(isinstance(value, str) for value in node["labels"].values())
    assert node["labels"]["floe-tests/commit"] == "72"
