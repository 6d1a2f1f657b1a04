"""The hooks of the chart `statefun`, as programs, against an API that answers by a script."""

from __future__ import annotations

import importlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HOOKS = Path(__file__).parents[3] / "charts" / "statefun" / "files" / "hooks"
COLLECTION = "/apis/flink.apache.org/v1beta1/namespaces/floe-test/flinkdeployments"

Answer = tuple[int, list[dict[str, Any]]]
Server = Callable[[Callable[[str, str], Answer]], str]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a program of the hooks, which find each other in their own folder."""
    monkeypatch.syspath_prepend(str(HOOKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def serve() -> Iterator[Server]:
    """Starts a server that answers (method, path) with a status and lines of JSON."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Callable[[str, str], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, lines = answers(self.command, self.path)
                body = "".join(json.dumps(line) + "\n" for line in lines).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


# What each release of the operator writes into a status: the generation in lastReconciledSpec's
# metadata, the one in observedGeneration, and the lifecycle. Source: ReconciliationMetadata,
# CommonStatus and ReconciliationUtils at the tags release-1.7.0 to release-1.15.0.
OPERATORS = {
    "1.7": (True, False),
    "1.8": (True, True),
    "1.9": (True, True),
    "1.10": (False, True),
    "1.11": (False, True),
    "1.15": (False, True),
}


def deployment(
    *,
    manager: str = "READY",
    job: str = "RUNNING",
    generation: int = 2,
    acted_on: int = 2,
    operator: str = "1.11",
    state: str = "DEPLOYED",
) -> dict[str, Any]:
    """A FlinkDeployment with the status that an operator writes."""
    in_metadata, observed = OPERATORS[operator]
    metadata: dict[str, Any] = {"apiVersion": "flink.apache.org/v1beta1", "firstDeployment": True}
    if in_metadata:
        metadata["metadata"] = {"generation": acted_on}
    last = {"spec": {"job": {"state": "running"}}, "resource_metadata": metadata}
    status: dict[str, Any] = {
        "clusterInfo": {},
        "jobManagerDeploymentStatus": manager,
        "jobStatus": {"state": job, "savepointInfo": {}},
        "lifecycleState": "STABLE" if state == "DEPLOYED" else state,
        "reconciliationStatus": {
            "state": state,
            "reconciliationTimestamp": 1764000000000,
            "lastReconciledSpec": json.dumps(last),
            "lastStableSpec": json.dumps(last),
        },
    }
    if observed:
        status["observedGeneration"] = acted_on
    return {"metadata": {"generation": generation}, "status": status}


def changed(seen: dict[str, Any], **status: Any) -> dict[str, Any]:
    """The same deployment with other fields in its status; None removes one."""
    merged = {**seen["status"], **status}
    return {**seen, "status": {name: value for name, value in merged.items() if value is not None}}


def reconciled(last: str | None) -> dict[str, Any]:
    return {"state": "DEPLOYED", "lastReconciledSpec": last}


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_understood(hook: Callable[[str], ModuleType], operator: str) -> None:
    """From 1.10 on, no generation is in lastReconciledSpec; before 1.8, none is beside it."""
    describe = hook("await_job").describe

    assert describe(deployment(operator=operator))[0]
    runs, words = describe(deployment(operator=operator, generation=3))
    assert not runs
    assert words.endswith("the operator has not taken the deployment up")


@pytest.mark.parametrize(
    "seen",
    [
        # 1.8 leaves observedGeneration out where 1.7 had taken the same generation up.
        pytest.param(
            changed(deployment(operator="1.8"), observedGeneration=None), id="1.8 after 1.7"
        ),
        # An older operator may leave alone what it does not know.
        pytest.param(changed(deployment(operator="1.7"), observedGeneration=1), id="1.7 after 1.8"),
        pytest.param(
            changed(deployment(), reconciliationStatus=reconciled("{}")), id="without metadata"
        ),
        pytest.param(
            changed(
                deployment(), reconciliationStatus=reconciled('{"resource_metadata": {"a": 1}}')
            ),
            id="without a generation",
        ),
        pytest.param(changed(deployment(), lifecycleState=None), id="without a lifecycle"),
        pytest.param(changed(deployment(), lifecycleState="DEPLOYED"), id="not stable yet"),
        pytest.param(changed(deployment(), error="a warning of before"), id="an old error"),
    ],
)
def test_a_status_with_less_or_more_in_it_is_understood(
    hook: Callable[[str], ModuleType], seen: dict[str, Any]
) -> None:
    assert hook("await_job").describe(seen)[0]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"metadata": {"generation": 1}}, id="no status"),
        pytest.param({"metadata": {"generation": 1}, "status": None}, id="status null"),
        pytest.param(changed(deployment(), reconciliationStatus=None), id="no reconciliation"),
        pytest.param(
            changed(deployment(operator="1.7"), reconciliationStatus=reconciled("not JSON")),
            id="no JSON",
        ),
        pytest.param(
            changed(deployment(operator="1.7"), reconciliationStatus=reconciled("[]")),
            id="another JSON",
        ),
        pytest.param(
            changed(deployment(operator="1.7"), reconciliationStatus=reconciled(None)),
            id="no spec",
        ),
        # An operator that refuses the new form keeps the job of before, and runs it.
        pytest.param(
            changed(deployment(generation=3), error="flinkVersion is not supported"), id="refused"
        ),
        pytest.param(
            changed(deployment(operator="1.9", generation=3), observedGeneration=2), id="1.9 behind"
        ),
        pytest.param(deployment(state="UPGRADING"), id="upgrading"),
        pytest.param(deployment(state="ROLLING_BACK"), id="going back"),
        # The first deployment failed, and the operator tries again.
        pytest.param(
            changed(
                deployment(job="RECONCILING", manager="MISSING"),
                lifecycleState="FAILED",
                error="quota exceeded",
                reconciliationStatus={"state": "UPGRADING"},
            ),
            id="first deployment failed",
        ),
    ],
)
def test_a_job_that_is_not_the_one_wanted_now_is_waited_for(
    hook: Callable[[str], ModuleType], seen: dict[str, Any]
) -> None:
    assert not hook("await_job").describe(seen)[0]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            {"reconciliationStatus": {"state": "ROLLED_BACK"}}, "last stable", id="rolled back"
        ),
        pytest.param({"lifecycleState": "SUSPENDED"}, "suspended", id="suspended"),
        pytest.param({"lifecycleState": "FAILED"}, "JobManager READY", id="failed"),
    ],
)
def test_what_will_not_run_by_itself_is_not_waited_for(
    hook: Callable[[str], ModuleType], operator: str, status: dict[str, Any], said: str
) -> None:
    """Of the form that is wanted now; of one before, the next `helm upgrade` makes it good."""
    program = hook("await_job")
    now, later = deployment(operator=operator), deployment(operator=operator, generation=3)
    for seen in (now, later):
        over = {name: value for name, value in status.items() if name != "reconciliationStatus"}
        seen["status"].update(over)
        seen["status"]["reconciliationStatus"].update(status.get("reconciliationStatus", {}))

    with pytest.raises(program.EndedError, match=said):
        program.describe(now)
    assert not program.describe(later)[0]


@pytest.mark.parametrize(
    ("seen", "runs"),
    [
        pytest.param(deployment(), True, id="running"),
        pytest.param(deployment(job="CREATED"), False, id="ready is too early"),
        pytest.param(deployment(manager="DEPLOYING"), False, id="manager on its way"),
        pytest.param(deployment(job="FAILED", generation=3), False, id="failed before the upgrade"),
    ],
)
def test_a_job_runs_when_the_operator_says_so_of_what_is_wanted_now(
    hook: Callable[[str], ModuleType], seen: dict[str, Any], *, runs: bool
) -> None:
    """`helm upgrade` would otherwise end with the job of before."""
    assert hook("await_job").describe(seen)[0] is runs


@pytest.mark.parametrize("state", ["FAILED", "FINISHED", "CANCELED"])
def test_a_job_that_has_ended_is_not_waited_for(
    hook: Callable[[str], ModuleType], state: str
) -> None:
    program = hook("await_job")

    with pytest.raises(program.EndedError, match=f"job {state}"):
        program.describe(deployment(job=state))


def test_the_operators_error_is_said_in_one_line(hook: Callable[[str], ModuleType]) -> None:
    seen = deployment(job="RECONCILING")
    seen["status"]["error"] = json.dumps({"message": "no such bucket\nat com.amazonaws"})

    _, words = hook("await_job").describe(seen)

    assert words == "JobManager READY, job RECONCILING: no such bucket"


@pytest.mark.parametrize(
    ("tasks", "run"),
    [
        pytest.param([(4, 4)], True, id="all"),
        pytest.param([(4, 3)], False, id="one is not"),
        pytest.param([(0, 0)], False, id="none yet"),
        pytest.param([], False, id="no job"),
    ],
)
def test_every_task_has_to_run(
    hook: Callable[[str], ModuleType], tasks: list[tuple[int, int]], *, run: bool
) -> None:
    """Flink says RUNNING of a job whose tasks still start."""
    jobs = [{"tasks": {"total": total, "running": running}} for total, running in tasks]

    assert hook("await_job").count_tasks({"jobs": jobs})[0] is run


def test_the_wait_follows_the_deployment_until_it_runs(
    hook: Callable[[str], ModuleType], serve: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    program, api = hook("await_job"), hook("kube_api")
    states = iter([["CREATED"], [], ["CREATED", "RUNNING"]])

    def answers(_method: str, _path: str) -> Answer:
        found = [deployment(job=state) for state in next(states)]
        return 200, [{"type": "MODIFIED", "object": each} for each in found]

    program.await_deployment(
        api.KubeApi(serve(answers), "token"), "floe-test", "statefun", program.Waiting(30)
    )

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == [
        "JobManager READY, job CREATED",
        "JobManager READY, job RUNNING",
    ]


def test_the_wait_ends_with_what_it_saw_last(
    hook: Callable[[str], ModuleType], serve: Server
) -> None:
    program, api = hook("await_job"), hook("kube_api")

    def answers(_method: str, _path: str) -> Answer:
        return 200, [{"type": "ADDED", "object": deployment(manager="MISSING")}]

    with pytest.raises(SystemExit, match=r"not within 0.2 s; last seen: JobManager MISSING"):
        program.await_deployment(
            api.KubeApi(serve(answers), "token"), "floe-test", "statefun", program.Waiting(0.2)
        )


def test_the_wait_outlives_an_api_server_that_is_away(
    hook: Callable[[str], ModuleType], serve: Server
) -> None:
    program, api = hook("await_job"), hook("kube_api")
    statuses = iter([503, 200])

    def answers(_method: str, _path: str) -> Answer:
        return next(statuses), [{"type": "ADDED", "object": deployment()}]

    program.await_deployment(
        api.KubeApi(serve(answers), "token"), "floe-test", "statefun", program.Waiting(30)
    )

    assert next(statuses, None) is None, "it asked until it was answered"


class Operator:
    """An API server with one FlinkDeployment, which goes when somebody lets it."""

    def __init__(self, *, lets_go: bool) -> None:
        self.asked: list[tuple[str, str]] = []
        self._lets_go = lets_go
        self._there = True

    def answer(self, method: str, path: str) -> Answer:
        self.asked.append((method, path.partition("?")[0]))
        if method == "PATCH" or (method == "DELETE" and self._lets_go):
            self._there = False
        if method == "GET" and "watch=1" in path:
            return 200, []
        return (200, [{}]) if self._there or method != "GET" else (404, [{}])


def delete(
    hook: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    program, api = hook("delete_deployment"), hook("kube_api")
    client = api.KubeApi(address, "token")
    monkeypatch.setattr(program.KubeApi, "of_this_pod", lambda: client)
    monkeypatch.setattr(program, "namespace_of_this_pod", lambda: "floe-test")
    monkeypatch.setattr(sys, "argv", ["delete_deployment.py", "statefun", "--deadline-seconds=0.2"])
    program.main()


def test_the_operator_is_left_to_end_the_job(
    hook: Callable[[str], ModuleType], serve: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(lets_go=True)

    delete(hook, monkeypatch, serve(operator.answer))

    assert ("DELETE", f"{COLLECTION}/statefun") in operator.asked
    assert not [each for each in operator.asked if each[0] == "PATCH"]


def test_without_an_operator_the_finalizer_is_struck(
    hook: Callable[[str], ModuleType], serve: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the object stays for ever, and its namespace with it."""
    operator = Operator(lets_go=False)

    delete(hook, monkeypatch, serve(operator.answer))

    assert ("PATCH", f"{COLLECTION}/statefun") in operator.asked


class Broker:
    """A Kafka that answers requests of one kind, each with the next of some error codes."""

    def __init__(self, *codes: int) -> None:
        self.requests: list[bytes] = []
        self._codes = list(codes)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self._codes:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as stream:
                (length,) = struct.unpack(">i", stream.read(4))
                self.requests.append(stream.read(length))
                topics, code = (b"in", b"out"), self._codes.pop(0)
                answer = struct.pack(">iii", 1, 0, len(topics))
                for topic in topics:
                    said = struct.pack(">h", 2) + b"no" if code else struct.pack(">h", -1)
                    answer += struct.pack(">h", len(topic)) + topic + struct.pack(">h", code) + said
                connection.sendall(struct.pack(">i", len(answer)) + answer)
        self._socket.close()


def create_topics(address: str, seconds: float) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(HOOKS / "create_topics.py"), address, "in", "out"]
    return subprocess.run(
        [*program, "--partitions=3", f"--deadline-seconds={seconds}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_topics_are_made_in_one_request() -> None:
    broker = Broker(0)

    ended = create_topics(broker.address, 20)

    assert ended.stdout == "topic in is made\ntopic out is made\n"
    (sent,) = broker.requests
    # CreateTopics in version 2, two topics, three partitions of one replica each.
    assert sent.startswith(struct.pack(">hh", 19, 2))
    assert struct.pack(">ih2sihii", 2, 2, b"in", 3, 1, 0, 0) in sent


def test_topics_that_are_there_stay() -> None:
    """The hook runs after each upgrade, too."""
    ended = create_topics(Broker(36).address, 20)

    assert ended.returncode == 0
    assert ended.stdout == "topic in is there\ntopic out is there\n"


def test_a_broker_that_is_not_ready_is_asked_again() -> None:
    broker = Broker(41, 0)

    ended = create_topics(broker.address, 20)

    assert ended.returncode == 0
    assert len(broker.requests) == 2


def test_topics_that_cannot_be_made_are_said() -> None:
    ended = create_topics(Broker(*[17] * 9).address, 0.2)

    assert ended.returncode == 1
    assert "topic in: error 17: no" in ended.stderr


def wait_for_bucket(address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    host, _, port = address.removeprefix("http://").partition(":")
    return subprocess.run(
        ["bash", str(HOOKS / "wait_for_bucket.sh"), host, port, "checkpoints", str(seconds)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_job_manager_waits_for_the_bucket(serve: Server) -> None:
    statuses = iter([404, 200])

    ended = wait_for_bucket(serve(lambda _method, _path: (next(statuses), [])), 20)

    assert ended.returncode == 0
    assert "404" in ended.stdout
    assert ended.stdout.endswith("bucket checkpoints is there\n")


def test_a_bucket_that_does_not_come_is_said_with_its_remedy(serve: Server) -> None:
    ended = wait_for_bucket(serve(lambda _method, _path: (404, [])), 1)

    assert ended.returncode == 1
    assert "404" in ended.stderr
    assert "statefun-setup" in ended.stderr
