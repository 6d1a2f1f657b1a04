"""Commands in running containers, over the web socket that Kubernetes has for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, InfrastructureError

_LOOK_SECONDS = 1
_SHOWN_CHARACTERS = 500


def run_in_container(
    api: Any,
    pod: str,
    command: Sequence[str],
    *,
    namespace: str,
    container: str,
    deadline: Deadline,
) -> Iterator[bytes]:
    """Run a command in a container, and yield its standard output as it comes.

    Args:
        api: A client of the kubernetes library that nothing else uses.
        pod: Name of the pod.
        command: Program and arguments.
        namespace: Its namespace.
        container: Name of the container.
        deadline: When to give up.

    Raises:
        DeadlineError: It did not end in time.
        InfrastructureError: It could not be run, or it failed.
    """
    import websocket
    from kubernetes import client, stream  # pyright: ignore[reportMissingTypeStubs]
    from kubernetes.client.exceptions import ApiException  # pyright: ignore[reportMissingTypeStubs]

    core: Any = client.CoreV1Api(api)
    run: Any = stream.stream  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped
    where = f"`{' '.join(command)}` in container {container} of pod/{pod}"
    try:
        socket: Any = run(
            core.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
            _request_timeout=deadline.seconds,
        )
        try:
            yield from _output(socket, where, deadline)
        finally:
            socket.close()
            # Where the server closed first, websocket-client leaves its end open.
            socket.sock.shutdown()
    except (ApiException, websocket.WebSocketException, OSError) as error:
        raise _not_run(where, error) from error
    except AttributeError as error:
        # The client stumbles over a handshake that is refused, which has no body.
        if not isinstance(error.__context__, ApiException):
            raise
        raise _not_run(where, error.__context__) from error


def _not_run(where: str, error: BaseException) -> InfrastructureError:
    text = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
    return InfrastructureError(f"{where} could not be run: {text}")


def _output(socket: Any, where: str, deadline: Deadline) -> Iterator[bytes]:
    said = b""
    while socket.is_open():
        if deadline.passed:
            message = f"{where} did not end within {deadline.seconds:g} s."
            raise DeadlineError(message)
        socket.update(timeout=_LOOK_SECONDS)
        said = (said + _waiting(socket, "stderr"))[-_SHOWN_CHARACTERS:]
        if piece := _waiting(socket, "stdout"):
            yield piece
    if piece := _waiting(socket, "stdout"):
        yield piece
    try:
        code: int = socket.returncode
    except (TypeError, KeyError, IndexError, ValueError) as error:
        # The library reads the code out of Kubernetes' last message, which never came.
        message = f"{where}: the connection was cut."
        raise InfrastructureError(message) from error
    if code:
        message = f"{where} ended with exit code {code}: {said.decode(errors='replace')}"
        raise InfrastructureError(message)


def _waiting(socket: Any, channel: str) -> bytes:
    if not getattr(socket, f"peek_{channel}")():
        return b""
    return bytes(getattr(socket, f"read_{channel}")())
