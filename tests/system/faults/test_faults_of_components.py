"""The whole platform with one component broken: the verdict names that component, and says why."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from floe_tests.core.verdict import Cause

from ..conftest import ROOT, job  # noqa: TID252 - suites are folders, not packages
from .bench import FaultBench, RunningRun

pytestmark = pytest.mark.thorough

GREEN = "def test_passes(): pass"
LIMITS = {"budget": {"memory": "16Gi", "minutes": 12}}


@pytest.fixture
def platform(bench: FaultBench) -> dict[str, Any]:
    """The release of the e2e tier, as the settings of a tier have it."""
    shutil.copytree(ROOT / "charts" / "floe-platform", bench.tier.root / "chart")
    return {
        "name": "floe-platform",
        "chart": "chart",
        "values": {"catalog": {"kind": "iceberg-rest"}},
        "ready_seconds": 180,
    }


@pytest.mark.parametrize(
    ("component", "values", "words"),
    [
        pytest.param(
            "catalog",
            {"catalog": {"kind": "iceberg-rest", "icebergRest": {"image": {"tag": "9.9.9"}}}},
            ["catalog did not come up", "iceberg-rest:9.9.9", "not found"],
            id="an image that is not there",
        ),
        pytest.param(
            "object storage",
            {
                "catalog": {"kind": "iceberg-rest"},
                "objectStorage": {"volume": {"storageClassName": "no-such-class"}},
            },
            ["object-storage did not come up", "no-such-class"],
            id="no storage",
        ),
    ],
)
def test_a_component_that_cannot_start(
    bench: FaultBench,
    platform: dict[str, Any],
    component: str,
    values: dict[str, Any],
    words: list[str],
) -> None:
    published = bench.run(job(GREEN), releases=[{**platform, "values": values}], **LIMITS)

    bench.judge(f"{component} of the platform broken", published, Cause.PLATFORM_FAIL, *words)
    # As soon as it is known, and not at the deadline.
    assert published.seconds < platform["ready_seconds"]


def test_a_password_that_the_database_does_not_know(
    bench: FaultBench, platform: dict[str, Any]
) -> None:
    """Somebody rotated the Secret and not the role."""
    change = {
        "release": "floe-platform",
        "action": "upgrade",
        "values": {"postgres": {"dagster": {"existingSecret": {"name": "rotated"}}}},
    }
    suites = [{"name": "suite", "job": "test-job.yaml", "before": change}]
    running = bench.start(job(GREEN), releases=[platform], suites=suites, **LIMITS)
    running.wait_for("release floe-platform: postgres-0 ready", seconds=180)
    _create_secret(bench, running, "rotated")
    published = running.finish(seconds=400)

    bench.judge(
        "wrong password of Dagster's database",
        published,
        Cause.PLATFORM_FAIL,
        "did not come up",
        "password authentication failed",
    )


def _create_secret(bench: FaultBench, running: RunningRun, name: str) -> None:
    bench.kubectl(
        "--namespace",
        running.namespace,
        *("create", "secret", "generic", name, "--from-literal=password=not-the-password"),
    )
