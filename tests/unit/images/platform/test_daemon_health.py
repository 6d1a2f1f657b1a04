"""The daemon's probes, on heartbeats that the real Dagster wrote."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from dagster import DagsterInstance
from dagster._daemon.types import DaemonHeartbeat
from floe_platform import daemon_health

ALL = dict.fromkeys(daemon_health.REQUIRED_DAEMONS, 1000.0)


def test_heartbeats_are_read_as_dagster_wrote_them(tmp_path: Path) -> None:
    """Dagster stores UTC without a zone; on a machine in another zone an error would be hours."""
    sent = time.time() - 5
    (tmp_path / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path}}}}}\n")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        for name in daemon_health.REQUIRED_DAEMONS:
            instance.add_daemon_heartbeat(DaemonHeartbeat(sent, name, "an-id", []))

    read = daemon_health.read_heartbeats({"FLOE_HISTORY_DIR": str(tmp_path)})

    assert read == pytest.approx(dict.fromkeys(daemon_health.REQUIRED_DAEMONS, sent))


def test_the_required_daemons_are_dagsters_own(tmp_path: Path) -> None:
    """A renamed daemon would keep the pod from ever getting ready."""
    (tmp_path / "dagster.yaml").write_text(
        "run_coordinator: {module: dagster.core.run_coordinator, class: QueuedRunCoordinator}\n"
    )
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        known = set(instance.get_required_daemon_types())

    assert set(daemon_health.REQUIRED_DAEMONS) <= known


def test_an_unreadable_history_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(daemon_health.UnreadableHistoryError, match=r"runs\.db"):
        daemon_health.read_heartbeats({"FLOE_HISTORY_DIR": str(tmp_path)})


def test_a_predecessors_heartbeats_do_not_make_a_daemon_started() -> None:
    assert daemon_health.problems_at_start(ALL, started_at=1001) == tuple(
        f"{name} has sent no heartbeat since this process started"
        for name in daemon_health.REQUIRED_DAEMONS
    )


def test_a_daemon_that_has_sent_all_heartbeats_is_started() -> None:
    assert daemon_health.problems_at_start(ALL, started_at=999) == ()


@pytest.mark.parametrize(
    ("heartbeats", "now", "problems"),
    [
        pytest.param(ALL, 1200, (), id="fresh"),
        pytest.param(
            {**ALL, "SCHEDULER": 800.0},
            1200,
            ("SCHEDULER sent its last heartbeat 400 s ago",),
            id="one-hangs",
        ),
        pytest.param(
            {name: when for name, when in ALL.items() if name != "SENSOR"},
            1200,
            ("SENSOR has never sent a heartbeat",),
            id="one-missing",
        ),
        pytest.param({}, 600, (), id="still-young"),
    ],
)
def test_a_daemon_lives_while_its_heartbeats_are_young(
    heartbeats: dict[str, float], now: float, problems: tuple[str, ...]
) -> None:
    found = daemon_health.problems_in_life(
        heartbeats, started_at=500, now=now, tolerance_seconds=300
    )

    assert found == problems


def test_the_start_of_a_process_is_read_from_the_kernel() -> None:
    own = Path(f"/proc/{os.getpid()}")
    if not own.exists():
        pytest.skip("this system has no /proc; the containers have")

    assert daemon_health.process_start(own) == pytest.approx(psutil.Process().create_time(), abs=2)
