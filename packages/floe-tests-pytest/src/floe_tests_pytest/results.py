"""Where a session's results go, and how a file gets there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_POD_RESULTS = Path("/results")


def results_directory(config: pytest.Config) -> Path | None:
    """Return where this session's results go, or None when it leaves none.

    FLOE_RESULTS_DIR when it is set. Otherwise /results, provided that it is there, can be written
    to, and the session writes a report at all.

    Raises:
        pytest.UsageError: FLOE_RESULTS_DIR cannot be written to.
    """
    named = os.environ.get("FLOE_RESULTS_DIR")
    if named:
        return _writable(Path(named))
    reports = config.getoption("xmlpath", None) or config.getoption("report_log", None)
    writable = _POD_RESULTS.is_dir() and os.access(_POD_RESULTS, os.W_OK)
    return _POD_RESULTS if reports and writable else None


def write(path: Path, text: str) -> None:
    """Write a file in one step: who follows the directory never reads half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes it private; the exporter may run as another user.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _writable(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    else:
        if os.access(directory, os.W_OK):
            return directory
        reason = "this user may not write there"
    message = (
        f"FLOE_RESULTS_DIR={directory}: {reason}. Name a folder that can be written to, such as a "
        "volume that is mounted at /results."
    )
    raise pytest.UsageError(message)
