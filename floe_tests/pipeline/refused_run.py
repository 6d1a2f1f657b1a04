"""A run that was refused before it began: its tier's newest files must not be of the run before.

A CI that reads JUnit alone would take the green of the last run for this one's.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from floe_tests.config.project import JUNIT, VERDICT
from floe_tests.core import names
from floe_tests.core.verdict import Cause, Fault
from floe_tests.pipeline.files import verdict_case
from floe_tests.results.formats import junit
from floe_tests.results.history import bundle


def put_refusal(output: Path, tier: str, message: str) -> None:
    """Put a red JUnit file where a tier's newest results stand.

    What the run before has written stays in its own folder, below `runs/`.

    Args:
        output: The output folder.
        tier: The tier's name, as somebody wrote it.
        message: Why nothing was begun.
    """
    if not names.is_name("tier", tier):
        return
    told = f"{Cause.CONFIG}: the run was not begun"
    case = verdict_case(tier, Cause.CONFIG, message=told, text=message)
    properties = {
        "floe-tests.verdict": str(Cause.CONFIG),
        "floe-tests.fault": str(Fault.CONFIGURATION),
    }
    newest = output / tier
    # A folder that cannot be written has no word here: the message is what counts.
    with contextlib.suppress(OSError):
        junit.write(newest / JUNIT, [case], suite=tier, properties=properties)
        for name in (VERDICT, bundle.NAME):
            (newest / name).unlink(missing_ok=True)
