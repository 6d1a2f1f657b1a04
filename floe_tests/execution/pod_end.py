"""What is done with a pod whose tests have ended: a last look, logs kept, the exporter let go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from floe_tests.core.errors import FloeTestsError, InfrastructureError
from floe_tests.core.log import Log
from floe_tests.execution.manifest import EXPORTER, EXPORTER_COMMAND, GRACE_SECONDS
from floe_tests.execution.own_jobs import OwnJobs
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import lines_of
from floe_tests.execution.verdict.facts import ContainerFacts
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject

_EXPORTER_SECONDS = 5.0
_LAST_LINES = 10
_LAST_CHARACTERS = 1000


class LastLook:
    """Reads what may have changed since the last message, and what explains it."""

    def __init__(self, kube: Kube, pod: PodRun, *, log: Log) -> None:
        """Prepare.

        Args:
            kube: The cluster; a patient one.
            pod: The pod; it is told what is found.
            log: Receives what could not be read.
        """
        self._kube = kube
        self._pod = pod
        self._seen = pod.seen
        self._namespace = pod.seen.spec.namespace
        self._log = log

    def take(self) -> None:
        """Look; what cannot be read hinders nothing else."""
        steps: list[Callable[[], None]] = [self._explain]
        # On a lost node nobody answers for the pod.
        if self._pod.name and not self._pod.node_is_lost:
            steps = [self._see, self._keep_logs, self._explain]
        for step in steps:
            try:
                step()
            except FloeTestsError as error:
                self._log(f"the last look failed: {error}")

    def _see(self) -> None:
        pod = self._pod
        now = self._kube.get("Pod", pod.name, namespace=self._namespace)
        if now is None or not self._seen.is_same(now):
            return
        pod.see(now)
        if pod.is_read and not pod.receiver.has_manifest:
            pieces = self._kube.log_pieces(pod.name, namespace=self._namespace, container=EXPORTER)
            pod.receiver.feed_lines(lines_of(pieces))
        if pod.lingers:
            dismiss_exporter(self._kube, pod.name, namespace=self._namespace)

    def _keep_logs(self) -> None:
        """Keep the ends of the logs: the tests' own, and those of containers that explain it."""
        facts = self._pod.facts
        if facts is None:
            return
        if self._pod.has_started:
            self._keep(self._seen.test_container, "pod.log")
        else:
            for each in facts.init:
                self._keep_words(each, f"init-{each.name}.log", explains=not _ended_well(each))
        for each in (*facts.others, *(facts.sidecars if self._pod.has_started else ())):
            explains = each.state == "terminated" or each.previous is not None
            is_suspect = explains and not _ended_well(each)
            self._keep_words(each, f"container-{each.name}.log", explains=is_suspect)

    def _keep_words(self, container: ContainerFacts, file: str, *, explains: bool) -> None:
        """Keep a log, and its last lines with the facts where they say why it did not go on."""
        if container.state == "waiting" and container.previous is None:
            return
        log = self._keep(container.name, file)
        if log and explains:
            lines = log.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
            self._seen.last_words[container.name] = "\n".join(lines)[-_LAST_CHARACTERS:]

    def _keep(self, container: str, file: str) -> bytes | None:
        log = self._kube.log_tail(
            self._pod.name,
            namespace=self._namespace,
            container=container,
            limit_bytes=self._pod.keeping.log_bytes,
        )
        if log is not None:
            (Path(self._pod.directory) / file).write_bytes(log)
        return log

    def _explain(self) -> None:
        """Read Job and events, unless all went well: to find events is dear for the API server."""
        facts = self._pod.facts
        tests = facts.test if facts is not None and facts.ended_undisturbed else None
        if tests is not None and _ended_well(tests):
            return
        spec = self._seen.spec
        job = self._pod.job or spec.job_name
        self._seen.job = self._kube.get("Job", job, namespace=self._namespace) or self._seen.job
        names = [self._pod.name] if self._pod.name else []
        if self._seen.subject == f"job/{job}":  # of a shard, the Job's events are about all others
            names.append(job)
        self._seen.events = [
            event for name in names for event in events_of(self._kube, name, self._namespace)
        ]


def _ended_well(container: ContainerFacts) -> bool:
    return container.state == "terminated" and container.exit_code == 0


def events_of(kube: Kube, name: str, namespace: str) -> list[JsonObject]:
    """Read the events about an object by its name."""
    return kube.list("Event", namespace=namespace, field_selector=f"involvedObject.name={name}")


def dismiss_exporter(kube: Kube, pod: str, *, namespace: str) -> None:
    """Tell an exporter that stayed for questions that there are none left."""
    # It has ended by itself, or will: it does not stay for long.
    with contextlib.suppress(InfrastructureError):
        _tell(kube, pod, "done", namespace)


def finish(kube: Kube, jobs: OwnJobs, pod: PodRun) -> None:
    """Have the exporter send its last while other containers run on beside tests that have ended.

    The kubelet tells it so only when all others have ended, which a service or a proxy never does.

    Args:
        kube: The cluster.
        jobs: Ends the pod where the exporter cannot be told: its grace has to do then.
        pod: The pod.
    """
    try:
        _tell(kube, pod.name, "finish", pod.seen.spec.namespace)
    except InfrastructureError:
        jobs.stop_pod(pod.name, grace_seconds=GRACE_SECONDS)


def _tell(kube: Kube, pod: str, word: str, namespace: str) -> None:
    for _ in kube.run_in(
        pod,
        [*EXPORTER_COMMAND, word],
        namespace=namespace,
        container=EXPORTER,
        seconds=_EXPORTER_SECONDS,
    ):
        pass
