"""The tiers of public charts, and the project of files that `take` makes of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from floe_tests.config.loader import load_tiers

from .conftest import EXAMPLES

CHARTS = EXAMPLES / "charts"
REMOTE = ["cert-manager", "podinfo", "postgres", "traefik", "valkey"]


def take(folder: Path, *charts: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHARTS / "take"), str(folder), *charts]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_tiers_of_public_charts_load_and_are_pinned() -> None:
    tiers = load_tiers(CHARTS)
    assert [tier.name for tier in tiers] == REMOTE
    assert all(release.version for tier in tiers for release in tier.releases)


def test_take_makes_a_project_of_given_charts_and_names_what_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = tmp_path / "floe-platform"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: floe-platform\nversion: 0.1.0\n")
    (chart / "values-test.yaml").write_text("{}\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "helm").write_text("#!/bin/sh\necho no such host >&2\nexit 1\n")
    (programs / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    given = [f"{name}={chart}" for name in (*REMOTE[1:], "floe")]

    done = take(tmp_path / "project", *given)

    assert done.returncode == 1
    assert done.stderr.startswith("cert-manager: helm pull oci://")
    assert "no such host" in done.stderr
    tiers = load_tiers(tmp_path / "project")
    assert [tier.name for tier in tiers] == ["floe", *REMOTE[1:]]
    assert {release.chart for tier in tiers for release in tier.releases} == {
        "charts/floe-platform"
    }
