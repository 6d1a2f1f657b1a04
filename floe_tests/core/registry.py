"""What a registry says of an image, without pulling it."""

from __future__ import annotations

import http.client
import shutil
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, ProgramError, first_line

Answer = Literal["there", "missing", "unknown"]

_SECONDS = 6.0
# Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


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


def ask(image: str) -> tuple[Answer, str]:
    """Ask a registry whether it has an image, and say why it does not tell.

    Args:
        image: Its reference.

    Returns:
        `missing` only where the registry itself says so; with `unknown`, why it did not tell.
    """
    parsed = reference(image)
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
    if status == HTTPStatus.OK:
        return "there", ""
    return ("missing", "") if status == HTTPStatus.NOT_FOUND else ("unknown", f"HTTP {status}")
