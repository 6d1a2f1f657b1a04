"""A real kind cluster for the session, and tiers small enough to run on it in seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.labels import RUN
from floe_tests.environments.lease import Lease
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.run import TierRun

from .fault_table import Row, markdown, slowest_but_few, write_page
from .kind_clusters import PREFIX, TEST_IMAGE, load_images

_HERE = Path(__file__).parent
ROOT = _HERE.resolve().parents[1]
# Another name keeps two checkouts on one machine out of each other's way.
_BASE = os.environ.get("FLOE_SYSTEM_CLUSTER", "floe-system")
# Each worker of pytest-xdist has a cluster of its own, which its tests share.
CLUSTER = "-".join(filter(None, (_BASE, os.environ.get("PYTEST_XDIST_WORKER"))))


_rows = pytest.StashKey[list[Row]]()
_VERDICT_SECONDS = 5.0
# How a worker of pytest-xdist names its rows to the session.
_HANDED_OVER = "fault_rows"
# The page of faults is written here.
_PAGE = "FLOE_FAULTS_PAGE"
# What is marked as thorough runs too.
_THOROUGH = "FLOE_THOROUGH"
# The shipped tiers create the cluster `floe-tests`: one at a time.
_SHIPPED_TIERS = ("test_e2e_job.py", "test_statefun_job.py", "test_integration_job.py")
# What takes longest begins first, so that the workers end at about the same time.
_FIRST = ("staging", "faults")


def _missing() -> str | None:
    """Why no kind cluster can be had here; None when one can."""
    absent = [name for name in ("docker", "kind", "helm", "kubectl") if shutil.which(name) is None]
    if absent:
        return f"not on PATH: {', '.join(absent)}"
    answer = subprocess.run(["docker", "info"], capture_output=True, check=False)
    return None if answer.returncode == 0 else "Docker does not answer"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _missing()
    # Items of the whole session come here, those of other folders too.
    for item in (item for item in items if item.path.is_relative_to(_HERE)):
        item.add_marker("cluster")
        if reason:
            item.add_marker(pytest.mark.skip(reason=f"no kind cluster here: {reason}"))
        elif item.get_closest_marker("thorough") and not os.environ.get(_THOROUGH):
            item.add_marker(pytest.mark.skip(reason="takes minutes: `make test-all` runs it"))
    items.sort(key=_place_of)


def _group_of(path: Path) -> str:
    """Return the group of a test's file: pytest-xdist gives a group to one worker."""
    folder, *_ = path.relative_to(_HERE).parts
    if folder == "staging":
        return "staging"
    return "tiers" if path.name in _SHIPPED_TIERS else path.stem


def _place_of(item: pytest.Item) -> tuple[int, int]:
    """Return where a test stands in the order of the session."""
    if not item.path.is_relative_to(_HERE):
        return (-1, 0)
    if item.path.name in _SHIPPED_TIERS:
        return (0, _SHIPPED_TIERS.index(item.path.name))
    folder = item.path.parent.name
    return (_FIRST.index(folder) + 1 if folder in _FIRST else len(_FIRST) + 1, 0)


class _Groups(LoadScopeScheduling):
    """Tests that share clusters, one group on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        path = self.config.rootpath / nodeid.partition("::")[0]
        return _group_of(path) if path.is_relative_to(_HERE) else super()._split_scope(nodeid)


# Not the mark `xdist_group`: pytest-xdist 3.8 writes it where pytest 9.2 does not look.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return _Groups(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_rows] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = terminalreporter.config.stash.get(_rows, [])
    if rows:
        terminalreporter.section("faults")
        terminalreporter.write(markdown(rows))
        terminalreporter.write_line(
            f"95th percentile to the verdict: {slowest_but_few(rows):.1f} s"
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    rows = session.config.stash.get(_rows, [])
    handed_over: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if handed_over is not None:
        handed_over[_HANDED_OVER] = [asdict(row) for row in rows]
        return
    page = os.environ.get(_PAGE)
    if not page or not rows:
        return
    write_page(Path(page), rows)
    if slowest_but_few(rows) > _VERDICT_SECONDS and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the rows of a worker; one that has crashed has none."""
    handed_over = getattr(node, "workeroutput", {})
    node.config.stash[_rows] += [Row(**row) for row in handed_over.get(_HANDED_OVER, [])]


@pytest.fixture(scope="session")
def fault_table(pytestconfig: pytest.Config) -> list[Row]:
    """The rows of the table of faults, for tests to add theirs."""
    return pytestconfig.stash[_rows]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kind cluster that is there before the runs, so they use it and leave it alone."""
    path = tmp_path_factory.mktemp("kind") / "kubeconfig"
    image = f"{PREFIX}kindest/node:v1.34.2"
    kind = ["kind", "create", "cluster", "--name", CLUSTER, "--image", image]
    delete = ["kind", "delete", "cluster", "--name", CLUSTER]
    subprocess.run(delete, check=True, capture_output=True)
    try:
        subprocess.run([*kind, "--kubeconfig", str(path)], check=True, timeout=240)
        load_images(CLUSTER)
        yield path
    finally:
        subprocess.run(delete, check=True, capture_output=True)


@pytest.fixture(scope="session")
def kube(kubeconfig: Path) -> Kube:
    return Kube(ClusterAccess(kubeconfig=str(kubeconfig)))


def job(test_code: str, **changes: object) -> dict[str, object]:
    """Return a test-job.yaml that writes a test file and runs pytest on it.

    Args:
        test_code: The test file.
        changes: Keys of the container, or of the pod where it has no such key.
    """
    code = textwrap.dedent(test_code)
    script = (
        "mkdir /tmp/suite && cp /app/tests/conftest.py /tmp/suite/ && cd /tmp/suite && "
        'printf %s "$TEST_CODE" > test_suite.py && '
        "exec pytest -p no:cacheprovider test_suite.py "
        "--junitxml=/results/junit.xml --report-log=/results/events.jsonl"
    )
    container: dict[str, object] = {
        "name": "test-runner",
        "image": TEST_IMAGE,
        "command": ["sh", "-c", script],
        "env": [{"name": "TEST_CODE", "value": code}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "results", "mountPath": "/results"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    pod: dict[str, object] = {
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "results", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    for key, value in changes.items():
        (pod if key == "nodeSelector" else container)[key] = value
    pod["containers"] = [container]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "suite", "namespace": "floe-test"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


class SmallTier:
    """A tier of one suite in a project of its own, run through the plain API."""

    def __init__(self, root: Path, kubeconfig: Path) -> None:
        self.root = root
        self.kubeconfig = kubeconfig
        self.log: list[str] = []

    def prepare(self, manifest: dict[str, object], **settings: object) -> TierRun:
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "test-job.yaml").write_text(yaml.safe_dump(manifest))
        tier = TierSettings.model_validate(
            {
                "name": "small",
                "description": "A tier of one small suite.",
                "environments": ["context"],
                "context": {"kubeconfig": str(self.kubeconfig)},
                "suites": [{"name": "suite", "job": "test-job.yaml"}],
                "deadlines": {"tests_seconds": 60, "pod_seconds": 80, "job_seconds": 200},
                **settings,
            }
        )
        workspace = Workspace(
            root=self.root,
            output=self.root / "output",
            home=self.root / "home",
            history_url=f"sqlite:///{self.root / 'history.db'}",
            image_registry_prefix=PREFIX,
            ref="refs/heads/system",
            commit="0" * 40,
        )
        return TierRun(
            settings=tier, workspace=workspace, run_id=str(uuid.uuid4()), log=self.log.append
        )

    def run(self, manifest: dict[str, object], **settings: object) -> PublishedRun:
        """Take a run from cluster to verdict and back."""
        return self.finish(self.prepare(manifest, **settings))

    def finish(self, run: TierRun) -> PublishedRun:
        """Take a run that was prepared from cluster to verdict and back."""
        try:
            go_through(run)
            return publish(run.state())
        finally:
            run.give_back()
            sys.stdout.write("\n".join(self.log))


def go_through(run: TierRun) -> None:
    """Take a run through its stages up to the verdict's."""
    with run.stage("cluster"):
        run.acquire()
    with run.stage("platform"):
        run.install()
    with run.stage("test_job"):
        run.run_suites()


@pytest.fixture
def small_tier(tmp_path: Path, kubeconfig: Path, kube: Kube) -> Iterator[SmallTier]:
    """A small tier; afterwards nothing of its runs may be left in the cluster."""
    yield SmallTier(tmp_path / "project", kubeconfig)
    left = [
        str(item["metadata"]["name"])
        for kind in ("Namespace", "Job", "Pod")
        for item in kube.list(kind, label_selector=RUN)
    ]
    assert left == []


@pytest.fixture
def lease_of() -> Callable[[TierRun], Lease]:
    def read(run: TierRun) -> Lease:
        lease = run.entries.lease()
        assert lease is not None
        return lease

    return read
