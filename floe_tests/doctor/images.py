"""Where a tier's images are: in Docker, on a node, or in a registry. Nothing is pulled."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.registry import Reference, ask, reference
from floe_tests.doctor.check import Check
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import parts

_SECONDS = 6.0
_THREADS = 8
# Images that `images/build` makes in a clone of this project.
_OURS = "ghcr.io/floe"


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
    answer, why = ask(image)
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


def _on_nodes(kube: Kube | None) -> frozenset[str]:
    """Return the images that nodes say they have; they name fifty each, the largest."""
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
