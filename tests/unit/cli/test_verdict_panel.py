"""What a run's panel shows of its evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.cli.verdict import print_summary
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Cause, Fault
from floe_tests.pipeline.summary import Summary


def panel(capsys: pytest.CaptureFixture[str], *evidence: Evidence) -> str:
    """Return what is printed, unfolded."""
    print_summary(
        Summary(
            run_id="c3a39d62-0000",
            tier="smoke",
            provider="kind",
            cause=Cause.PLATFORM_FAIL,
            fault=Fault.PLATFORM,
            evidence=evidence,
            remedy="Read the events.",
            tests=0,
            passed=0,
            failed=0,
            skipped=0,
            seconds=1,
            junit=Path("junit.xml"),
            finished_at=datetime(2026, 12, 1, tzinfo=UTC),
        )
    )
    lines = capsys.readouterr().out.splitlines()
    return " ".join(" ".join(line.strip("│ ") for line in lines).split())


def test_the_command_below_a_long_error_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """It was cut inside the pod's name, and then names no pod."""
    more = "More: `kubectl --kubeconfig /k describe pod stall-54dbb794c7-trm8z --namespace n`"
    error = f"release stall did not come up\n{'event BackOff ' * 60}\n{more}"

    assert more in panel(capsys, Evidence("run/c3a39d62", "error", error))


def test_what_is_cut_says_so_and_ends_with_a_whole_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = panel(capsys, Evidence("pod/a", "event Failed", "backing-off " * 60))

    assert "backing-off … Read the events." in shown
