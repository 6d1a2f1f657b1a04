"""What every test here is kept from: a unit test that is slow or needs this machine is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("start", [lambda: subprocess.run([sys.executable], check=False), os.fork])
def test_a_unit_test_starts_no_process(start) -> None:
    with pytest.raises(OSError, match="mark it functional"):
        start()


def test_a_unit_test_calls_no_other_machine() -> None:
    with (
        socket.socket() as connection,
        pytest.raises(OSError, match=r"calls no other machine.*192\.0\.2\.1"),
    ):
        connection.connect(("192.0.2.1", 9))


def test_this_machine_is_called() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


@pytest.mark.functional
def test_a_functional_test_starts_one() -> None:
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0
