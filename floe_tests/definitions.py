"""Everything Dagster loads: the tiers in defs/, run by the in-process executor.

One process a run: the default executor would start one a step, and the first would take the run's
lease with it when it ended.
"""

from pathlib import Path

import dagster as dg

from floe_tests.stages.session import SessionResource


@dg.definitions
def defs() -> dg.Definitions:
    """Load the tiers, with what all of them share."""
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=dg.in_process_executor, resources={"session": SessionResource()}),
    )
