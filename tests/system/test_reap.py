"""SIGKILL of the orchestrator at every stage: the reaper leaves nothing, and touches nobody else's.

Beside every killed run stand what must not be touched: a live run of the same ledger, namespaces of
others, a run that only another machine knows, and a kind cluster that no run created.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from floe_tests.cleanup.plan import Scope
from floe_tests.cleanup.processes import processes_of_runs
from floe_tests.cleanup.reaper import reap
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.ledger import Ledger
from floe_tests.environments.lease import Lease
from floe_tests.kube.client import Kube
from floe_tests.results.history.store import History

from .conftest import CLUSTER, ROOT, TEST_IMAGE, job
from .dagster_job import DagsterJob, Place, write_project
from .fault_table import Row
from .kind_clusters import kind_clusters, no_container_left

OWN_CLUSTER = f"{CLUSTER}-reap"
HANGING = """
    import threading
    def test_before(): pass
    def test_waits(): threading.Event().wait()
"""
GREEN = "def test_good(): pass"
SHARED: dict[str, object] = {"cluster": CLUSTER}
# Holds its namespace back for as long as it has its finalizer.
ANCHOR = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "anchor", "finalizers": ["floe-tests.example/holds"]},
}
SYSTEM = ("default", "kube-system")
NO_FINALIZERS = {"metadata": {"finalizers": None}}


@dataclass(frozen=True)
class Reaper:
    """`floe-tests reap`, as somebody runs it who has the same DAGSTER_HOME."""

    place: Place
    table: list[Row]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.place.home / "floe-tests" / "runs")

    def run(self, *words: str, under: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
        program = str(Path(sys.executable).with_name("floe-tests"))
        done = subprocess.run(
            [*under, program, "reap", "--json", *words],
            env={**os.environ, "DAGSTER_HOME": str(self.place.home)},
            capture_output=True,
            text=True,
            timeout=330,
            check=False,
        )
        print(done.stdout, done.stderr)  # noqa: T201 - pytest shows it when the test fails
        return done.returncode, json.loads(done.stdout)

    def lease(self, run_id: str) -> Lease:
        lease = self.ledger.read(run_id, "lease", Lease)
        assert lease is not None
        return lease

    def rows(self, run_id: str) -> dict[str, list[str]]:
        """What a dry run says may go of a run: kind of thing → names with details."""
        code, found = self.run()
        assert code == 0
        rows: dict[str, list[str]] = {}
        for item in found["removable"]:
            if item["run_id"] == run_id:
                rows.setdefault(item["what"], []).append(f"{item['name']} {item['detail']}".strip())
        return rows

    def cause(self, run_id: str) -> str:
        with History.open(f"sqlite:///{self.place.home / 'floe_tests.db'}") as history:
            run = history.run(run_id=run_id)
        assert run is not None, "the killed run left no trace"
        return run.cause

    def judge(self, stage: str, run_id: str, expected: str) -> None:
        """Write the table's row, then check what the killed run is remembered as."""
        seen = self.cause(run_id)
        self.table.append(
            Row(f"orchestrator killed: {stage}, then `reap`", expected, seen, None, seen)
        )
        assert seen == expected


@pytest.fixture(scope="module")
def reaper(tmp_path_factory: pytest.TempPathFactory, fault_table: list[Row]) -> Reaper:
    return Reaper(Place.below(tmp_path_factory.mktemp("reap")), fault_table)


@pytest.fixture(scope="module")
def neighbours(
    reaper: Reaper, kube: Kube, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], dict[str, str]]]:
    """What must not be touched; call it for what is there of it."""
    later = str(int((datetime.now(UTC) + timedelta(hours=2)).timestamp()))
    marked = {labels.RUN: str(uuid4()), labels.EXPIRES: "1"}
    two_labels = {**marked, labels.MANAGED_BY: labels.MANAGER}
    namespaces: dict[str, dict[str, str]] = {
        "of-nobody": {},
        "of-another-manager": {**marked, labels.MANAGED_BY: "Helm"},
        "without-a-manager": marked,
        "without-a-run": {labels.MANAGED_BY: labels.MANAGER, labels.EXPIRES: "1"},
        "of-another-machine": {
            labels.MANAGED_BY: labels.MANAGER,
            labels.RUN: str(uuid4()),
            labels.EXPIRES: later,
        },
        "of-a-team-with-two-labels-and-an-old-date": two_labels,
        # Named as a run names it, and nothing says that a run created it.
        f"floe-test-{marked[labels.RUN][:8]}": two_labels,
    }
    for name, found in namespaces.items():
        kube.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": found}}
        )
    for name in SYSTEM:
        kube.patch("Namespace", name, {"metadata": {"labels": two_labels}})
    project = write_project(
        tmp_path_factory.mktemp("live") / "project",
        job(HANGING),
        kind=SHARED,
        # It outlasts all tests here, on a machine that is slow as well.
        deadlines={"tests_seconds": 1700, "pod_seconds": 1750, "job_seconds": 1800},
        budget={"minutes": 30},
    )
    with start(project, reaper.place) as live:
        live.wait_for("passed test_suite::test_before", timeout_seconds=120)
        of_the_run = f"{labels.RUN}={live.run_id}"

        def there() -> dict[str, str]:
            found = {
                str(item["metadata"]["name"]): str(item["metadata"]["uid"])
                for kind in ("Namespace", "Pod")
                for item in kube.list(kind, label_selector=of_the_run if kind == "Pod" else "")
                if "deletionTimestamp" not in item["metadata"]
                and (kind == "Pod" or item["metadata"]["name"] in {*namespaces, *SYSTEM})
            }
            assert CLUSTER in kind_clusters()
            assert reaper.lease(live.run_id).state == "held"
            return found

        assert len(there()) == len(namespaces) + len(SYSTEM) + 1
        yield there
        live.signal(signal.SIGTERM)
        live.wait(timeout_seconds=90)
    for name in namespaces:
        kube.delete("Namespace", name)
    for name in SYSTEM:
        kube.patch("Namespace", name, {"metadata": {"labels": dict.fromkeys(two_labels)}})


@pytest.fixture(autouse=True)
def untouched(neighbours: Callable[[], dict[str, str]]) -> Iterator[None]:
    """Whatever a test reaps, its neighbours are the same afterwards."""
    before = neighbours()
    assert OWN_CLUSTER not in kind_clusters(), f"`kind delete cluster --name {OWN_CLUSTER}`"
    yield
    # What a failed test leaves must not fail the next one.
    subprocess.run(["kind", "delete", "cluster", "--name", OWN_CLUSTER], check=True)
    assert neighbours() == before


def start(project: Path, place: Place, **environment: str) -> DagsterJob:
    return DagsterJob(
        "small_project.definitions",
        "small",
        directory=project,
        place=place,
        environment=environment,
    )


def kill(process: DagsterJob) -> str:
    """Kill the orchestrator; give its run."""
    run_id = process.run_id
    process.signal(signal.SIGKILL)
    assert process.wait(timeout_seconds=30) == -signal.SIGKILL
    return run_id


def assert_nothing_is_left(reaper: Reaper, kube: Kube, run_id: str) -> None:
    assert [item for item in processes_of_runs() if item.run_id == run_id] == []
    for kind in ("Namespace", "Job", "Pod"):
        assert kube.list(kind, label_selector=f"{labels.RUN}={run_id}") == []
    assert OWN_CLUSTER not in kind_clusters()
    assert no_container_left(OWN_CLUSTER)
    assert reaper.lease(run_id).state == "released"
    assert reaper.rows(run_id) == {}
    assert not (reaper.ledger.directory / "_kind" / f"{OWN_CLUSTER}.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Preparing nodes", marks=pytest.mark.thorough),
        "Starting control-plane",
    ],
)
def test_killed_while_its_cluster_is_being_created(
    tmp_path: Path, reaper: Reaper, kube: Kube, words: str
) -> None:
    project = write_project(tmp_path / "project", job(GREEN), kind={"cluster": OWN_CLUSTER})
    with start(project, reaper.place) as process:
        process.wait_for(words, timeout_seconds=90)
        run_id = kill(process)

    rows = reaper.rows(run_id)
    assert rows, "the reaper does not know of it"
    if words == "Starting control-plane":
        assert rows["cluster"] == [OWN_CLUSTER]
        assert any("kind create cluster" in row for row in rows["process"])
        assert OWN_CLUSTER in kind_clusters(), "a dry run removed something"

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert not (reaper.ledger.directory / run_id / "kubeconfig").exists()
    if words == "Preparing nodes":
        # Docker may have finished a container that the killed program had asked for.
        assert reaper.run("--yes")[0] == 0
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge(f"cluster being created ({words})", run_id, "HARNESS")


@pytest.mark.thorough
def test_killed_while_a_release_is_being_installed(
    tmp_path: Path, reaper: Reaper, kube: Kube
) -> None:
    project = write_project(
        tmp_path / "project",
        job(GREEN),
        kind=SHARED,
        releases=[{"name": "slow", "chart": "chart"}],
    )
    (project / "chart" / "templates").mkdir(parents=True)
    (project / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: slow\nversion: 0.1.0\n")
    (project / "chart" / "templates" / "hook.yaml").write_text(SLOW_HOOK)
    with start(project, reaper.place) as process:
        process.wait_for("$ helm upgrade --install", timeout_seconds=90)
        namespace = reaper.lease(process.run_id).namespace
        for pods in kube.follow("Pod", namespace=namespace, deadline=Deadline(60)):
            if any(item["status"].get("phase") == "Running" for item in pods.values()):
                break
        run_id = kill(process)

    rows = reaper.rows(run_id)
    assert rows["namespace"] == [namespace]
    assert any("helm upgrade --install slow" in row for row in rows["process"])
    assert kube.list("Pod", namespace=namespace), "a dry run removed something"

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge("platform being installed", run_id, "HARNESS")


def test_killed_while_its_tests_run(tmp_path: Path, reaper: Reaper, kube: Kube) -> None:
    project = write_project(tmp_path / "project", job(HANGING), kind=SHARED)
    with start(project, reaper.place) as process:
        process.wait_for("passed test_suite::test_before", timeout_seconds=120)
        run_id = kill(process)

    assert reaper.rows(run_id) == {"namespace": [reaper.lease(run_id).namespace]}
    assert kube.list("Pod", label_selector=f"{labels.RUN}={run_id}")

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge("tests running", run_id, "HARNESS")


@pytest.mark.thorough
def test_what_was_exported_from_a_runs_namespace_and_applied_again_is_listed_and_stays(
    tmp_path: Path, reaper: Reaper, kube: Kube
) -> None:
    """A team keeps a copy to look into a failure: under a name of its own, or the run's."""
    project = write_project(tmp_path / "project", job(HANGING), kind=SHARED)
    with start(project, reaper.place) as process:
        process.wait_for("passed test_suite::test_before", timeout_seconds=120)
        exported = kube.get("Namespace", reaper.lease(process.run_id).namespace)
        run_id = kill(process)
    assert exported is not None
    same = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {key: exported["metadata"][key] for key in ("name", "labels", "annotations")},
    }
    other = {**same, "metadata": {**same["metadata"], "name": "kept-by-a-team"}}
    kube.create(other)

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert kube.get("Namespace", same["metadata"]["name"]) is None, "the real one goes"
    assert reaper.lease(run_id).state == "released"
    kube.create(same)
    try:
        code, done = reaper.run("--yes")

        assert (code, done["remaining"], done["problems"]) == (0, [], [])
        listed = {item["name"]: item for item in done["staying"] if item["run_id"] == run_id}
        assert set(listed) == {same["metadata"]["name"], "kept-by-a-team"}
        assert {item["word"] for item in listed.values()} == {"unproved"}
        for item in listed.values():
            found = kube.get("Namespace", item["name"])
            assert found is not None
            assert "deletionTimestamp" not in found["metadata"]
            by_hand = [*item["command"].split(), "--dry-run=server", "--wait=false"]
            assert subprocess.run(by_hand, check=False).returncode == 0, "it works as it stands"
    finally:
        for name in (same["metadata"]["name"], "kept-by-a-team"):
            kube.delete("Namespace", name)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime (Debian)")
@pytest.mark.parametrize("step", ["+1h", "+1s", "-1s", "-1h"])
def test_a_reaper_whose_clock_was_set_touches_no_live_run(reaper: Reaper, step: str) -> None:
    """The fixture holds its neighbours, the live run's pod among them, against before."""
    _, done = reaper.run("--yes", under=("faketime", "-f", step))

    assert (done["removed"], done["remaining"]) == ([], [])


def test_killed_while_it_writes_its_results_is_not_green(
    tmp_path: Path, reaper: Reaper, kube: Kube
) -> None:
    """Its tests had passed, and its verdict was not out yet."""
    project = write_project(tmp_path / "project", job(GREEN), kind=SHARED)
    database = tmp_path / "history.db"
    with (
        contextlib.closing(sqlite3.connect(database, isolation_level=None)) as held,
        start(project, reaper.place, FLOE_TESTS_HISTORY=f"sqlite:///{database}") as process,
    ):
        process.wait_for("created, quota", timeout_seconds=90)
        held.execute("BEGIN EXCLUSIVE")
        process.wait_for("suite suite: PASS", timeout_seconds=120)
        process.wait_for('Started execution of step "small__results"', timeout_seconds=30)
        run_id = kill(process)

    assert "namespace" in reaper.rows(run_id)

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge("writing results", run_id, "HARNESS")


@pytest.mark.thorough
def test_killed_while_it_gives_its_environment_back(
    tmp_path: Path, reaper: Reaper, kube: Kube
) -> None:
    project = write_project(tmp_path / "project", job(GREEN), kind=SHARED)
    with contextlib.ExitStack() as anchored, start(project, reaper.place) as process:
        process.wait_for("created, quota", timeout_seconds=90)
        namespace = reaper.lease(process.run_id).namespace
        kube.create(ANCHOR, namespace=namespace)
        anchored.callback(kube.patch, "ConfigMap", "anchor", NO_FINALIZERS, namespace=namespace)
        process.wait_for('Started execution of step "small__released"', timeout_seconds=120)
        for found in kube.follow(
            "Namespace", field_selector=f"metadata.name={namespace}", deadline=Deadline(60)
        ):
            # Kubernetes says what keeps it some seconds after its deletion.
            if "floe-tests.example/holds" in json.dumps(found[namespace]["status"]):
                break
        run_id = kill(process)

        assert reaper.rows(run_id) == {"namespace": [namespace]}
        stuck = reap(Scope(reaper.ledger), log=print, seconds=3)
        (remaining,) = stuck.remaining
        assert remaining.item.name == namespace
        assert "floe-tests.example/holds" in remaining.error
        by_hand = [*remaining.item.command.split(), "--dry-run=server", "--wait=false"]
        assert subprocess.run(by_hand, check=False).returncode == 0, "it works as it stands"
        assert reaper.lease(run_id).state == "held", "a later reaper must still know of it"

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge("giving back", run_id, "PASS")  # its verdict was out before


def test_killed_on_this_machine_alone(reaper: Reaper, kube: Kube) -> None:
    with DagsterJob(
        "floe_tests.definitions",
        "integration",
        directory=ROOT,
        place=reaper.place,
        environment={"FLOE_TESTS_CLUSTER": "local"},
    ) as process:
        process.wait_for(" started: pytest", timeout_seconds=120)
        process.wait_for("tests collected", timeout_seconds=60)
        run_id = kill(process)

    rows = reaper.rows(run_id)["process"]
    for words in ("dagster api grpc", "dagster_webserver", "dagster._daemon", "pytest"):
        assert any(words in row for row in rows), f"{words} is not named"

    code, done = reaper.run("--yes")

    assert (code, done["remaining"], done["problems"]) == (0, [], [])
    assert_nothing_is_left(reaper, kube, run_id)
    reaper.judge("on `local`", run_id, "HARNESS")


@pytest.mark.thorough
def test_what_is_kept_says_so_in_the_cluster_and_stays(tmp_path: Path, reaper: Reaper) -> None:
    """A reaper elsewhere goes by the labels alone: they must not name the run's own short time."""
    project = write_project(
        tmp_path / "project", job(GREEN), kind={"cluster": OWN_CLUSTER}, keep="always"
    )
    with start(project, reaper.place) as process:
        assert process.wait(timeout_seconds=180) == 0
    run_id = process.run_id
    lease = reaper.lease(run_id)
    assert lease.access is not None
    own = Kube(lease.access)
    in_23_hours = (datetime.now(UTC) + timedelta(hours=23)).timestamp()
    (namespace,) = own.list("Namespace", label_selector=labels.RUN)
    for item in (namespace, *own.list("Node")):
        found = item["metadata"]["labels"]
        assert found[labels.KEPT] == "true"
        assert int(found[labels.EXPIRES]) > in_23_hours
    elsewhere = Scope(
        Ledger(tmp_path / "another"),
        run_state=lambda asked: "over" if asked == run_id else "unknown",
    )

    done = reap(elsewhere, log=print)

    assert {item.word for item in done.staying if item.run_id == run_id} == {"kept"}
    assert reaper.run("--yes")[0] == 0
    assert OWN_CLUSTER in kind_clusters()


SLOW_HOOK = f"""
apiVersion: batch/v1
kind: Job
metadata:
  name: slow
  annotations: {{helm.sh/hook: pre-install}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: slow
          {{{{- $prefix := (.Values.global | default dict).imageRegistryPrefix | default "" }}}}
          image: {{{{ $prefix }}}}{TEST_IMAGE}
          command: [python, -c, "import threading; threading.Event().wait()"]
          resources: {{limits: {{cpu: 100m, memory: 64Mi}}}}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
