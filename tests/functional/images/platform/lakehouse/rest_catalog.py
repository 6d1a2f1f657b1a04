"""An Iceberg REST catalog for tests: real Iceberg tables of a SQLite catalog, served over HTTP.

It answers what pyiceberg asks of a server, and breaks when a test says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal

from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table import CommitTableRequest

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

# What pyiceberg leaves out when it sends a request, and asks for when it reads one.
_UNSAID = {"location": None, "partition-spec": None, "write-order": None}
_STATUS_OF = {
    NoSuchTableError: 404,
    NoSuchNamespaceError: 404,
    NamespaceAlreadyExistsError: 409,
    TableAlreadyExistsError: 409,
    CommitFailedException: 409,
}


@dataclass
class Fault:
    """What is to go wrong, once.

    Attributes:
        method: GET or POST.
        path: How the path of the request ends.
        status: What is answered.
        when: Whether the request has no effect, has one all the same, or has one only when the
            next request of its kind arrives.
    """

    method: str
    path: str
    status: int = 500
    when: Literal["without", "all-the-same", "late"] = "without"


@dataclass
class RestServer:
    """A catalog that is served.

    Attributes:
        catalog: The catalog itself.
        uri: Where it is served.
        faults: What is to go wrong, in order.
        late: Requests that were answered and have had no effect yet.
        requests: What was asked, as `GET /v1/config`.
    """

    catalog: SqlCatalog
    uri: str = ""
    faults: list[Fault] = field(default_factory=list)
    late: list[tuple[str, str, bytes]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        """Answer a request, or break as told."""
        with self.lock:
            self.requests.append(f"{method} {path}")
            for request in [each for each in self.late if each[:2] == (method, path)]:
                self.late.remove(request)
                self._serve(*request)
            fault = self._fault_for(method, path)
            if fault is None:
                return self._serve_or_refuse(method, path, body)
            if fault.when == "all-the-same":
                self._serve(method, path, body)
            elif fault.when == "late":
                self.late.append((method, path, body))
            return fault.status, _error(fault.status, "UncheckedSQLException", "stale")

    def _fault_for(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == method and path.endswith(fault.path):
                self.faults.remove(fault)
                return fault
        return None

    def _serve_or_refuse(
        self, method: str, path: str, body: bytes
    ) -> tuple[int, dict[str, object]]:
        try:
            return self._serve(method, path, body)
        except tuple(_STATUS_OF) as error:
            code = _STATUS_OF[type(error)]
            return code, _error(code, type(error).__name__, str(error))

    def _serve(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        parts = path.split("/")[2:]
        match method, parts:
            case "GET", ["config"]:
                return 200, {"defaults": {}, "overrides": {}}
            case "POST", ["namespaces"]:
                self.catalog.create_namespace(tuple(json.loads(body)["namespace"]))
                return 200, json.loads(body)
            case "POST", ["namespaces", namespace, "tables"]:
                request = CreateTableRequest.model_validate({**_UNSAID, **json.loads(body)})
                table = self.catalog.create_table(
                    (namespace, request.name),
                    schema=request.table_schema,
                    partition_spec=request.partition_spec or UNPARTITIONED_PARTITION_SPEC,
                    properties=request.properties,
                )
                return 200, _table(table)
            case "GET", ["namespaces", namespace, "tables", name]:
                return 200, _table(self.catalog.load_table((namespace, name)))
            case "POST", ["namespaces", namespace, "tables", name]:
                changes = CommitTableRequest.model_validate_json(body)
                table = self.catalog.load_table((namespace, name))
                self.catalog.commit_table(table, changes.requirements, changes.updates)
                return 200, _table(self.catalog.load_table((namespace, name)))
            case _:
                return 404, _error(404, "NotFoundException", path)


@contextmanager
def serve(catalog: SqlCatalog) -> Iterator[RestServer]:
    """Serve a catalog on a free port."""
    state = RestServer(catalog)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = state.answer(self.command, self.path.partition("?")[0], body)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET: Callable[[], None] = _reply  # noqa: N815 - http.server's names
        do_POST: Callable[[], None] = _reply  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.uri = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(timeout=10)


def _table(table: Table) -> dict[str, object]:
    return {
        "metadata-location": table.metadata_location,
        "metadata": json.loads(table.metadata.model_dump_json()),
        "config": {},
    }


def _error(code: int, kind: str, message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "code": code}}
