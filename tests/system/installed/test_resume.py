"""A run whose worker is taken away: Dagster starts another, and nothing happens twice.

The sensor of a deployment starts it in a real daemon. Its worker is told to end as a drained node
tells it, then the next one is killed, and the third brings the run to its end.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from floe_tests.core.deadline import Deadline
from floe_tests.core.labels import PLATFORM, RUN, TRIGGER
from floe_tests.environments.cluster_holder import held_by
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject
from floe_tests.results.history.store import History

from ..conftest import job  # noqa: TID252 - suites are folders
from ..dagster_job import Place, write_project  # noqa: TID252
from ..dagster_ui import DagsterUi  # noqa: TID252
from .conftest import INSTALLED, NAMESPACE
from .process_launcher import WORKER

SUITE = """
    import pathlib, time
    def test_before(): pass
    def test_waits():
        while not pathlib.Path("/tmp/go").exists():
            time.sleep(0.1)
    def test_after(): pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.below(tmp_path)
    file = place.home / "dagster.yaml"
    config = yaml.safe_load(file.read_text())
    config["run_launcher"] = {"module": "process_launcher", "class": "ProcessLauncher"}
    config["run_monitoring"] |= {"poll_interval_seconds": 2, "max_resume_run_attempts": 3}
    file.write_text(yaml.safe_dump(config))
    return place


@pytest.fixture
def ui(tmp_path: Path, place: Place, kubeconfig: Path) -> Iterator[DagsterUi]:
    project = write_project(
        tmp_path / "project",
        job(SUITE),
        environments=["context"],
        context={"kubeconfig": str(kubeconfig)},
        installed={**INSTALLED, "ready_seconds": 240},
        triggers={"on_deployment": True},
    )
    shutil.copy(Path(__file__).with_name("process_launcher.py"), project)
    with DagsterUi(
        "small_project.definitions", directory=project, place=place, environment={}
    ) as running:
        yield running


def until(found: Callable[[], object], *, seconds: float, what: str) -> None:
    deadline = Deadline(seconds)
    while not found():
        assert not deadline.passed, f"waited {seconds:g} s: {what}"
        time.sleep(0.3)


def pod_of(kube: Kube, run_id: str) -> JsonObject:
    (pod,) = kube.list("Pod", namespace=NAMESPACE, label_selector=f"{RUN}={run_id}")
    return pod


@pytest.mark.thorough
@pytest.mark.usefixtures("platform")
def test_a_run_whose_workers_are_taken_away_comes_to_its_end_with_all_results(
    ui: DagsterUi, place: Place, kube: Kube, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    ui.start_sensor("small_on_deployment")
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        started = dg.RunsFilter(tags={TRIGGER: "deployment"})
        until(lambda: instance.get_runs(started), seconds=90, what="the sensor starts a run")
        (run,) = instance.get_runs(started)

        def worker() -> int:
            found = instance.get_run_by_id(run.run_id)
            assert found is not None
            return int(found.tags[WORKER])

        def resumed() -> int:
            return sum("is resumed" in line for line in ui.said(run.run_id))

        ui.wait_for_log(run.run_id, "passed test_suite::test_before", timeout_seconds=180)
        pod = pod_of(kube, run.run_id)

        os.kill(worker(), signal.SIGTERM)  # as a node that is drained does
        ui.wait_for_log(run.run_id, "the run goes on in another process", timeout_seconds=30)
        until(lambda: resumed() == 1, seconds=60, what="another worker resumes the run")
        os.kill(worker(), signal.SIGKILL)
        until(lambda: resumed() == 2, seconds=60, what="a third worker resumes the run")

        now = pod_of(kube, run.run_id)
        assert now["metadata"]["uid"] == pod["metadata"]["uid"], "the tests ran on, in one pod"
        assert "deletionTimestamp" not in now["metadata"]
        go = ["touch", "/tmp/go"]  # noqa: S108 - the container's own
        name = str(now["metadata"]["name"])
        list(kube.run_in(name, go, namespace=NAMESPACE, container="test-runner", seconds=20))
        ui.wait_for_status(run.run_id, "SUCCESS", timeout_seconds=90)
        tags = instance.get_runs(started)[0].tags

    record = ui.remembered(run.run_id)
    assert (record.cause, record.outcome) == ("PASS", "passed")
    (suite,) = record.suites
    assert (suite.collected, suite.reported, suite.tally.passed) == (3, 3, 3)
    assert len(suite.attempts) == 1
    assert record.platform["fingerprint"]["chart"].startswith("floe-platform-")
    with History.open(f"sqlite:///{place.home / 'floe_tests.db'}") as history:
        assert len(history.runs(tier="small", provider="context")) == 1
    assert held_by(kube, NAMESPACE) is None
    assert len(tags[PLATFORM]) == 16
    received = place.output / "small" / "runs" / run.run_id / "suite-1"
    assert not (received / "frames.log").exists()
