"""Where a tier's run and its shards meet: what the history knows goes into the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.execution.sharding.plan import Plan, balanced
from floe_tests.kube.access import ClusterAccess

if TYPE_CHECKING:
    from floe_tests.config.suite import SuiteSettings
    from floe_tests.config.test_job import JobTemplate
    from floe_tests.environments.lease import Lease
    from floe_tests.execution.manifest import AttemptSpec
    from floe_tests.execution.resume import Resume
    from floe_tests.execution.sharding.sharded_run import ShardedRun
    from floe_tests.pipeline.run import TierRun


def sharded_run(
    run: TierRun,
    lease: Lease,
    suite: SuiteSettings,
    template: JobTemplate,
    spec: AttemptSpec,
    resume: Resume,
) -> ShardedRun:
    """Prepare an attempt at a suite in shards.

    Args:
        run: The tier's run.
        lease: Its environment.
        suite: The suite.
        template: The suite's test-job.yaml.
        spec: What this attempt adds to it.
        resume: What there is to know of a process before this one, or after it.

    Raises:
        ConfigurationError: The suite has no shards.
    """
    from floe_tests.execution.sharding.sharded_run import ShardedRun
    from floe_tests.execution.sharding.suite_job import ShardedSuite

    shards = suite.shards
    if shards is None:
        message = f"suite {suite.name} has no `shards`."
        raise ConfigurationError(message)

    def plan() -> Plan:
        return plan_of(run, lease, suite.name, count=shards.count)

    received = run.workspace.received(run.settings.name, run.run_id)
    return ShardedRun(
        lease.access or ClusterAccess(),
        ShardedSuite(template, spec, shards, plan),
        directory=received / f"{suite.name}-{spec.attempt}",
        log=run.log,
        why_cancelled=run.why_cancelled,
        resume=resume,
    )


def plan_of(run: TierRun, lease: Lease, suite: str, *, count: int) -> Plan:
    """Balance a suite's tests by their durations on the same provider.

    A history that cannot be read costs the balance and nothing else: every test then goes by its
    hash.

    Args:
        run: The tier's run.
        lease: Its environment.
        suite: Name of the suite.
        count: How many shards.
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
