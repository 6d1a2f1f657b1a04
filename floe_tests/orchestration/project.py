"""What Dagster loads of a project: its tiers, and what all of them share.

The tiers run by the in-process executor, one process a run: the default executor would start one a
step, and the first would take the run's lease with it when it ended.
"""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from floe_tests.config.discovery import Project, project_with
from floe_tests.orchestration.prune import prune_definitions
from floe_tests.orchestration.sensors.reaper import reaper_definitions
from floe_tests.orchestration.sensors.superseded import superseded_sensor
from floe_tests.orchestration.session import SessionResource
from floe_tests.orchestration.tiers import project_tiers


def project(file: str | Path) -> Callable[..., dg.Definitions]:
    """Return the definitions of a project, for the one line of its definitions.py.

    Args:
        file: The `__file__` of a module of the project's package.
    """

    @dg.definitions
    def defs() -> dg.Definitions:
        return definitions_of(project_with(Path(file)))

    return defs


def definitions_of(project: Project) -> dg.Definitions:
    """Load the tiers of a project, with what all tiers share.

    Args:
        project: The project.
    """
    return dg.Definitions.merge(
        project_tiers(project),
        dg.Definitions(executor=dg.in_process_executor, resources={"session": SessionResource()}),
        dg.Definitions(sensors=[superseded_sensor(project.root)]),
        reaper_definitions(project.root),
        prune_definitions(project.root),
    )
