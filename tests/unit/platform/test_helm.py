"""What helm is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.core.errors import ConfigurationError, InfrastructureError
from floe_tests.kube.access import ClusterAccess
from floe_tests.platform import helm
from floe_tests.platform.target import Target


def command(
    tmp_path: Path, *, prefix: str = "", root: Path = Path("/project"), **settings: Any
) -> list[str]:
    workspace = Workspace(
        root=root,
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


def test_the_registry_prefix_is_a_global_value_of_charts_that_have_it(tmp_path: Path):
    for chart, values in {"own": "{global: {imageRegistryPrefix: ''}}", "other": "{}"}.items():
        (tmp_path / chart).mkdir()
        (tmp_path / chart / "values.yaml").write_text(values)

    def prefixed(chart: str, prefix: str) -> list[str]:
        words = command(tmp_path, chart=chart, prefix=prefix, root=tmp_path)
        return options(words, "--set-string")

    assert prefixed("own", "localhost:5001/") == ["global.imageRegistryPrefix=localhost:5001/"]
    assert prefixed("other", "localhost:5001/") == []
    assert prefixed("own", "") == []


def check_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, **settings: Any) -> None:
    """Render a remote chart with a helm that fails."""
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    workspace = Workspace(root=tmp_path, output=tmp_path, home=tmp_path, history_url="")
    release = ReleaseSettings(
        name="app", chart="oci://example.com/app", version="1.2.3", **settings
    )
    helm.check(release, kube_version=None, workspace=workspace, directory=tmp_path)


@pytest.mark.functional
def test_a_chart_whose_registry_does_not_answer_is_infrastructure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said = "Error: failed to do request: Head: dial tcp 192.0.2.1:443: connect: connection refused"

    with pytest.raises(InfrastructureError, match=r"chart oci://example\.com/app cannot be had"):
        check_with(tmp_path, monkeypatch, said)


@pytest.mark.functional
def test_a_chart_that_helm_refuses_is_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(ConfigurationError, match=r"helm refuses chart oci://example\.com/app"):
        check_with(tmp_path, monkeypatch, "Error: values do not meet the schema")


@pytest.mark.functional
@pytest.mark.parametrize("values", [{}, {"greeting": "it's"}], ids=["none", "some"])
def test_the_command_of_a_refusal_needs_no_file_that_is_gone_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
):
    with pytest.raises(ConfigurationError) as refused:
        check_with(tmp_path, monkeypatch, "Error: no", values=values)
    monkeypatch.undo()
    shown = str(refused.value).partition("The command was `")[2].removesuffix("`.")
    helm_program = tmp_path / "bin" / "helm"
    helm_program.write_text('#!/bin/sh\necho "$@"\ncat\n')

    again = subprocess.run(
        ["/bin/sh", "-c", shown],
        env={"PATH": f"{helm_program.parent}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    words, _, given = again.stdout.partition("\n")
    assert "-values.yaml" not in words
    assert "--kube-version 1.34" in words, "helm's own default is its build's"
    assert json.loads(given or "{}") == values
    assert ("--values -" in words) == bool(values)
