"""Images, asked for at a real registry of a few lines, a Docker of a few lines, and nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.core.registry import Reference, reference
from floe_tests.doctor.images import check_images
from floe_tests.kube.client import Kube

if TYPE_CHECKING:
    from tests.support.small_server import Server

Put = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("localhost:5001/ghcr.io/floe/a:1", ("localhost:5001", "ghcr.io/floe/a", "1")),
        ("ghcr.io/floe/a", ("ghcr.io", "floe/a", "latest")),
        ("debian:12", ("docker.io", "library/debian", "12")),
        ("kindest/node:v1.34.2", ("docker.io", "kindest/node", "v1.34.2")),
        ("localhost/a:1", ("localhost", "a", "1")),
        ("ghcr.io/a:1@sha256:0f", ("ghcr.io", "a", "sha256:0f")),
        ("registry.example.com:443/a", ("registry.example.com:443", "a", "latest")),
    ],
)
def test_a_reference_is_taken_apart_as_docker_does(image: str, expected: tuple[str, str, str]):
    assert reference(image) == Reference(*expected)


def test_a_local_registry_is_asked_for_each_image(server: Server, programs: Put):
    programs("docker", "exit 1")
    server.answers = {
        "/v2/ghcr.io/floe/platform/manifests/0.1.0": {"schemaVersion": 2},
        "/v2/ghcr.io/floe/broken/manifests/0.1.0": 500,
    }
    names = ("platform", "absent", "broken")
    images = [f"{server.address}/ghcr.io/floe/{name}:0.1.0" for name in names]

    there, missing, unknown = check_images([*images, images[0]], in_docker=(), kube=None)

    assert (there.name, there.state) == (f"image {images[0]}", "ok")
    assert (missing.state, missing.found) == ("failed", f"{server.address} does not have it")
    assert missing.remedy == "images/build --push"
    assert (unknown.state, "HTTP 500" in unknown.found) == ("unknown", True)


def test_a_registry_where_nobody_listens_is_unknown(programs: Put):
    programs("docker", "exit 1")

    (check,) = check_images(["127.0.0.1:9/a:1"], in_docker=(), kube=None)

    assert check.state == "unknown"
    assert "ConnectionRefusedError" in check.found


@pytest.mark.functional
@pytest.mark.parametrize(
    ("said", "state"),
    [
        pytest.param("exit 0", "ok", id="there"),
        pytest.param("echo no such manifest: ghcr.io/a:1 >&2; exit 1", "failed", id="missing"),
        pytest.param("echo manifest unknown >&2; exit 1", "failed", id="missing, in other words"),
        pytest.param("echo denied: requested access >&2; exit 1", "unknown", id="not permitted"),
        pytest.param("echo no such host >&2; exit 1", "unknown", id="no network"),
    ],
)
def test_other_registries_are_asked_by_docker_which_has_the_credentials(
    programs: Put, said: str, state: str
):
    programs("docker", f'[ "$1 $2 $3" = "manifest inspect ghcr.io/a:1" ] || exit 9\n{said}')

    (check,) = check_images(["ghcr.io/a:1"], in_docker=(), kube=None)

    assert check.state == state


def test_without_docker_other_registries_cannot_be_asked(programs: Put):
    programs("other", "exit 0")

    (check,) = check_images(["ghcr.io/a:1"], in_docker=(), kube=None)

    assert (check.state, "not on PATH" in check.found) == ("unknown", True)


@pytest.mark.functional
def test_the_local_docker_counts_for_those_that_a_run_copies_into_the_node(programs: Put):
    programs("docker", '[ "$1 $2" = "image inspect" ] && [ "$5" != ghcr.io/floe/absent:1 ]')
    images = ["ghcr.io/floe/copied:1", "ghcr.io/floe/absent:1", "ghcr.io/floe/pulled:1"]

    copied, absent, pulled = check_images(images, in_docker=images[:2], kube=None)

    assert (copied.state, copied.found) == ("ok", "in the local Docker")
    assert absent.state == "unknown"
    assert absent.found.startswith("not in the local Docker; ghcr.io does not tell")
    assert absent.remedy == "images/build"
    assert pulled.state == "unknown"


@pytest.mark.functional
def test_an_image_that_a_node_has_need_not_be_in_any_registry(
    server: Server, kube: Kube, programs: Put
):
    programs("docker", "exit 1")
    server.answers["/api/v1/nodes"] = [{"status": {"images": [{"names": ["ghcr.io/a:1"]}]}}]

    there, elsewhere = check_images(["ghcr.io/a:1", "ghcr.io/b:1"], in_docker=(), kube=kube)

    assert (there.state, there.found) == ("ok", "on a node")
    assert elsewhere.state == "unknown"
