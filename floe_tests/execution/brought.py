"""What a run brings to its test pods: files, in ConfigMaps that go with the Job.

With them a stock image runs the exporter and a suite, so that nothing has to be built first.
"""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from floe_tests import exporter
from floe_tests.core.errors import ConfigurationError
from floe_tests.kube.objects import JsonObject, part, parts

# Source: https://kubernetes.io/docs/concepts/configuration/configmap/
MOST_BYTES = 1024 * 1024
_KEY_CHARACTERS = re.compile(r"[^-._a-zA-Z0-9]")
_KEY_LENGTH = 200


@dataclass(frozen=True)
class Brought:
    """Files that a container finds in a folder.

    Attributes:
        name: What they are; the ConfigMap and its volume are named after it.
        mount_path: The folder.
        files: Path below the folder → content.
    """

    name: str
    mount_path: str
    files: Mapping[str, bytes]

    def require_fitting(self, where: str) -> None:
        """Refuse what no ConfigMap takes.

        Args:
            where: Where the files are from, for the message.

        Raises:
            ConfigurationError: They are too large.
        """
        size = sum(map(len, self.files.values()))
        if size > MOST_BYTES:
            message = (
                f"{where}: {size / 1024:.0f} KiB in {len(self.files)} files, and a ConfigMap takes "
                f"{MOST_BYTES // 1024} KiB. Take out what the tests do without, or build an image."
            )
            raise ConfigurationError(message)

    def mount_in(self, pod: JsonObject, container: JsonObject, *, job_name: str) -> None:
        """Add the volume to a pod and its mount to a container.

        Args:
            pod: The pod's specification.
            container: The container.
            job_name: Name of the attempt's Job.
        """
        volume = f"floe-tests-{self.name}"
        items = [{"key": key, "path": path} for key, path, _ in self._entries()]
        pod["volumes"] = [
            *parts(pod, "volumes"),
            {"name": volume, "configMap": {"name": f"{job_name}-{self.name}", "items": items}},
        ]
        container["volumeMounts"] = [
            *parts(container, "volumeMounts"),
            {"name": volume, "mountPath": self.mount_path, "readOnly": True},
        ]

    def config_map(self, job: JsonObject, *, job_name: str) -> JsonObject:
        """Return the ConfigMap.

        Args:
            job: The Job that it goes with, as the API has it.
            job_name: Name of the attempt's Job.
        """
        text: dict[str, str] = {}
        binary: dict[str, str] = {}
        for key, _, content in self._entries():
            try:
                text[key] = content.decode("utf-8")
            except UnicodeDecodeError:
                binary[key] = base64.b64encode(content).decode()
        return owned_config_map(
            f"{job_name}-{self.name}", {"data": text, "binaryData": binary}, job=job
        )

    def _entries(self) -> list[tuple[str, str, bytes]]:
        """Return key, path and content of each file."""
        return [
            (f"{number:03}-{_KEY_CHARACTERS.sub('.', path)}"[:_KEY_LENGTH], path, content)
            for number, (path, content) in enumerate(sorted(self.files.items()))
        ]


def owned_config_map(
    name: str, content: Mapping[str, Mapping[str, str]], *, job: JsonObject
) -> JsonObject:
    """Return a ConfigMap that goes with a Job.

    Args:
        name: Its name.
        content: Its `data`, its `binaryData`.
        job: The Job, as the API has it.
    """
    metadata: dict[str, Any] = {
        "name": name,
        "labels": copy.deepcopy(part(job, "metadata", "labels")),
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job["metadata"]["name"],
                "uid": job["metadata"]["uid"],
            }
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        **content,
    }


# A folder that Python runs; images/exporter has the same.
EXPORTER_FOLDER = "/app"
_EXPORTER_START = 'import runpy\n\nrunpy.run_module("exporter", run_name="__main__")\n'  # beside it


@cache
def exporter_program() -> Brought:
    """Return the exporter of this very version."""
    source = Path(exporter.__file__).parent
    modules = {f"exporter/{file.name}": file.read_bytes() for file in source.glob("*.py")}
    files = {"__main__.py": _EXPORTER_START.encode(), **modules}
    return Brought("exporter", EXPORTER_FOLDER, files)
