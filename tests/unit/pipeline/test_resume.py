"""A run whose process died: what the next one finds, and what neither does twice."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.config.project import Workspace
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.test_job import load_template
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import InfrastructureError, PlatformError
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.environments import installed
from floe_tests.environments.cluster_holder import LEASE, held_by
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.execution.attempt import Attempt, Timings
from floe_tests.execution.job_run import JobRun
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.resume import FrameJournal, Resume, never
from floe_tests.execution.verdict.facts import ErrorFacts, Facts, ResultFacts
from floe_tests.execution.verdict.rules import classify
from floe_tests.exporter.frames import FrameWriter, Place
from floe_tests.exporter.settings import CHUNK_BYTES, Settings
from floe_tests.orchestration.resume import is_resumable, will_resume
from floe_tests.pipeline import resume
from floe_tests.pipeline.cancellation import CANCELLED_TAG
from floe_tests.pipeline.entries import RunEntries, ledger_of
from floe_tests.pipeline.records import InstalledPlatform, StageRecord, Workers
from floe_tests.pipeline.run import TierRun
from floe_tests.platform import helm
from tests.support.small_cluster import JOB, NAMESPACE, Cluster, put_platform

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
DEAD = Holder(process_id=4194300, created=1.0, host="a-pod-that-is-gone")


def yes() -> bool:
    return True


@pytest.fixture(autouse=True)
def _no_renewals_left() -> Iterator[None]:
    yield
    for run_id in list(installed._renewals):  # pyright: ignore[reportPrivateUsage] - threads of this test
        installed.stop_renewing(run_id)


# --- The frames


class Sender:
    """Writes frames as the exporter does, in one session."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._writer = FrameWriter(
            Settings(bytes_per_second=10**12), session="s" * 16, write=self.lines.append
        )

    def log_of(self, path: str, content: bytes) -> list[bytes]:
        offset = 0
        while offset < len(content):
            piece = content[offset : offset + CHUNK_BYTES]
            place = Place(path, path, 0, offset)
            offset += self._writer.data(place, piece, guess=len(piece))
        return b"".join(self.lines).splitlines()


CONTENT = random.Random(7).randbytes(100_000)  # noqa: S311 - what compresses makes few frames


@pytest.fixture
def journal_of(tmp_path: Path) -> Iterator[Callable[[], FrameJournal]]:
    """Open the journal of an attempt, as each process that reads its log does."""
    with contextlib.ExitStack() as opened:
        yield lambda: opened.enter_context(contextlib.closing(FrameJournal(tmp_path, log=print)))


def test_what_the_log_has_lost_meanwhile_comes_from_the_journal(
    tmp_path: Path, journal_of: Callable[[], FrameJournal]
) -> None:
    """A log rotates while nobody reads it: the first frames are then in the journal alone."""
    lines = Sender().log_of("soak.jsonl", CONTENT)
    assert len(lines) > 3
    first = Receiver(tmp_path / "before", log=print, journal=journal_of())
    first.feed_lines(lines[:3])

    second = Receiver(tmp_path / "results", log=print, journal=journal_of())
    second.feed_lines(lines[2:])

    assert not second.missing
    assert (tmp_path / "results" / "soak.jsonl").read_bytes() == CONTENT
    assert not first.missing


def test_a_log_that_is_read_again_from_its_start_adds_nothing_to_the_journal(
    tmp_path: Path, journal_of: Callable[[], FrameJournal]
) -> None:
    lines = Sender().log_of("soak.jsonl", CONTENT)
    journal = journal_of()
    receiver = Receiver(tmp_path / "results", log=print, journal=journal)

    for _ in range(3):
        receiver.feed_lines(lines)

    assert list(journal.lines()) == lines


def test_a_journal_that_cannot_be_written_costs_the_resume_alone(tmp_path: Path) -> None:
    said: list[str] = []
    journal = FrameJournal(tmp_path / "nowhere", log=said.append)
    receiver = Receiver(tmp_path / "results", log=print, journal=journal)

    receiver.feed_lines(Sender().log_of("soak.jsonl", CONTENT))
    journal.remove()

    assert (tmp_path / "results" / "soak.jsonl").read_bytes() == CONTENT
    assert len(said) == 1
    assert "a resumed run may lose results" in said[0]


def test_a_receiver_without_a_journal_keeps_none(tmp_path: Path) -> None:
    Receiver(tmp_path / "results", log=print).finish(Facts(subject="job/a"))

    assert [path.name for path in tmp_path.iterdir()] == ["results"]


# --- The stages


@pytest.fixture
def tier_run(cluster: Cluster, tmp_path: Path) -> Callable[..., TierRun]:
    (tmp_path / "test-job.yaml").write_text(JOB)
    workspace = Workspace(
        root=tmp_path,
        output=tmp_path / "output",
        home=tmp_path,
        history_url=f"sqlite:///{tmp_path / 'history.db'}",
    )
    settings = TierSettings.model_validate(
        {
            "name": "staging-soak",
            "description": "x",
            "environments": ["context"],
            "installed": {"release": "floe-platform", "namespace": NAMESPACE, "wait_seconds": 2},
            "context": {"kubeconfig": cluster.access.kubeconfig, "context": "test"},
            "suites": [{"name": "soak", "job": "test-job.yaml"}],
        }
    )

    def make(**changes: Any) -> TierRun:
        return TierRun(settings=settings, workspace=workspace, run_id=RUN, log=print, **changes)

    return make


def become_another_process(run: TierRun) -> None:
    """Let all that was done so far be another process' work."""
    installed.stop_renewing(RUN)
    run.entries.write_workers(Workers((DEAD,)))
    run.entries.ledger.forget(RUN, "left-for-resume")
    lease = run.entries.lease()
    if lease is not None:
        run.entries.write_lease(lease.__class__(**{**lease.__dict__, "holder": DEAD}))


def go_up_to_the_tests(run: TierRun) -> None:
    with run.stage("cluster"):
        run.acquire()
    with run.stage("platform"):
        run.install()


def test_a_run_that_is_resumed_finds_its_lease_and_its_platform(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    first = tier_run()
    go_up_to_the_tests(first)
    found, stages = first.entries.platform(), first.entries.stages()
    become_another_process(first)
    put_platform(cluster, digest="changed-meanwhile")
    cluster.requests.clear()

    second = tier_run()
    go_up_to_the_tests(second)

    assert second.is_resumed
    assert second.entries.platform() == found, "what the tests run against was looked at once"
    assert second.entries.stages() == stages, "how long a stage took is what it took"
    assert ("POST", "leases") not in cluster.requests
    lease = second.lease()
    assert (lease.state, lease.holder) == ("held", Holder.this_process())
    second.give_back()
    assert held_by(cluster.kube(), NAMESPACE) is None


def test_a_stage_that_has_failed_fails_again_and_does_nothing(
    tier_run: Callable[..., TierRun],
) -> None:
    run = tier_run()
    evidence_free = ErrorFacts("platform", "release floe-platform: code did not come up")
    run.entries.write_workers(Workers((DEAD,)))
    record = StageRecord("platform", datetime.now(UTC), 3.5, error=evidence_free)
    run.entries.write_stage(record)

    with pytest.raises(PlatformError, match="code did not come up"), run.stage("platform"):
        pytest.fail("the stage was done again")

    assert run.entries.stages()["platform"] == record


def test_an_interrupted_run_that_goes_on_elsewhere_gives_nothing_back(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    run = tier_run(will_resume=yes, is_resumable=True)
    go_up_to_the_tests(run)

    with pytest.raises(KeyboardInterrupt), run.stage("test_job"):
        raise KeyboardInterrupt

    assert run.is_left_for_resume
    assert "test_job" not in run.entries.stages()
    assert held_by(cluster.kube(), NAMESPACE) is not None
    become_another_process(run)
    assert not run.is_left_for_resume, "that was the other one"


def test_an_interrupted_run_that_ends_here_says_so(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    run = tier_run(will_resume=never)
    go_up_to_the_tests(run)

    with pytest.raises(KeyboardInterrupt), run.stage("test_job"):
        raise KeyboardInterrupt

    assert not run.is_left_for_resume
    assert (
        run.entries.stages()["test_job"].cancelled == "interrupted in test_job (KeyboardInterrupt)"
    )
    run.give_back()


def test_a_process_that_was_thought_dead_leaves_the_run_to_the_one_that_has_it(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    """A node that nobody hears goes on: its worker would take the platform from the living one."""
    put_platform(cluster)
    run = tier_run()
    go_up_to_the_tests(run)
    resume.leave_for_resume(run.entries)
    run.entries.write_workers(Workers((Holder.this_process(), DEAD)))

    assert run.is_resumed_elsewhere
    assert run.give_back() is None
    assert held_by(cluster.kube(), NAMESPACE) is not None


def test_a_run_that_had_given_its_environment_back_takes_it_no_more(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    first = tier_run()
    go_up_to_the_tests(first)
    first.entries.write_stage(StageRecord("test_job", datetime.now(UTC), 1))
    first.give_back()
    become_another_process(first)

    second = tier_run()
    go_up_to_the_tests(second)
    second.require_lease()

    assert held_by(cluster.kube(), NAMESPACE) is None


def test_processes_of_a_machine_are_not_resumed(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    run = tier_run()
    go_up_to_the_tests(run)
    become_another_process(run)
    lease = run.entries.lease()
    assert lease is not None
    local = lease.__class__(**{**lease.__dict__, "provider": "local"})
    run.entries.write_lease(local)
    run.entries.ledger.forget(RUN, "stage-cluster")

    with (
        pytest.raises(InfrastructureError, match="processes of that machine"),
        run.stage("cluster"),
    ):
        run.acquire()


def test_what_was_installed_before_a_resume_is_not_installed_again(
    tier_run: Callable[..., TierRun],
) -> None:
    run = tier_run()
    assert run.entries.platform() is None
    run.entries.write_platform(InstalledPlatform(seconds=2))
    known = run.entries.platform()
    assert known is not None
    assert run.install() == known


def test_an_installation_that_was_cut_off_is_said(
    cluster: Cluster, tier_run: Callable[..., TierRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm locks a release that it did not finish: a second try would wait for that in vain."""
    put_platform(cluster)
    monkeypatch.setattr(helm, "install", killed)
    first = tier_run()
    with first.stage("cluster"):
        first.acquire()
    with pytest.raises(KeyboardInterrupt):
        with_release(first).install()
    become_another_process(first)

    second = tier_run()
    second.acquire()

    with pytest.raises(InfrastructureError, match="ended while helm worked"):
        with_release(second).install()


def with_release(run: TierRun) -> TierRun:
    """Let a run install a release of its own."""
    fields = {**run.settings.model_dump(), "releases": [{"name": "one", "chart": "charts/one"}]}
    return replace(run, settings=TierSettings.model_validate({**fields, "installed": None}))


def killed(*_words: object, **_options: object) -> None:
    raise KeyboardInterrupt


# --- The Job


@pytest.fixture
def job_run(cluster: Cluster, tmp_path: Path) -> Callable[[Resume], JobRun]:
    (tmp_path / "test-job.yaml").write_text(JOB)
    owner = Owner(RUN, "staging-soak", "main", "1", datetime.now(UTC) + timedelta(hours=1))
    spec = AttemptSpec(
        owner=owner,
        suite="soak",
        attempt=1,
        namespace=NAMESPACE,
        provider="context",
        image_registry_prefix="",
        groups=(),
        excluded_groups=(),
        deadlines=DeadlineSettings(),
    )
    directory = tmp_path / "attempt"
    directory.mkdir()

    def make(state: Resume) -> JobRun:
        return JobRun(
            cluster.kube(),
            load_template(tmp_path / "test-job.yaml"),
            spec,
            directory=directory,
            log=_interrupting,
            resume=state,
        )

    return make


def _interrupting(line: str) -> None:
    """Interrupt the attempt once its Job is there, as a signal does."""
    if "created in" in line or "is resumed" in line:
        raise KeyboardInterrupt


NAME = f"soak-{RUN[:8]}-1"


def test_a_job_is_left_running_for_the_next_process(
    cluster: Cluster, job_run: Callable[[Resume], JobRun]
) -> None:
    begun: list[bool] = []
    state = Resume(is_possible=True, begin=lambda: begun.append(True), is_due=yes)

    with pytest.raises(KeyboardInterrupt):
        job_run(state).run(record=lambda _: pytest.fail("it is not over"))

    assert cluster.names("jobs") == {NAME}
    assert begun == [True]
    assert "DELETE" not in {method for method, _ in cluster.requests}


def test_a_job_goes_where_no_process_takes_it_up(
    cluster: Cluster, job_run: Callable[[Resume], JobRun]
) -> None:
    recorded: list[object] = []

    with pytest.raises(KeyboardInterrupt):
        job_run(Resume()).run(record=recorded.append)

    assert cluster.names("jobs") == set()
    assert len(recorded) == 1


def test_a_job_that_is_there_is_resumed_and_not_made_again(
    cluster: Cluster, job_run: Callable[[Resume], JobRun]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        job_run(Resume(is_possible=True, is_due=yes)).run(record=print)
    cluster.requests.clear()

    with pytest.raises(KeyboardInterrupt):
        job_run(Resume(is_possible=True, is_begun=True, is_due=yes)).run(record=print)

    assert ("POST", "jobs") not in cluster.requests


def test_a_job_whose_creation_was_not_noted_is_resumed_too(
    cluster: Cluster, job_run: Callable[[Resume], JobRun]
) -> None:
    """Killed between the API's answer and the note: the name is taken, and by this very run."""
    with pytest.raises(KeyboardInterrupt):
        job_run(Resume(is_possible=True, is_due=yes)).run(record=print)
    uid = cluster.objects["jobs", NAME]["metadata"]["uid"]

    with pytest.raises(KeyboardInterrupt):
        job_run(Resume(is_possible=True, is_due=yes)).run(record=print)

    assert cluster.objects["jobs", NAME]["metadata"]["uid"] == uid


def test_a_job_of_that_name_that_is_anothers_is_a_mistake(
    cluster: Cluster, job_run: Callable[[Resume], JobRun]
) -> None:
    cluster.put("jobs", NAME, metadata={"labels": {"floe-tests/run": "another"}})

    attempt = job_run(Resume(is_possible=True)).run(record=print)

    assert attempt.verdict.cause == "CONFIG"
    assert cluster.names("jobs") == {NAME}


@pytest.mark.parametrize("is_there", [True, False], ids=["ended, pod gone", "gone"])
def test_a_job_that_ended_unheard_without_a_pod_is_the_infrastructures(
    cluster: Cluster, job_run: Callable[[Resume], JobRun], *, is_there: bool
) -> None:
    if is_there:
        ended = {"conditions": [{"type": "Failed", "status": "True"}]}
        cluster.put("jobs", NAME, metadata={"labels": {"floe-tests/run": RUN}}, status=ended)

    attempt = job_run(Resume(is_possible=True, is_begun=True)).run(record=print)

    assert attempt.verdict.fault == "infrastructure"
    assert "its pod is gone" in str(attempt.verdict)


# --- Dagster


@pytest.fixture
def launcher(cluster: Cluster) -> dict[str, Any]:
    return {
        "module": "dagster_k8s",
        "class": "K8sRunLauncher",
        "config": {
            "service_account_name": "floe-tests",
            "instance_config_map": "dagster-instance",
            "dagster_home": "/opt/dagster",
            "load_incluster_config": False,
            "kubeconfig_file": cluster.access.kubeconfig,
        },
    }


def monitored(launcher: dict[str, Any] | None, attempts: int = 2) -> dict[str, Any]:
    return {
        "run_monitoring": {"enabled": True, "max_resume_run_attempts": attempts},
        **({"run_launcher": launcher} if launcher else {}),
    }


def launched(
    instance: dg.DagsterInstance, *, by_launcher: bool = True, **options: Any
) -> dg.DagsterRun:
    run = dg.DagsterRun("soak", status=dg.DagsterRunStatus.STARTED, **options)
    if by_launcher:
        run = run._replace(remote_job_origin=_origin())
    return instance.add_run(run)


def _origin() -> Any:
    from dagster._core.remote_origin import (
        RegisteredCodeLocationOrigin,
        RemoteJobOrigin,
        RemoteRepositoryOrigin,
    )

    location = RegisteredCodeLocationOrigin("floe_tests.definitions")
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "soak")


def test_a_run_that_a_launcher_started_is_left_for_resume(launcher: dict[str, Any]) -> None:
    with dg.DagsterInstance.local_temp(overrides=monitored(launcher)) as instance:
        run = launched(instance)
        by_hand = launched(instance, by_launcher=False)

        assert is_resumable(instance, run)
        assert will_resume(instance, run)
        assert not will_resume(instance, by_hand), "`dagster job execute` has nobody after it"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tags": {CANCELLED_TAG: "superseded"}}, id="cancelled, with the reason"),
        pytest.param({"status": dg.DagsterRunStatus.CANCELING}, id="terminated in the UI"),
        pytest.param({"status": dg.DagsterRunStatus.CANCELED}, id="terminated by force"),
        pytest.param({"status": dg.DagsterRunStatus.FAILURE}, id="ran past its maximum"),
    ],
)
def test_a_run_that_was_cancelled_is_not_handed_over(
    launcher: dict[str, Any], options: dict[str, Any]
) -> None:
    with dg.DagsterInstance.local_temp(overrides=monitored(launcher)) as instance:
        run = dg.DagsterRun("soak", **{"status": dg.DagsterRunStatus.STARTED, **options})
        run = instance.add_run(run._replace(remote_job_origin=_origin()))

        assert not will_resume(instance, run)


def test_a_run_that_was_resumed_as_often_as_it_may_is_not_handed_over(
    launcher: dict[str, Any],
) -> None:
    with dg.DagsterInstance.local_temp(overrides=monitored(launcher, attempts=1)) as instance:
        run = launched(instance)
        assert will_resume(instance, run)

        instance.report_engine_event("Launching a new run worker to resume run", run)

        assert not will_resume(instance, run)


def test_a_launcher_that_resumes_nothing_hands_nothing_over() -> None:
    with dg.DagsterInstance.local_temp(overrides=monitored(None, attempts=0)) as instance:
        run = launched(instance)

        assert not is_resumable(instance, run)
        assert not will_resume(instance, run)


def test_the_ledger_of_a_run_that_nobody_worked_on_says_nothing(tmp_path: Path) -> None:
    entries = RunEntries(Ledger(tmp_path), RUN)
    assert not resume.is_resumed(entries)
    assert not resume.is_resumed_elsewhere(entries)
    resume.claim(entries)
    assert not resume.is_resumed(entries)
    workspace = Workspace(root=tmp_path, output=tmp_path, home=tmp_path, history_url="")
    assert ledger_of(workspace).runs(ENTRY) == ()


# --- A cluster that another run has taken meanwhile


class PassingSuite:
    """An attempt that passes, while somebody takes the cluster over."""

    def __init__(self, cluster: Cluster, output: Path, suite: str, number: int) -> None:
        self._cluster, self._output, self._suite, self._number = cluster, output, suite, number

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        found = self._cluster.objects["leases", LEASE]
        found["metadata"]["labels"]["floe-tests/run"] = "another-run"
        facts = Facts(
            subject="job/soak",
            results=ResultFacts(collected=1, reported=1, passed=1, complete=True, started=True),
        )
        attempt = Attempt(
            suite=self._suite,
            number=self._number,
            directory=self._output,
            started_at=datetime.now(UTC),
            facts=facts,
            verdict=classify(facts),
            timings=Timings(total=1),
        )
        record(attempt)
        return attempt

    def remove(self) -> None:
        """Nothing is there."""


def test_tests_that_passed_beside_another_run_are_not_green(
    cluster: Cluster, tier_run: Callable[..., TierRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_platform(cluster)
    run = tier_run()
    go_up_to_the_tests(run)

    def prepare(run: TierRun, _lease: Lease, suite: SuiteSettings, *, number: int) -> PassingSuite:
        return PassingSuite(cluster, run.workspace.output, suite.name, number)

    monkeypatch.setattr("floe_tests.pipeline.suites.prepare", prepare)

    with run.stage("test_job"):
        (attempt,) = run.run_suites()

    assert attempt.verdict.fault == "infrastructure"
    assert "another run has taken the cluster over" in str(attempt.verdict)
    assert run.state().attempts == (attempt,)
    run.give_back()
    assert cluster.objects["leases", LEASE]["spec"].get("holderIdentity"), "it is the other's"


# --- What the platform said


def test_what_the_platform_said_since_the_run_began_is_kept(
    cluster: Cluster, tier_run: Callable[..., TierRun]
) -> None:
    put_platform(cluster)
    cluster.put("pods", "somebody-else", metadata={"labels": {"app": "other"}})
    run = tier_run()
    go_up_to_the_tests(run)

    run.give_back()

    folder = run.workspace.received("staging-soak", RUN) / "platform-logs"
    assert [path.name for path in folder.iterdir()] == ["code-1-code.log"]
    began = run.entries.stages()["cluster"].started_at
    assert cluster.log_queries == [
        {
            "container": "code",
            "previous": "false",
            "sinceTime": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        }
    ]
