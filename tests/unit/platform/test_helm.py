"""What helm is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from floe_tests.kube import ClusterAccess
from floe_tests.platform import helm
from floe_tests.platform.rollout import Target
from floe_tests.settings import ReleaseSettings
from floe_tests.workspace import Workspace


def command(tmp_path: Path, *, prefix: str = "", **settings: Any) -> list[str]:
    workspace = Workspace(
        root=Path("/project"),
        output=tmp_path,
        home=tmp_path,
        history_url="",
        image_registry_prefix=prefix,
    )
    return helm._chart_and_values(
        ReleaseSettings(name="app", **settings),
        Target(ClusterAccess(kubeconfig="/k", context="c"), "ns", workspace, tmp_path, print),
    )


def options(words: list[str], name: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == name]


def test_a_local_chart_starts_at_the_project_and_a_remote_one_is_pinned(tmp_path: Path):
    local = command(tmp_path, chart="charts/app")
    remote = command(tmp_path, chart="oci://example.com/app", version="1.2.3")

    assert local[:2] == ["app", "/project/charts/app"]
    assert remote[:2] == ["app", "oci://example.com/app"]
    assert options(remote, "--version") == ["1.2.3"]
    assert options(local, "--version") == []


def test_it_goes_to_the_runs_cluster_and_namespace(tmp_path: Path):
    words = command(tmp_path, chart="charts/app")

    assert options(words, "--namespace") == ["ns"]
    assert options(words, "--kubeconfig") == ["/k"]
    assert options(words, "--kube-context") == ["c"]


def test_the_tiers_own_values_come_last_so_that_they_win(tmp_path: Path):
    words = command(
        tmp_path, chart="charts/app", values={"minimal": True}, values_files=("a.yaml", "b.yaml")
    )

    *files, own = options(words, "--values")
    assert files == ["/project/a.yaml", "/project/b.yaml"]
    assert yaml.safe_load(Path(own).read_text()) == {"minimal": True}


def test_the_registry_prefix_is_a_global_value_and_absent_without_one(tmp_path: Path):
    assert options(command(tmp_path, chart="c", prefix="localhost:5001/"), "--set-string") == [
        "global.imageRegistryPrefix=localhost:5001/"
    ]
    assert options(command(tmp_path, chart="c"), "--set-string") == []
