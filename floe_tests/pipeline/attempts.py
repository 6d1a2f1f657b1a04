"""An attempt at a suite, prepared: a Job, a Job in shards, or a process of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from floe_tests.config.providers import capabilities_of
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.test_job import JobTemplate, load_template
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.resume import Resume
from floe_tests.execution.sharding.plan import Plan, balanced
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.mounted import with_mounted
from floe_tests.pipeline.state import RunState

# An API server that restarts is away for seconds: nothing that a run asks of it fails for that.
_API_SECONDS = 90.0


class SuiteRun(Protocol):
    """One attempt to run a suite, prepared."""

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Run it to its end and return the judged attempt; `record` has it also if interrupted."""
        ...

    def remove(self) -> None:
        """Remove what is left of it.

        Raises:
            FloeTestsError: Something stays.
        """
        ...


def prepare(run: RunContext, lease: Lease, suite: SuiteSettings, *, number: int) -> SuiteRun:
    """Prepare an attempt at a suite.

    Args:
        run: The run.
        lease: Its environment.
        suite: The suite, narrowed to what the run chose.
        number: Number of the attempt, from 1.

    Raises:
        ConfigurationError: The suite cannot run in that environment.
    """
    spec = _spec(run.state(), lease, suite, number=number)
    if suite.mounted is not None and capabilities_of(lease.provider).is_cluster:
        spec = with_mounted(spec, suite.mounted, run.state(), lease)
    received = run.workspace.received(run.settings.name, run.run_id)
    directory = received / f"{suite.name}-{number}"
    directory.mkdir(parents=True, exist_ok=True)
    template = load_template(run.workspace.root / suite.job) if suite.job else None
    if not capabilities_of(lease.provider).is_cluster:
        return _process(run, suite, template, spec, directory)
    if template is None:
        message = f"suite {suite.name} has no `job`, and {lease.provider} needs one."
        raise ConfigurationError(message)
    if suite.shards is not None:
        return _sharded(run, lease, suite, template, spec, directory)
    from floe_tests.execution.job_run import JobRun

    return JobRun(
        Kube(lease.access or ClusterAccess(), patience_seconds=_API_SECONDS),
        template,
        spec,
        directory=directory,
        log=run.log,
        why_cancelled=run.why_cancelled,
        resume=_resume(run, suite.name, number),
    )


def _spec(state: RunState, lease: Lease, suite: SuiteSettings, *, number: int) -> AttemptSpec:
    variables = {**suite.variables, **state.variables()[suite.name]}
    if state.platform is not None and state.platform.embedded is not None:
        platform = state.platform.embedded
        variables |= {"DAGSTER_HOST": platform.host, "DAGSTER_PORT": str(platform.port)}
    return AttemptSpec(
        owner=lease.owner,
        suite=suite.name,
        attempt=number,
        namespace=lease.namespace,
        provider=lease.provider,
        image_registry_prefix=state.workspace.image_registry_prefix,
        groups=suite.groups,
        excluded_groups=suite.excluded_groups,
        deadlines=state.settings.deadlines,
        environment=tuple(variables.items()),
        exporter=state.settings.exporter,
    )


def _process(
    run: RunContext,
    suite: SuiteSettings,
    template: JobTemplate | None,
    spec: AttemptSpec,
    directory: Path,
) -> SuiteRun:
    from floe_tests.execution.process_command import ProcessCommand
    from floe_tests.execution.process_run import ProcessRun

    if suite.shards is not None:
        run.log(f"suite {suite.name} runs whole: shards are pods, and `{spec.provider}` has none")
    command = (
        ProcessCommand.from_template(template, passed=suite.pass_environment)
        if template
        else ProcessCommand(suite.command or (), passed=suite.pass_environment)
    )
    return ProcessRun(
        command,
        spec,
        root=run.workspace.root,
        directory=directory,
        log=run.log,
        why_cancelled=run.why_cancelled,
    )


def _sharded(
    run: RunContext,
    lease: Lease,
    suite: SuiteSettings,
    template: JobTemplate,
    spec: AttemptSpec,
    directory: Path,
) -> SuiteRun:
    from floe_tests.execution.sharding.sharded_run import ShardedRun
    from floe_tests.execution.sharding.suite_job import ShardedSuite

    shards = suite.shards
    if shards is None:
        message = f"suite {suite.name} has no `shards`."
        raise ConfigurationError(message)
    plan = partial(_plan, run, lease, suite.name, count=shards.count)
    return ShardedRun(
        lease.access or ClusterAccess(),
        ShardedSuite(template, spec, shards, plan),
        directory=directory,
        log=run.log,
        why_cancelled=run.why_cancelled,
        resume=_resume(run, suite.name, spec.attempt),
    )


def _plan(run: RunContext, lease: Lease, suite: str, *, count: int) -> Plan:
    """Balance a suite's tests by their durations on the same provider.

    A history that cannot be read costs the balance and nothing else: every test then goes by its
    hash.
    """
    from floe_tests.results.history.store import History

    seconds: Mapping[str, float | None] = {}
    try:
        with History.open(run.workspace.history_url) as history:
            seconds = history.durations(
                tier=run.settings.name, provider=lease.provider, suite=suite
            )
    except FloeTestsError as error:
        run.log(f"suite {suite}: its shards are not balanced, the history says nothing: {error}")
    return balanced(seconds, count=count)


def _resume(run: RunContext, suite: str, number: int) -> Resume:
    return Resume(
        is_possible=run.is_resumable,
        is_begun=run.entries.has_begun_job(suite, number),
        begin=partial(run.entries.write_job_begun, suite, number),
        is_due=run.will_resume,
    )
