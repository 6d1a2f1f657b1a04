"""Logs of containers: as they stand, and as they grow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus

from floe_tests.kube.connection import Connection
from floe_tests.kube.errors import RefusedError, transport_errors
from floe_tests.kube.resources import path_of

_PIECE_BYTES = 64 * 1024


class PodLogs(Connection):
    """Reads logs."""

    def log(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        previous: bool = False,
        tail_lines: int | None = None,
        limit_bytes: int = 1024 * 1024,
    ) -> str | None:
        """Read a container's log as it stands.

        Returns:
            Its text, at most `limit_bytes`; None when there is no such log (yet, or any more).
        """
        query: list[tuple[str, str]] = [("container", container), ("limitBytes", str(limit_bytes))]
        if previous:
            query.append(("previous", "true"))
        if tail_lines is not None:
            query.append(("tailLines", str(tail_lines)))
        try:
            with self._open("GET", _log_path(pod, namespace), query=query) as response:
                return response.read(limit_bytes, decode_content=True).decode(errors="replace")
        except RefusedError as error:
            if _is_missing(error):
                return None
            raise

    def log_pieces(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        previous: bool = False,
        since: datetime | None = None,
    ) -> Iterator[bytes]:
        """Yield a container's log as it stands: the newest file of it, in pieces.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            previous: Whether the log of its life before the last restart is meant.
            since: Only what it said from then on (UTC); None for all.

        Raises:
            RefusedError: There is no such log (yet, or any more).
            InfrastructureError: The connection broke.
        """
        query = [("container", container), ("previous", str(previous).lower())]
        if since is not None:
            query.append(("sinceTime", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        with (
            self._open("GET", _log_path(pod, namespace), query=query) as response,
            transport_errors("the log of " + pod),
        ):
            while piece := response.read1(_PIECE_BYTES):
                yield piece

    def log_tail(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        limit_bytes: int,
        previous: bool = False,
        since: datetime | None = None,
    ) -> bytes | None:
        """Read the end of a container's log: what it said last is what explains its end.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            limit_bytes: How much of it.
            previous: Whether the log of its life before the last restart is meant.
            since: Only what it said from then on (UTC); None for all.

        Returns:
            At most `limit_bytes`, with a line before it when something was left out; None when
            there is no such log (yet, or any more).
        """
        kept, left_out = bytearray(), 0
        try:
            for piece in self.log_pieces(
                pod, namespace=namespace, container=container, previous=previous, since=since
            ):
                kept += piece
                if len(kept) > 2 * limit_bytes:
                    # Once for every `limit_bytes` that came, so that reading stays linear.
                    left_out += len(kept) - limit_bytes
                    del kept[:-limit_bytes]
        except RefusedError as error:
            if _is_missing(error):
                return None
            raise
        left_out += max(0, len(kept) - limit_bytes)
        notice = f"[the first {left_out} bytes are left out]\n".encode() if left_out else b""
        return notice + bytes(kept[-limit_bytes:])

    def follow_log(
        self, pod: str, *, namespace: str, container: str, silence_seconds: float = 30
    ) -> Iterator[bytes]:
        """Yield a container's log from its beginning and as it grows, in pieces as they arrive.

        Ends when the container has ended.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            silence_seconds: A stream with no byte for this long is taken for dead.

        Raises:
            InfrastructureError: The connection broke or fell silent: open it again.
        """
        query = [("container", container), ("follow", "true")]
        with (
            self._open(
                "GET",
                _log_path(pod, namespace),
                query=query,
                read_seconds=silence_seconds,
            ) as response,
            transport_errors("the log of " + pod),
        ):
            while piece := response.read1(_PIECE_BYTES):
                yield piece


def _log_path(pod: str, namespace: str) -> str:
    return f"{path_of('Pod', namespace)}/{pod}/log"


def _is_missing(error: RefusedError) -> bool:
    """Return whether there is no such log: 400 says that the container has not started."""
    return error.is_not_found or error.status == HTTPStatus.BAD_REQUEST
