"""A platform that dies during the tests is named: beside a red verdict, and of a green run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt, Timings, judge
from floe_tests.execution.stream import Completeness
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts
from floe_tests.pipeline.entries import entries_of
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.records import InstalledPlatform
from floe_tests.pipeline.run import TierRun
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.since_ready import seen
from tests.support.small_cluster import NAMESPACE, Cluster

COMPLETE = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
PASSED = '<testsuite name="s" tests="1"><testcase classname="a" name="one" time="1"/></testsuite>'
FAILED = PASSED.replace('time="1"/>', 'time="1"><failure message="no"/></testcase>')
READY = [{"type": "Ready", "status": "True"}]
UNREADY = [{"type": "Ready", "status": "False", "message": "it is broken"}]


def put_pod(cluster: Cluster, **status: Any) -> dict[str, Any]:
    return cluster.put("pods", "web", status={"phase": "Running", "conditions": READY, **status})


class Suite:
    """An attempt beside which something happens to the platform."""

    def __init__(
        self, directory: Path, suite: str, junit: str, happens: Callable[[], None]
    ) -> None:
        self._directory, self._suite, self._junit = directory, suite, junit
        self._happens = happens

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        self._happens()
        results = self._directory / "results"
        results.mkdir(parents=True)
        (results / "junit.xml").write_text(self._junit)
        ended = ContainerFacts("tests", "terminated", exit_code=int("failure" in self._junit))
        facts, verdict = judge(
            Facts(f"job/{self._suite}", pod=PodFacts(self._suite, "Succeeded", test=ended)),
            directory=results,
            completeness=COMPLETE,
        )
        now = datetime.now(UTC)
        made = Attempt(self._suite, 1, self._directory, now, facts, verdict, Timings(total=1))
        record(made)
        return made

    def remove(self) -> None:
        """Nothing is there."""


Story = dict[str, tuple[str, Callable[[], None]]]


@pytest.fixture
def published(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Story], PublishedRun]:
    """Return what runs suites against a platform of one pod, and publishes them."""

    def run(story: Story) -> PublishedRun:
        def prepare(run: TierRun, _lease: Lease, suite: SuiteSettings, *, number: int) -> Suite:
            directory = run.workspace.received(run.settings.name, run.run_id)
            return Suite(directory / f"{suite.name}-{number}", suite.name, *story[suite.name])

        monkeypatch.setattr("floe_tests.pipeline.suites.prepare", prepare)
        tier = TierRun(
            settings=TierSettings.model_validate(
                {
                    "name": "tiny",
                    "description": "Two suites of a platform.",
                    "environments": ["local"],
                    "suites": [{"name": name, "command": ["true"]} for name in story],
                }
            ),
            workspace=Workspace(
                root=tmp_path,
                output=tmp_path / "output",
                home=tmp_path / "home",
                history_url=f"sqlite:///{tmp_path}/history.db",
            ),
            run_id="1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d",
            log=print,
        )
        with tier.stage("cluster"):
            lease = tier.acquire()
        tier.entries.write_lease(replace(lease, access=cluster.access))
        pods = seen([put_pod(cluster)], namespace=NAMESPACE)
        release = InstalledRelease("web", "web", "1", "1", NAMESPACE, (), 1, pods=pods)
        tier.entries.write_platform(InstalledPlatform(releases=(release,)))
        with tier.stage("test_job"):
            tier.run_suites()
        return publish(tier.state())

    return run


def summary_notices(run: PublishedRun, tmp_path: Path) -> tuple[str, ...]:
    workspace = Workspace(
        root=tmp_path, output=tmp_path / "output", home=tmp_path / "home", history_url=""
    )
    summary = entries_of(workspace, run.run_id).summary()
    assert summary is not None
    return summary.notices


def test_a_platform_that_died_stands_behind_the_tests_own_evidence(
    published: Callable[[Story], PublishedRun], cluster: Cluster
) -> None:
    def dies() -> None:
        put_pod(cluster, conditions=UNREADY)

    run = published({"slow": (FAILED, dies)})

    assert run.verdict.cause == "TEST_FAILURE"
    evidence = [str(each) for each in run.verdict.evidence]
    assert "a::one" in evidence[0]
    assert (
        "pod/web since it was ready (after suite slow): is not ready now: it is broken" in evidence
    )


def test_a_green_run_over_a_dead_platform_has_a_notice(
    published: Callable[[Story], PublishedRun], cluster: Cluster, tmp_path: Path
) -> None:
    def dies() -> None:
        cluster.objects.pop(("pods", "web"))

    run = published({"chaos": (PASSED, dies), "after": (PASSED, lambda: None)})

    assert run.verdict.passed
    gone = "gone, and no pod took its place"
    assert summary_notices(run, tmp_path)[:2] == (
        f"pod/web since it was ready (after suite chaos): {gone}",
        f"pod/web since it was ready (after suite after): {gone}",
    )


def test_a_platform_that_stays_as_it_was_is_no_news(
    published: Callable[[Story], PublishedRun], tmp_path: Path
) -> None:
    run = published({"quiet": (PASSED, lambda: None)})

    assert not any("since it was ready" in each for each in summary_notices(run, tmp_path))
