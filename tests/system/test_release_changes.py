"""A tier that upgrades its release between suites, and rolls it back."""

from __future__ import annotations

from pathlib import Path

from floe_tests.jobs.verdict import Cause
from floe_tests.run import InstalledPlatform

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
    installed = run.ledger.read(run.run_id, "platform", InstalledPlatform)
    assert installed is not None
    assert [
        (change.suite, change.action, change.release.revision) for change in installed.changes
    ] == [("upgraded", "upgrade", 2), ("rolled-back", "rollback", 3)]
