"""What remains of a run when its steps are over, however they ended.

A failed or interrupted run never reaches its last steps. Dagster tears a resource down in every
case short of SIGKILL, so here the run gets its verdict if it has none, and gives its environment
back.
"""

import contextlib
import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from pydantic import PrivateAttr

from floe_tests.config.project import UNKNOWN, Workspace, output_of
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.core.labels import COMMIT, REF, TRIGGER
from floe_tests.core.log import Log
from floe_tests.core.signals import held_signals, uninterrupted
from floe_tests.environments.lease import Lease
from floe_tests.orchestration import metadata, results_metadata
from floe_tests.orchestration.cancellation import why_cancelled
from floe_tests.orchestration.resume import is_resumable, will_resume
from floe_tests.pipeline.refused_run import put_refusal
from floe_tests.pipeline.run import TierRun


class SessionResource(dg.ConfigurableResource[None]):
    """Ends every run of a tier: verdict, history, environment."""

    _runs: dict[str, tuple[TierRun, dg.DagsterInstance]] = PrivateAttr(default_factory=dict)

    def begin(
        self, context: dg.AssetExecutionContext, settings: TierSettings, root: Path
    ) -> TierRun:
        """Return the run that a stage works on, and remember to end it.

        Args:
            context: The stage's context.
            settings: The tier.
            root: The project's folder.

        Raises:
            ConfigurationError: An environment variable has a value that means nothing.
        """
        try:
            workspace = _workspace_of(context.run, root)
        except ConfigurationError as error:
            put_refusal(output_of(root, os.environ), settings.name, str(error))
            raise
        run = TierRun(
            settings=workspace.adapted(settings),
            workspace=workspace,
            run_id=context.run.run_id,
            log=uninterrupted(context.log.info),
            parent_run_id=context.run.parent_run_id,
            why_cancelled=partial(why_cancelled, context.instance, context.run.run_id),
            is_resumable=is_resumable(context.instance, context.run),
            will_resume=partial(will_resume, context.instance, context.run),
        )
        self._runs[run.run_id] = run, context.instance
        return run

    @contextlib.contextmanager
    def yield_for_execution(  # pyright: ignore[reportIncompatibleMethodOverride] - the base names its own type
        self, context: dg.InitResourceContext
    ) -> Generator["SessionResource"]:
        """Hand itself to the steps, and end the run after them."""
        log: Log = context.log.info if context.log else print
        try:
            yield self
        finally:
            runs = list(self._runs.values())
            self._runs.clear()
            _end_all(runs, log=log)


def _workspace_of(run: dg.DagsterRun, root: Path) -> Workspace:
    """Return the workspace of a run: what it was launched with says what is under test.

    A re-execution has its parent's tags, and runs what is there now.
    """
    workspace = Workspace.from_environment(root, os.environ)

    def value(tag: str, found: str) -> str:
        given = run.tags.get(tag, found)
        return found if run.parent_run_id and found != UNKNOWN else given

    return replace(
        workspace,
        ref=value(REF, workspace.ref),
        commit=value(COMMIT, workspace.commit),
        trigger=value(TRIGGER, workspace.trigger),
    )


def _end_all(runs: Sequence[tuple[TierRun, dg.DagsterInstance]], *, log: Log) -> None:
    """End runs one after the other, each even if one before was interrupted once more."""
    if not runs:
        return
    (run, instance), *others = runs
    try:
        _end(run, instance, log=log)
    finally:
        _end_all(others, log=log)


def _end(run: TierRun, instance: dg.DagsterInstance, *, log: Log) -> None:
    """Publish a run that has not been, and give its environment back, even if the first fails.

    Reading results may take minutes, so signals are held for the environment alone. Who interrupts
    the reading gets a verdict on what can be read in seconds.
    """
    if run.is_resumed_elsewhere:
        log("another process has resumed this run: this one leaves it alone")
        return
    if not run.is_left_for_resume and run.is_unfinished and run.will_resume():
        run.leave_for_resume()  # interrupted between two stages
    if run.is_left_for_resume:
        return
    try:
        _publish(run, instance, log=log)
    except FloeTestsError as error:
        log(f"the run could not be recorded: {error}")
    except BaseException:
        with held_signals(log):
            try:
                _publish(run, instance, log=log)
            except FloeTestsError as error:
                log(f"the run could not be recorded: {error}")
        raise
    finally:
        with held_signals(log):
            try:
                lease = run.give_back()
            except FloeTestsError as error:
                log(f"NOT REMOVED: {error}")
            else:
                _report_released(run, instance, lease)


def _report_released(run: TierRun, instance: dg.DagsterInstance, lease: Lease | None) -> None:
    """Show that a red run has given its environment back, in the run that never came to its step.

    Dagster leaves that step out and would show its asset as failed, as if something were left.
    """
    if run.entries.stage("released") is not None:
        return
    group = run.settings.name.replace("-", "_")
    materialization = dg.AssetMaterialization(
        asset_key=[group, "released"],
        metadata={"state": lease.state if lease else "nothing to return"},
    )
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=group,
        message=f"Materialized value {group} released.",
        event_specific_data=StepMaterializationData(materialization),
    )
    instance.report_dagster_event(event, run.run_id)


def _publish(run: TierRun, instance: dg.DagsterInstance, *, log: Log) -> None:
    from floe_tests.pipeline.publish import publish

    if run.entries.is_published():
        return
    published = publish(run.state())
    log(f"VERDICT {published.verdict}; JUnit: {published.junit}")
    instance.add_run_tags(run.run_id, metadata.verdict_tags(published))
    results = dg.AssetKey([run.settings.name.replace("-", "_"), "results"])
    for observation in results_metadata.observations_of(published, results):
        instance.report_runless_asset_event(observation)
