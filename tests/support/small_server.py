"""A real HTTP server of a few lines: a registry or a cluster, as a test wants it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass
class Server:
    """What it answers, by path: a status, or an object.

    Attributes:
        address: Host and port.
        answers: Path → an HTTP status, or the object or list that is there. Others are not found.
        may: Tells whether the account has a right, by the attributes of the review.
    """

    address: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    may: Callable[[dict[str, str]], bool] = field(default=lambda _: True)
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == REVIEWS and path not in self.answers:
            attributes = body["spec"]["resourceAttributes"]
            self.asked.append(attributes)
            return 201, {"status": {"allowed": self.may(attributes)}}
        found = self.answers.get(path, 404)
        if isinstance(found, int):
            return found, {"message": f"the server says {found}", "reason": "Forbidden"}
        return 200, {"items": found, "metadata": {}} if isinstance(found, list) else found


@contextlib.contextmanager
def serving() -> Generator[Server]:
    """Serve for the length of a block; what it answers may be changed meanwhile."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            status, value = state.answer(path, json.loads(body) if body else None)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        http.shutdown()
        thread.join()
