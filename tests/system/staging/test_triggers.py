"""What the daemon starts by itself, once its switches are on."""

from __future__ import annotations

import pytest

from .orchestrator import Orchestrator


@pytest.mark.thorough
def test_a_schedule_starts_a_tier_and_its_green_run_another_once_a_version(
    orchestrator: Orchestrator,
) -> None:
    orchestrator.start_sensor("after_after_quick")
    state = orchestrator.start_schedule("quick_schedule")

    def are_green(tier: str, count: int) -> bool:
        runs = orchestrator.runs_of(tier)
        assert all(cause == "PASS" for _, cause in runs), runs
        return len(runs) >= count

    try:
        orchestrator.wait("two are green", lambda: are_green("quick", 2), timeout_seconds=300)
        orchestrator.wait("one follows", lambda: are_green("after", 1), timeout_seconds=180)
        followed = "had its run"
        orchestrator.wait(
            "the sensor waits for another version",
            lambda: any(
                followed in reason for reason in orchestrator.skip_reasons("after_after_quick")
            ),
            timeout_seconds=180,
        )
    finally:
        orchestrator.stop_schedule(state)
    assert len(orchestrator.runs_of("after")) == 1
    for run_id, _ in orchestrator.runs_of("quick"):
        assert orchestrator.tag(run_id, "floe-tests/trigger") == "schedule"
    ((run_id, _),) = orchestrator.runs_of("after")
    assert orchestrator.tag(run_id, "floe-tests/trigger") == "after quick"
