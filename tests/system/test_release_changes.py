"""A tier that upgrades its release between suites, and rolls it back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.core.errors import PlatformError
from floe_tests.core.verdict import Cause
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.platform import helm
from floe_tests.platform.rollout import Target

from .conftest import SmallTier, job

CHART = "apiVersion: v2\nname: engine\nversion: 0.1.0\n"
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {FUEL: {{ .Values.fuel }}}
"""
SUITE = """
import os

import pytest


def test_installed():
    assert os.environ["FUEL"] == "coal"


@pytest.mark.upgraded
def test_upgraded():
    assert os.environ["FUEL"] == "sun"


@pytest.mark.rolled_back
def test_rolled_back():
    assert os.environ["FUEL"] == "coal"
"""


def write_chart(folder: Path) -> None:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(CHART)
    (folder / "values.yaml").write_text("fuel: coal\n")
    (folder / "templates" / "settings.yaml").write_text(SETTINGS)


def test_each_suite_meets_the_release_as_it_was_changed_before_it(small_tier: SmallTier) -> None:
    write_chart(small_tier.root / "chart")
    (small_tier.root / "sun.yaml").write_text("fuel: sun\n")
    changes = {
        "upgraded": {"release": "engine", "action": "upgrade", "values_files": ["sun.yaml"]},
        "rolled-back": {"release": "engine", "action": "rollback"},
    }
    manifest = job(SUITE, envFrom=[{"configMapRef": {"name": "settings"}}])
    run = small_tier.prepare(
        manifest,
        releases=[{"name": "engine", "chart": "chart"}],
        suites=[
            {
                "name": "installed",
                "job": "test-job.yaml",
                "excluded_groups": ["upgraded", "rolled_back"],
            },
            *(
                {
                    "name": name,
                    "job": "test-job.yaml",
                    "before": change,
                    "groups": [name.replace("-", "_")],
                }
                for name, change in changes.items()
            ),
        ],
    )
    published = small_tier.finish(run)

    assert [str(suite.verdict.cause) for suite in published.suites] == [Cause.PASS] * 3
    assert [[case.name for case in suite.results.cases] for suite in published.suites] == [
        ["test_suite::test_installed"],
        ["test_suite::test_upgraded"],
        ["test_suite::test_rolled_back"],
    ]
    installed = run.entries.platform()
    assert installed is not None
    assert [
        (change.suite, change.action, change.release.revision) for change in installed.changes
    ] == [("upgraded", "upgrade", 2), ("rolled-back", "rollback", 3)]


ENGINE = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: engine
  labels: &labels {app.kubernetes.io/instance: {{ .Release.Name }}}
spec:
  selector: {matchLabels: *labels}
  template:
    metadata: {labels: *labels}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: engine
          image: {{ .Values.imageRegistryPrefix }}ghcr.io/floe/test-runner:0.1.0
          command: [sh, -c, {{ .Values.command | quote }}]
"""


@pytest.mark.thorough
def test_an_upgrade_mends_a_release_that_did_not_come_up(
    tmp_path: Path, kubeconfig: Path, kube: Kube
) -> None:
    """What helm finds broken is what it is to mend, and ends no wait while it does."""
    write_chart(tmp_path / "chart")
    (tmp_path / "chart" / "templates" / "engine.yaml").write_text(ENGINE)
    said: list[str] = []
    target = Target(
        ClusterAccess(kubeconfig=str(kubeconfig)),
        "floe-mended",
        Workspace.from_environment(tmp_path, {}),
        tmp_path,
        log=said.append,
    )

    def release(command: str) -> ReleaseSettings:
        values = {
            "command": command,
            "imageRegistryPrefix": os.environ.get("IMAGE_REGISTRY_PREFIX", ""),
        }
        return ReleaseSettings(name="engine", chart="chart", values=values, ready_seconds=120)

    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target.namespace}})
    try:
        with pytest.raises(PlatformError, match="crashed: Error, exit code 1"):
            helm.install(release("exit 1"), target)

        installed = helm.install(release("exec sleep infinity"), target)

        assert installed.revision == 2
        assert any("ready after" in line for line in said)
    finally:
        kube.delete("Namespace", target.namespace)
