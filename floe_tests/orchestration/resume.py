"""Whether Dagster gives a run to another process when this one ends.

Its run monitoring resumes a run whose worker is gone, where the run launcher can do so. The
in-process executor then goes through all steps again under the same run id.
"""

from __future__ import annotations

import dagster as dg

from floe_tests.orchestration.cancellation import why_cancelled


def is_resumable(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run goes on in another process when this one is killed.

    Args:
        instance: The run's instance.
        run: The run. One that `dagster job execute` started has no launcher to start it again.
    """
    return (
        run.remote_job_origin is not None
        and instance.run_monitoring_enabled
        and instance.run_monitoring_max_resume_run_attempts > 0
        and instance.run_launcher.supports_resume_run
    )


def will_resume(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run that is interrupted now goes on in another process.

    A pod is told to end for an eviction or a drained node in the same way as for a cancellation;
    only Dagster knows which it is.

    Args:
        instance: The run's instance.
        run: The run, as it was when it began.
    """
    if not is_resumable(instance, run) or why_cancelled(instance, run.run_id) is not None:
        return False
    try:
        return instance.run_will_resume(run.run_id)
    except Exception:  # noqa: BLE001 - its database is away: nobody has said that the run is over
        return True
