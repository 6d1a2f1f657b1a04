"""The books of a run's stages: when each began, how long it took, and what ended it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from floe_tests.core import program
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.signals import reason_of
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.pipeline import resume
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.records import STAGES, StageRecord, error_facts, error_of


@contextlib.contextmanager
def stage(run: RunContext, name: str) -> Generator[None]:
    """Keep the books of a stage: its seconds, and the error or signal that ended it.

    In a resumed run, a stage that has failed before fails again, and one that has happened keeps
    its record; what it does then is find what it did.

    Args:
        run: The run.
        name: Name of the stage.

    Raises:
        FloeTestsError: The stage failed in the process before.
    """
    entries = run.entries
    if name == STAGES[0]:
        resume.claim(entries)
    before = entries.stage(name) if resume.is_resumed(entries) else None
    if before is not None and before.error is not None:
        raise error_of(before.error)
    started_at, started = datetime.now(UTC), monotonic()
    record = StageRecord(name=name, started_at=started_at, seconds=0)
    try:
        with program.started_for(run.run_id):
            yield
    except FloeTestsError as error:
        record = replace(record, error=error_facts(error))
        run.mark_failed()
        raise
    except Exception as error:
        record = replace(record, error=ErrorFacts("harness", f"{type(error).__name__}: {error}"))
        run.mark_failed()
        raise
    except BaseException as interrupt:
        if run.will_resume():
            leave_for_resume(run)
            raise
        record = replace(record, cancelled=reason_of(interrupt, run.why_cancelled, doing=name))
        raise
    finally:
        if before is None and not resume.is_left_for_resume(entries):
            entries.write_stage(replace(record, seconds=monotonic() - started))


def is_unfinished(run: RunContext) -> bool:
    """Return whether no stage has failed or was cancelled, and the results are not judged yet."""
    stages = run.entries.stages()
    is_over = any(record.error or record.cancelled for record in stages.values())
    return not is_over and "results" not in stages


def leave_for_resume(run: RunContext) -> None:
    """Leave the run as it is, with its environment and its Job, for another process to resume."""
    if not resume.is_left_for_resume(run.entries):
        resume.leave_for_resume(run.entries)
        lease = run.entries.lease()
        if lease is not None:
            run.environment(lease).leave(lease)
        run.log("interrupted, and not cancelled: another process resumes the run")
