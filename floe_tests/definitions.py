"""Everything Dagster loads: the tiers in defs/, run by the in-process executor.

One process a run: the default executor would start one a step, and the first would take the run's
lease with it when it ended.
"""

from pathlib import Path

import dagster as dg

from floe_tests.orchestration.prune import prune_definitions
from floe_tests.orchestration.sensors.reaper import reaper_definitions
from floe_tests.orchestration.sensors.superseded import superseded_sensor
from floe_tests.orchestration.session import SessionResource


@dg.definitions
def defs() -> dg.Definitions:
    """Load this project's tiers."""
    return tiers_of(Path(__file__).parent)


def tiers_of(package: Path) -> dg.Definitions:
    """Load the tiers of a project, with what all tiers share.

    Args:
        package: Folder of the project's Python package; its `defs` holds a folder a tier.
    """
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=package),
        dg.Definitions(executor=dg.in_process_executor, resources={"session": SessionResource()}),
        dg.Definitions(sensors=[superseded_sensor(package.parent)]),
        reaper_definitions(package.parent),
        prune_definitions(package.parent),
    )
