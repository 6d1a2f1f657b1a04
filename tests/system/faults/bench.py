"""One fault at a time: a run in progress, something done to it, and what the run made of that."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.labels import RUN, label_value
from floe_tests.core.verdict import Cause
from floe_tests.execution.attempt import Attempt
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.run import TierRun

from ..conftest import SmallTier, go_through  # noqa: TID252 - suites are folders, not packages
from ..fault_table import Row  # noqa: TID252

# Long enough for a fault to be done to it, short enough for a test.
DEADLINES = {"tests_seconds": 60, "pod_seconds": 80, "job_seconds": 200}


class RunningRun:
    """A run of a tier that goes on while a test does something to it."""

    def __init__(self, run: TierRun, lines: list[str], kube: Kube) -> None:
        self.run = run
        self.lines = lines
        self._kube = kube
        self._published: PublishedRun | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        run = self.run
        try:
            # The stage has kept the error, and the verdict rests on it.
            with contextlib.suppress(FloeTestsError):
                go_through(run)
            self._published = publish(run.state())
        except BaseException as error:  # noqa: BLE001 - raised again by finish()
            self._failure = error
        finally:
            run.give_back()

    def wait_for(self, words: str, *, seconds: float = 60) -> None:
        """Wait until the run has said something."""
        self.wait_until(lambda: any(words in line for line in self.lines), words, seconds)

    def wait_for_second_start(self, *, seconds: float) -> None:
        """Wait until the tests of a second attempt run."""

        def started() -> bool:
            lines = "\n".join(self.lines)
            return "tests started" in lines.partition("Once more")[2]

        self.wait_until(started, "the tests of a second attempt", seconds)

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until something holds, or the run is over."""
        deadline = Deadline(seconds)
        while not holds():
            self._thread.join(timeout=0.1)
            over = not self._thread.is_alive() and not holds()
            if deadline.passed or over:
                raise AssertionError("\n".join([f"never: {what}", *self.lines]))

    @property
    def namespace(self) -> str:
        """The run's namespace."""
        return f"floe-test-{self.run.run_id[:8]}"

    def pods(self) -> list[JsonObject]:
        """The pods of the run's Jobs."""
        selector = f"{RUN}={label_value(self.run.run_id)},job-name"
        return self._kube.list("Pod", namespace=self.namespace, label_selector=selector)

    def pod(self) -> str:
        """Name of the one pod that the run has now."""
        (pod,) = self.pods()
        return str(pod["metadata"]["name"])

    def abandon(self) -> None:
        """Take the run's namespace away, if it still goes on; it ends by that."""
        if self._thread.is_alive():
            # An API server that the test has stopped may be on its way back.
            Kube(self._kube.access, patience_seconds=60).delete("Namespace", self.namespace)
            self._thread.join(timeout=120)

    def finish(self, *, seconds: float = 240) -> PublishedRun:
        """Wait for the run's end."""
        self._thread.join(timeout=seconds)
        sys.stdout.write("\n".join(self.lines))
        assert not self._thread.is_alive(), "the run did not end"
        if self._failure is not None:
            raise self._failure
        assert self._published is not None
        return self._published


class FaultBench:
    """Runs small suites on the cluster, does things to them, and keeps the table."""

    def __init__(self, tier: SmallTier, kube: Kube, rows: list[Row]) -> None:
        self.tier = tier
        self.kube = kube
        self._rows = rows
        self.own_rows: list[Row] = []
        self._running: list[RunningRun] = []

    def start(
        self, manifest: dict[str, object], *, prefix: str | None = None, **settings: object
    ) -> RunningRun:
        """Start a run; the test goes on at once.

        Args:
            manifest: Its test-job.yaml.
            prefix: Another registry prefix than the environment's.
            settings: The tier's settings, over those that it needs.
        """
        run = self.tier.prepare(manifest, **{"deadlines": DEADLINES, **settings})
        if prefix is not None:
            run = replace(run, workspace=replace(run.workspace, image_registry_prefix=prefix))
        running = RunningRun(run, self.tier.log, self.kube)
        self._running.append(running)
        return running

    def abandon(self) -> None:
        """End what a failed test has left going, so that the next one has the cluster to itself."""
        for running in self._running:
            running.abandon()

    def run(
        self, manifest: dict[str, object], *, prefix: str | None = None, **settings: object
    ) -> PublishedRun:
        """Run a suite whose fault is in itself."""
        return self.start(manifest, prefix=prefix, **settings).finish()

    def kubectl(self, *words: str, seconds: float = 60) -> str:
        """Do something to the cluster as a person would."""
        done = self._kubectl(words, seconds)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def kubectl_succeeds(self, *words: str, seconds: float = 60) -> bool:
        """Try something that may be refused."""
        return self._kubectl(words, seconds).returncode == 0

    def _kubectl(self, words: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.tier.kubeconfig), *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def on_node(self, node: str, command: str, *, seconds: float = 60) -> str:
        """Run a shell command on a node."""
        done = subprocess.run(
            ["docker", "exec", node, "bash", "-euo", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def judge(
        self,
        fault: str,
        published: PublishedRun,
        expected: Cause,
        *evidence: str,
        finally_seen: Cause | None = None,
    ) -> Attempt | None:
        """Write the table's row, then check it.

        Args:
            fault: What was done, for the table.
            published: What the run came to.
            expected: The verdict of the first attempt, or of the run that had none.
            evidence: Words that its evidence must hold.
            finally_seen: The verdict of the whole run; the same unless it was attempted again.

        Returns:
            The first attempt; None when there was none.
        """
        attempts = published.suites[0].attempts
        first = attempts[0] if attempts else None
        verdict = first.verdict if first else published.verdict
        row = Row(
            fault,
            str(expected),
            str(verdict.cause),
            first.timings.to_verdict if first else None,
            str(published.verdict.cause),
        )
        self._rows.append(row)
        self.own_rows.append(row)
        shown = "\n".join(str(item) for item in verdict.evidence)
        assert verdict.cause is expected, f"{verdict}\n{shown}"
        missing = [words for words in evidence if words not in shown]
        assert not missing, f"not in the evidence: {missing}\n{shown}"
        assert published.verdict.cause is (finally_seen or expected), str(published.verdict)
        if len(attempts) > 1:
            assert str(expected) in str(published.verdict), "the verdict hides an attempt"
        return first


def pod_of(manifest: dict[str, object]) -> dict[str, Any]:
    """Return the pod's specification in a test-job.yaml, to change it."""
    spec = cast("dict[str, Any]", manifest["spec"])
    return spec["template"]["spec"]
