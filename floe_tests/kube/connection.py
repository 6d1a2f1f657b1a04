"""A connection to one cluster: requests that are repeated while the API server is away.

The official client is untyped and its models hide what the API said. Here its transport
(kubeconfig, certificates, tokens, exec plugins) is used, and objects stay what the API sends: JSON.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import InfrastructureError
from floe_tests.kube.access import ClusterAccess, api_client
from floe_tests.kube.errors import RefusedError, refused, transport_errors
from floe_tests.kube.objects import JsonObject

CONNECT_SECONDS = 10.0
AGAIN_SECONDS = 0.5
_READ_SECONDS = 30.0
_VERSION = "/version"
# For as long the time that an answer named is counted on from; then it is asked for again.
_TIME_SECONDS = 30.0


class Connection:
    """A connection to one cluster."""

    def __init__(
        self,
        access: ClusterAccess,
        *,
        patience_seconds: float = 0,
        connections: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Load the credentials; nothing is sent yet.

        Args:
            access: Which cluster.
            patience_seconds: How long a request is repeated while the API server does not answer
                or says that it cannot: one that restarts is away for seconds. Reading, patching
                and deleting can be repeated as they are; what was created meanwhile is found.
            connections: How many are kept open at once for threads beside each other; None leaves
                it to the client.
            clock: The clock that its patience runs on, monotonic seconds.
            pause: Waits between two tries, for seconds of that clock.

        Raises:
            ConfigurationError: There is no such kubeconfig or context.
        """
        self.access = access
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._pause = pause
        self._was_away = False
        self._read_time: tuple[datetime, Deadline] | None = None
        self._api = api_client(access, connections)

    def server_version(self) -> str:
        """Return the API server's version (`v1.34.2`), which also proves that it answers."""
        return str(self.request("GET", _VERSION)["gitVersion"])

    def now(self) -> datetime:
        """Return the API server's time (UTC), to about a second.

        Raises:
            InfrastructureError: It did not answer, or names no time.
        """
        if self._read_time is None or self._read_time[1].passed:
            self.request("GET", _VERSION)
        if self._read_time is None:
            message = "the Kubernetes API's answers have no Date: a proxy before it may take it off"
            raise InfrastructureError(message)
        time, since = self._read_time
        return time + timedelta(seconds=since.elapsed_seconds)

    def _note_time(self, response: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            time = parsedate_to_datetime(response.headers.get("Date"))
            self._read_time = time.astimezone(UTC), Deadline(_TIME_SECONDS, clock=self._clock)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        patience_seconds: float | None = None,
    ) -> JsonObject:
        """Send a request and return its answer.

        Args:
            method: HTTP method.
            path: Path below the server's address.
            query: Query parameters.
            body: What is sent.
            content_type: What that is.
            patience_seconds: How long it is repeated, in place of the connection's own patience.

        Raises:
            RefusedError: The API refused it.
            InfrastructureError: It did not answer.
        """
        patience = Deadline(
            self._patience_seconds if patience_seconds is None else patience_seconds,
            clock=self._clock,
        )
        repeated = False
        while True:
            try:
                return self._request_once(
                    method, path, query=query, body=body, content_type=content_type
                )
            except InfrastructureError as error:
                if isinstance(error, RefusedError):
                    error.repeated = repeated
                    if not error.is_passing:
                        raise
                if patience.passed:
                    raise
            repeated = True
            self._pause(min(AGAIN_SECONDS, patience.remaining_seconds))

    def _request_once(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
    ) -> JsonObject:
        with (
            self._open(method, path, query=query, body=body, content_type=content_type) as response,
            transport_errors(path),
        ):
            return json.loads(response.read(decode_content=True))

    @contextlib.contextmanager
    def _noticing_absence(self) -> Generator[None]:
        try:
            yield
        except RefusedError as error:
            self._was_away = self._was_away or error.is_servers_fault
            error.just_back = self._was_away
            raise
        except InfrastructureError:
            self._was_away = True
            raise

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        read_seconds: float = _READ_SECONDS,
    ) -> Generator[Any]:
        from kubernetes.client.exceptions import ApiException  # pyright: ignore[reportMissingTypeStubs]

        with self._noticing_absence(), transport_errors(path):
            try:
                response: Any = self._api.call_api(
                    path,
                    method,
                    query_params=query or [],
                    header_params={"Accept": "application/json", "Content-Type": content_type},
                    body=dict(body) if body is not None else None,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=(CONNECT_SECONDS, read_seconds),
                )
            except ApiException as error:
                raise refused(method, path, error) from error
            except AttributeError as error:
                # The client stumbles over a TLS handshake that is broken off, which has no body.
                if not isinstance(error.__context__, ApiException):
                    raise
                why = str(error.__context__.reason)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped
                message = f"the Kubernetes API did not answer for {path}: {why}"
                raise InfrastructureError(message) from error
        self._note_time(response)
        # Its version is for everybody, whatever roles it knows.
        self._was_away = self._was_away and path == _VERSION
        try:
            # An answer that breaks off is the first sign of a server that goes.
            with self._noticing_absence():
                yield response
        finally:
            response.close()
            response.release_conn()
