"""A small API server on a real socket: it lists, watches, refuses, falls silent and breaks off."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

TOKEN = "token-of-the-test"  # noqa: S105 - opens nothing


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Stream:
    """A streamed answer: pieces, each a chunk of its own, and how it goes on after them."""

    pieces: tuple[bytes, ...] = ()
    then: Literal["end", "cut", "hang"] = "end"


@dataclass
class Script:
    """What the server answers, and what it was asked.

    Attributes:
        lists: Answers to list requests, each a list of objects or an HTTP status that refuses; the
            last one is given again and again.
        watches: Answers to watch requests, in order; then empty streams.
        answers: Answers to other requests, by method and path: a status and a JSON value or text.
        streams: Streamed answers, by path.
        date: The time that it names; None for the real one, empty for none.
    """

    lists: deque[list[dict[str, Any]] | int] = field(default_factory=lambda: deque([[]]))
    watches: deque[Stream] = field(default_factory=deque)
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    date: str | None = None


def status_object(code: int) -> dict[str, Any]:
    reasons = {403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 410: "Expired"}
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reasons.get(code, "InternalError"),
        "message": f"the server says {code}",
    }


class Handler(BaseHTTPRequestHandler):
    """Answers by the script of its server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: Script

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer, with the script's time where it has one."""
        self.send_response_only(code, message)
        date = self.date_time_string() if self.script.date is None else self.script.date
        if date:
            self.send_header("Date", date)

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def _answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(body) if body else None,
        )
        self.script.requests.append(request)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if (self.command, url.path) in self.script.answers:
                self._send(*self.script.answers[self.command, url.path])
            elif url.path in self.script.streams:
                self._stream(self.script.streams[url.path])
            elif "watch" in request.query:
                watches = self.script.watches
                self._stream(watches.popleft() if watches else Stream())
            else:
                self._list()

    def _list(self) -> None:
        lists = self.script.lists
        found = lists.popleft() if len(lists) > 1 else lists[0]
        if isinstance(found, int):
            self._send(found, status_object(found))
        else:
            self._send(200, {"items": found, "metadata": {"resourceVersion": "77"}})

    def _send(self, status: int, value: Any) -> None:
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, stream: Stream) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in stream.pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        if stream.then == "hang":
            self.script.closing.wait()
        if stream.then == "end":
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True


@dataclass
class Clock:
    """A clock that stands still but for the pauses that are made on it."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(frozen=True)
class Api:
    """The server, as a test uses it."""

    script: Script
    access: ClusterAccess
    Stream: type[Stream] = Stream
    clock: Clock = field(default_factory=Clock)

    def kube(self, *, patience_seconds: float = 0) -> Kube:
        """Return a connection to it, by its kubeconfig; its pauses take no time."""
        clock = self.clock
        return Kube(self.access, patience_seconds=patience_seconds, clock=clock, pause=clock.pause)

    @staticmethod
    def pod(name: str, phase: str = "Running") -> dict[str, Any]:
        """Return a pod."""
        return {"metadata": {"name": name, "uid": name}, "status": {"phase": phase}}

    @staticmethod
    def change(kind: str, item: dict[str, Any]) -> bytes:
        """Return a line of a watch."""
        return json.dumps({"type": kind, "object": item}).encode() + b"\n"

    @staticmethod
    def expired() -> bytes:
        """Return the line by which a watch says that its version is too old."""
        return json.dumps({"type": "ERROR", "object": status_object(410)}).encode() + b"\n"


def write_kubeconfig(file: Path, server: str) -> None:
    """Write a kubeconfig with one context, `test`."""
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": server}}],
                "users": [{"name": "test", "user": {"token": TOKEN}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        )
    )


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Start the server."""
    script = Script()
    handler = type("ScriptedHandler", (Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, f"http://127.0.0.1:{server.server_port}")
        yield Api(script, ClusterAccess(kubeconfig=str(kubeconfig)))
        script.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def unreachable(tmp_path: Path) -> ClusterAccess:
    """Return a cluster where nobody listens."""
    kubeconfig = tmp_path / "unreachable"
    write_kubeconfig(kubeconfig, "http://127.0.0.1:9")
    return ClusterAccess(kubeconfig=str(kubeconfig))
