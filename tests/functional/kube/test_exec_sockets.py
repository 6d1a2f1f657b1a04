"""The connection of a program in a pod, with a server that closes first, as Kubernetes does."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading

from kubernetes import client

from floe_tests.core.deadline import Deadline
from floe_tests.kube.exec import run_in_container

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS = b'\x03{"metadata":{},"status":"Success"}'


def _serve(server: socket.socket, left_open: list[bool]) -> None:
    connection, _ = server.accept()
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(4096)
        (key,) = [
            line.partition(b":")[2].strip().decode()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        ]
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()  # noqa: S324 - the protocol's
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
        )
        connection.sendall(answer.encode())
        for opcode, payload in ((0x82, b"\x01hello"), (0x82, _STATUS), (0x88, b"\x03\xe8")):
            connection.sendall(bytes([opcode, len(payload)]) + payload)
        # What the client says last, then its end; a client that leaves it open says nothing more.
        connection.settimeout(5)
        try:
            while connection.recv(4096):
                pass
        except TimeoutError:
            left_open.append(True)


def test_the_connection_is_closed_also_where_the_server_closes_first() -> None:
    left_open: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=_serve, args=(server, left_open))
        serving.start()
        configuration = client.Configuration(host=f"http://127.0.0.1:{server.getsockname()[1]}")
        api = client.ApiClient(configuration)
        chunks = run_in_container(
            api, "pod", ["echo", "hello"], namespace="n", container="c", deadline=Deadline(20)
        )
        assert b"".join(chunks) == b"hello"
        serving.join(timeout=10)
        api.close()

    assert left_open == []
