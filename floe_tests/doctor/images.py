"""Where a tier's images are: in Docker, on a node, or in a registry. Nothing is pulled."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from floe_tests import program
from floe_tests.deadline import Deadline
from floe_tests.doctor.check import Check, first_line
from floe_tests.errors import FloeTestsError, ProgramError
from floe_tests.jobs.manifest import EXPORTER_IMAGE
from floe_tests.kube import Kube, parts

Answer = Literal["there", "missing", "unknown"]

_SECONDS = 6.0
_THREADS = 8
_OK, _NOT_FOUND = 200, 404
# Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_OURS = EXPORTER_IMAGE.rpartition("/")[0]


@dataclass(frozen=True)
class Reference:
    """An image's reference, in its parts.

    Attributes:
        registry: Host and port of the registry.
        repository: Name in it.
        tag: Tag, or digest.
    """

    registry: str
    repository: str
    tag: str

    @property
    def is_local(self) -> bool:
        """Whether its registry is this machine's own, which speaks plain HTTP."""
        return self.registry.partition(":")[0] in {"localhost", "127.0.0.1"}


def reference(image: str) -> Reference:
    """Take a reference apart, as Docker does.

    Args:
        image: Such as `localhost:5001/ghcr.io/floe/platform:0.1.0`.

    Source: https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed
    """
    name, at, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name if slash else f"library/{name}"
    repository, colon, tag = rest.rpartition(":")
    if not colon:
        repository, tag = rest, "latest"
    return Reference(first, repository, digest if at else tag)


def check_images(
    images: Iterable[str], *, in_docker: Iterable[str], kube: Kube | None
) -> tuple[Check, ...]:
    """Look for images.

    Args:
        images: The images, as they are pulled.
        in_docker: Those of them for which the local Docker will do.
        kube: The cluster, whose nodes may have some; None when there is none.
    """
    local, on_nodes = frozenset(in_docker), _on_nodes(kube)

    def look(image: str) -> Check:
        return _check(image, may_be_local=image in local, on_nodes=on_nodes)

    with ThreadPoolExecutor(_THREADS) as pool:
        return tuple(pool.map(look, dict.fromkeys(images)))


def _check(image: str, *, may_be_local: bool, on_nodes: frozenset[str]) -> Check:
    name = f"image {image}"
    if may_be_local and _is_in_docker(image):
        return Check(name, "ok", "in the local Docker")
    if image in on_nodes:
        return Check(name, "ok", "on a node")
    parsed = reference(image)
    answer, why = _ask_registry(image, parsed)
    if answer == "there":
        return Check(name, "ok", f"in {parsed.registry}")
    seen = "not in the local Docker; " if may_be_local else ""
    remedy = _remedy(image, parsed)
    if answer == "missing":
        return Check(name, "failed", f"{seen}{parsed.registry} does not have it", remedy)
    return Check(name, "unknown", f"{seen}{parsed.registry} does not tell: {why}", remedy)


def _remedy(image: str, parsed: Reference) -> str:
    if f"/{image}".rpartition(":")[0].rpartition("/")[0].endswith(f"/{_OURS}"):
        return "images/build --push" if parsed.is_local else "images/build"
    return f"docker pull {image}   (says why, if it cannot)"


def _is_in_docker(image: str) -> bool:
    try:
        program.run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", image],
            deadline=Deadline(_SECONDS),
        )
    except FloeTestsError:
        return False
    return True


def _ask_registry(image: str, parsed: Reference) -> tuple[Answer, str]:
    """Ask a registry whether it has an image, and say why it does not tell."""
    if parsed.is_local:
        return _head(parsed)
    if shutil.which("docker") is None:
        return "unknown", "Docker, whose credentials would be used, is not on PATH"
    try:
        program.run(["docker", "manifest", "inspect", image], deadline=Deadline(_SECONDS))
    except ProgramError as error:
        said = error.output_tail.strip() or "Docker says nothing"
        is_missing = "manifest unknown" in said or "no such manifest" in said
        return "missing" if is_missing else "unknown", said.splitlines()[-1]
    except FloeTestsError as error:
        return "unknown", first_line(error)
    return "there", ""


def _head(parsed: Reference) -> tuple[Answer, str]:
    connection = http.client.HTTPConnection(parsed.registry, timeout=_SECONDS)
    try:
        connection.request(
            "HEAD",
            f"/v2/{parsed.repository}/manifests/{parsed.tag}",
            headers={"Accept": _MANIFESTS},
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return "unknown", f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    if status == _OK:
        return "there", ""
    return ("missing", "") if status == _NOT_FOUND else ("unknown", f"HTTP {status}")


def _on_nodes(kube: Kube | None) -> frozenset[str]:
    """Give the images that nodes say they have; they name fifty each, the largest."""
    if kube is None:
        return frozenset()
    try:
        nodes = kube.list("Node")
    except FloeTestsError:
        return frozenset()
    return frozenset(
        str(name)
        for node in nodes
        for image in parts(node, "status", "images")
        for name in image.get("names") or ()
    )
