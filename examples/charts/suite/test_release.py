"""A release as its users meet it: each Service of it answers, a headless one by its pods."""

import json
import socket
import time
from pathlib import Path

import pytest

# What the run has installed, as helm itself has written it down.
INSTALLED = json.loads(Path("/floe-tests/release.json").read_text())
SECONDS = 30.0

ADDRESSES = [
    pytest.param(
        f"{service['name']}.{service['namespace'] or INSTALLED['namespace']}",
        port["port"],
        id=f"{service['name']}:{port['port']}",
    )
    for release in INSTALLED["releases"]
    for service in release["services"]
    for port in service["ports"]
]


@pytest.mark.parametrize(("host", "port"), ADDRESSES)
def test_a_service_answers(host: str, port: int) -> None:
    until = time.monotonic() + SECONDS
    while not answers(host, port):  # a Service needs a moment after its pods are ready
        assert time.monotonic() < until, f"{host}:{port} did not answer within {SECONDS:g} s"
        time.sleep(0.5)


@pytest.mark.parametrize("release", [one["name"] for one in INSTALLED["releases"]])
def test_the_release_is_there_as_helm_installed_it(release: str) -> None:
    (found,) = (one for one in INSTALLED["releases"] if one["name"] == release)
    assert found["services"], "a release without a Service answers nobody"
    assert found["pods"]


def answers(host: str, port: int) -> bool:
    """Return whether somebody takes a connection."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True
