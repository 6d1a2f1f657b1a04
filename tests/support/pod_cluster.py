"""A small cluster with pods in it: a Job gets its pod, the pod has logs, a test changes both."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from floe_tests.execution.manifest import EXPORTER
from floe_tests.execution.sharding.job import INDEX_LABEL
from floe_tests.exporter.frames import FrameWriter
from floe_tests.exporter.program import Exporter, Stop
from floe_tests.exporter.settings import read_settings
from tests.support import small_cluster

Json = dict[str, Any]


@dataclass
class PodCluster(small_cluster.Cluster):
    """A cluster whose Jobs have pods.

    Attributes:
        logs: By pod and container.
        denials: Method and plural → status and message of a refusal.
        admit: Changes a Job on its way in, as a webhook does.
        on_job: Called with every Job that is let go, as the Job controller is.
        on_delete: Called with the plural and the object of every deletion.
        queries: Plural and query of every list.
    """

    logs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    denials: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    admit: Callable[[Json], object] = field(default=lambda _: None)
    on_job: Callable[[Json], object] = field(default=lambda _: None)
    on_delete: Callable[[str, Json], object] = field(default=lambda _plural, _item: None)

    def event(self, job: str, reason: str, message: str) -> None:
        """Put an event about a Job there."""
        self.put(
            "events",
            f"{job}.{len(self.objects)}",
            involvedObject={"kind": "Job", "name": job},
            reason=reason,
            message=message,
            lastTimestamp="2026-11-24T09:00:01Z",
        )

    def pod(self, job: Json, name: str = "", **status: Any) -> Json:
        """Put a pod of a Job there."""
        template = job["spec"]["template"]
        name = name or f"{job['metadata']['name']}-abcde"
        labels = {**template["metadata"]["labels"], "job-name": job["metadata"]["name"]}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return self.put(
            "pods",
            name,
            metadata={"labels": labels, "creationTimestamp": now},
            spec={**template["spec"], "nodeName": "one"},
            status={"phase": "Pending", **status},
        )

    def shard(self, job: Json, index: int, name: str = "", **status: Any) -> Json:
        """Put a pod of an Indexed Job there."""
        name = name or f"{job['metadata']['name']}-{index}-abcde"
        made = self.pod(job, name, **status)
        labels = {**made["metadata"]["labels"], INDEX_LABEL: str(index)}
        return self.change("pods", name, metadata={**made["metadata"], "labels": labels})

    def change(self, plural: str, name: str, **parts: Any) -> Json:
        """Change an object that is there."""
        item = self.objects[plural, name]
        return self.put(plural, name, **{**item, **parts})

    def status(self, pod: str, **status: Any) -> Json:
        """Change a pod's status."""
        return self.change("pods", pod, status={**self.objects["pods", pod]["status"], **status})

    def drop(self, plural: str, name: str) -> None:
        """Take an object away, as somebody else does."""
        with self.changed:
            self.objects.pop((plural, name), None)
            self.version += 1
            self.changed.notify_all()


class Handler(small_cluster.Handler):
    cluster: PodCluster

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        url = urlsplit(self.path)
        words = url.path.split("/")
        if words[-1] == "log":
            container = dict(parse_qsl(url.query))["container"]
            found = self.cluster.logs.get((words[-2], container))
            if found is None:
                self._refuse(404)
            else:
                self._send(200, found.decode())
        elif words[-1] == "exec":
            self._refuse(403)
        else:
            super().do_GET()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def _answer(self, plural: str, name: str | None, query: dict[str, str], body: Json) -> None:
        cluster = self.cluster
        denied = cluster.denials.get((self.command, plural))
        if denied is not None and "watch" not in query:
            status = {"kind": "Status", "code": denied[0], "message": denied[1], "reason": "No"}
            self._send(denied[0], status)
            return
        field_name, _, wanted = query.get("fieldSelector", "").partition("=")
        if field_name == "involvedObject.name" and "watch" not in query:
            items = [
                item
                for (kind, _), item in list(cluster.objects.items())
                if kind == plural and item["involvedObject"]["name"] == wanted
            ]
            self._send(200, {"items": items, "metadata": {"resourceVersion": "1"}})
            return
        if self.command == "POST" and plural == "jobs":
            cluster.admit(body)
        before = cluster.objects.get((plural, name or ""))
        super()._answer(plural, name, query, body)
        if self.command == "POST" and plural == "jobs":
            job = cluster.objects["jobs", body["metadata"]["name"]]
            if not job["spec"].get("suspend"):
                cluster.on_job(job)
        elif self.command == "PATCH" and plural == "jobs" and before is not None:
            job = cluster.objects["jobs", str(name)]
            if before["spec"].get("suspend") and not job["spec"].get("suspend"):
                cluster.on_job(job)
        elif self.command == "DELETE" and before is not None:
            cluster.on_delete(plural, before)


def state(name: str, **state: Any) -> Json:
    """Return a container's status: `waiting`, `running` or `terminated` with its fields."""
    return {"name": name, "state": state}


def running(name: str, *, since: str | None = None) -> Json:
    started = since or datetime.now(UTC).isoformat(timespec="seconds")
    return {**state(name, running={"startedAt": started}), "started": True}


def ended(name: str, code: int, reason: str = "", **fields: Any) -> Json:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    words = reason or ("Completed" if code == 0 else "Error")
    times = {"startedAt": now, "finishedAt": now, **fields}
    return state(name, terminated={"exitCode": code, "reason": words, **times})


def waiting(name: str, reason: str = "PodInitializing") -> Json:
    return state(name, waiting={"reason": reason})


def whole_pod(code: int, *, phase: str = "") -> Json:
    """Return the status of a pod whose tests have ended by themselves, and whose exporter has."""
    return {
        "phase": phase or ("Succeeded" if code == 0 else "Failed"),
        "initContainerStatuses": [ended(EXPORTER, 0)],
        "containerStatuses": [ended("tests", code)],
    }


class _Stopped(Stop):
    """The kubelet's signal, which has come: nothing to take over in this process."""

    def __init__(self) -> None:
        self.is_requested = True


def sent_by_exporter(
    folder: Path, *, failing: int = 0, tests: int = 2, module: str = "t.py"
) -> bytes:
    """Return the log of a real exporter on the results of a suite that pytest has run."""
    results = folder / "sent"
    results.mkdir(parents=True, exist_ok=True)
    names = [f"test_{number}" for number in range(tests)]
    reports = [
        {
            "$report_type": "TestReport",
            "nodeid": f"{module}::{name}",
            "when": when,
            "outcome": "failed" if number < failing and when == "call" else "passed",
            "duration": 0.1,
            "longrepr": "no" if number < failing and when == "call" else None,
        }
        for number, name in enumerate(names)
        for when in ("setup", "call", "teardown")
    ]
    finish = {"$report_type": "SessionFinish", "exitstatus": int(failing > 0)}
    lines = [json.dumps(each) for each in ({"$report_type": "SessionStart"}, *reports, finish)]
    (results / "events.jsonl").write_text("\n".join(lines) + "\n")
    (results / "collection.json").write_text(json.dumps({"collected": tests, "deselected": 0}))
    sent = bytearray()
    settings = read_settings({"results": str(results)}, {})
    writer = FrameWriter(settings, session=os.urandom(8).hex(), write=sent.extend)
    Exporter(settings, stop=_Stopped(), writer=writer).run()
    return bytes(sent)
