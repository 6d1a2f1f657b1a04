"""What is remembered of a pod that changes while it is looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.core.labels import Owner
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.observation import Observation

RECORDED = yaml.safe_load(Path(__file__).with_name("pods.yaml").read_text())
OWNER = Owner("1a2b3c4d", "integration", "main", "72c65fc", datetime(2026, 11, 23, tzinfo=UTC))


def observation() -> Observation:
    spec = AttemptSpec(
        owner=OWNER,
        suite="integration",
        attempt=1,
        namespace="ns",
        provider="context",
        image_registry_prefix="",
        groups=(),
        excluded_groups=(),
        deadlines=DeadlineSettings(),
    )
    return Observation(spec, "job/integration", "test-runner")


def deleted(name: str, *, at: str, grace: int) -> dict[str, Any]:
    pod = RECORDED[name]
    timing = {"deletionTimestamp": at, "deletionGracePeriodSeconds": grace}
    return {**pod, "metadata": {**pod["metadata"], **timing}}


def test_a_deletion_was_asked_for_when_the_pod_first_said_so():
    """The grace is cut short at the end, and the pod then names a time after its tests' end."""
    seen = observation()

    seen.see(deleted("running", at="2026-11-23T09:00:50Z", grace=45))
    seen.see(deleted("killed", at="2026-11-23T09:00:20Z", grace=0))

    facts = seen.pod_facts()
    assert facts is not None
    assert facts.deleted_at == "2026-11-23T09:00:05+00:00"


def test_a_deletion_that_the_run_itself_asked_for_is_nobody_elses():
    seen = observation()
    seen.pass_deadline("tests")

    seen.see(deleted("running", at="2026-11-23T09:00:50Z", grace=45))

    facts = seen.pod_facts()
    assert facts is not None
    assert facts.deleted_at is None


def test_the_first_deadline_that_passed_counts():
    seen = observation()

    seen.pass_deadline("tests")
    seen.pass_deadline("job")

    assert seen.passed == "tests"
