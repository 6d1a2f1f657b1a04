"""Renders charts with the real `helm template`, each once for all workers of a session."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).parents[3] / "charts"
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))
# A helm built without the release's version stamps takes the cluster for an ancient one.
KUBE_VERSION = "1.34.2"

# libyaml's where it is there: ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Manifest = dict[str, Any]


class RefusedError(Exception):
    """helm refused to render; the message is its own."""


Render = Callable[..., list[Manifest]]


@pytest.fixture(scope="session")
def helm() -> str:
    found = shutil.which("helm")
    if found is None:
        cache = os.environ.get("KIND_FROM_PACKAGES_CACHE", "~/.cache/kind-from-packages")
        built = Path(cache).expanduser() / "bin" / "helm"
        found = str(built) if built.exists() else None
    if found is None:
        pytest.skip("helm is not installed: https://helm.sh/docs/intro/install/")
    return found


@dataclass(frozen=True)
class Rendered:
    """What helm has rendered in this session, on disk: workers of xdist share it."""

    helm: str
    directory: Path

    def of(self, words: Sequence[str]) -> str:
        """Return what helm prints for a command.

        Raises:
            RefusedError: It refused.
        """
        kept = self.directory / f"{_digest(words)}.json"
        if not kept.exists():
            done = subprocess.run(
                [self.helm, *words], check=False, capture_output=True, text=True, timeout=60
            )
            # Whole or not at all: another worker may read it at once.
            written = kept.with_suffix(f".{os.getpid()}")
            written.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
            written.replace(kept)
        code, printed, refusal = json.loads(kept.read_text())
        if code != 0:
            raise RefusedError(refusal)
        return printed


def _digest(words: Sequence[str]) -> str:
    """Tell commands apart by their words and by the files that they name."""
    found = hashlib.sha256()
    for word in words:
        found.update(json.dumps(word).encode())
        with contextlib.suppress(OSError):  # a value is no path, or too long for one
            found.update(Path(word.rpartition("=")[2]).read_bytes())
    return found.hexdigest()


@pytest.fixture(scope="session")
def rendered(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    # A worker of xdist has a folder of its own below that of the session.
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory = shared / "rendered-charts"
    directory.mkdir(exist_ok=True)
    return Rendered(helm, directory)


@pytest.fixture(scope="session")
def render(rendered: Rendered) -> Render:
    def run(
        chart: str,
        *arguments: str,
        release: str = "floe-platform",
        namespace: str = "floe-test",
    ) -> list[Manifest]:
        text = rendered.of(
            [
                *("template", release, str(CHARTS / chart)),
                *("--namespace", namespace, "--kube-version", KUBE_VERSION, *arguments),
            ]
        )
        return [document for document in yaml.load_all(text, Loader=LOADER) if document]

    return run
