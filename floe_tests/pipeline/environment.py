"""A run's environment: taken, resumed, given back."""

from __future__ import annotations

from dataclasses import replace

from floe_tests.config.environment import Keep
from floe_tests.config.providers import EnvironmentName, capabilities_of
from floe_tests.config.selection import Selection
from floe_tests.core.errors import ConfigurationError, HarnessError, InfrastructureError
from floe_tests.core.extras import require_extra
from floe_tests.core.process_identity import Holder
from floe_tests.core.signals import held_signals
from floe_tests.environments.lease import Lease, new_lease
from floe_tests.environments.leasing import give_back
from floe_tests.kube.client import Kube
from floe_tests.pipeline import resume
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.installation import check_releases


def acquire(
    run: RunContext,
    *,
    environment: EnvironmentName | None,
    keep: Keep | None,
    selection: Selection | None,
) -> Lease:
    """Take a lease on the environment; see `TierRun.acquire`."""
    entries = run.entries
    known = entries.lease()
    if known is not None:
        return _resume(run, known)
    _check_history(run)
    entries.write_selection(selection or Selection())
    state = run.state()
    state.suites()
    state.variables()
    provider = _provider(run, environment)
    _check_extras(run, provider)
    if capabilities_of(provider).is_cluster:
        check_releases(run, provider)
    lease = new_lease(run.settings, run.workspace, run_id=run.run_id, provider=provider, keep=keep)
    entries.write_lease(lease)
    held = run.environment(lease).acquire(lease, run.settings, run.workspace)
    entries.write_lease(held)
    return held


def release(run: RunContext) -> Lease | None:
    """Return the environment, signals held back; see `TierRun.give_back`."""
    if resume.is_resumed_elsewhere(run.entries):
        run.log("another process has resumed this run: its environment is left alone")
        return None
    with held_signals(run.log):
        _export_logs(run)
        return give_back(run.entries.ledger, run.run_id, log=run.log)


def _check_extras(run: RunContext, provider: EnvironmentName) -> None:
    """Make sure that what the tier needs is installed, before anything is created for it.

    Raises:
        ConfigurationError: It is not.
    """
    if run.settings.embedded is not None and not capabilities_of(provider).is_cluster:
        require_extra("local", purpose="the embedded platform")
    for suite in run.settings.suites:
        if suite.soak is not None or suite.benchmark is not None:
            kind = "a soak" if suite.soak is not None else "a benchmark"
            require_extra("measure", purpose=f"suite {suite.name} is {kind}, and judging it")


def _check_history(run: RunContext) -> None:
    """Make sure that the history can take the run, before anything is created for it.

    Raises:
        ConfigurationError: It cannot be opened.
    """
    from floe_tests.results.history.store import History

    try:
        History.open(run.workspace.history_url).close()
    except HarnessError as error:
        message = (
            f"the run could not be remembered, and was not begun: {error} Repair or move that "
            "database, or choose another with FLOE_TESTS_HISTORY."
        )
        raise ConfigurationError(message) from error


def _provider(run: RunContext, chosen: EnvironmentName | None) -> EnvironmentName:
    """Return where to run.

    Raises:
        ConfigurationError: The tier cannot run there.
    """
    settings = run.settings
    provider = chosen or run.workspace.environment or settings.environments[0]
    if provider not in settings.environments:
        is_cluster = capabilities_of(provider).is_cluster
        why = "it is not among its environments" if is_cluster else "it needs a cluster"
        message = (
            f"tier {settings.name} does not run on {provider}: {why}. Choose one of "
            f"{', '.join(settings.environments)} with FLOE_TESTS_CLUSTER or the run's config."
        )
        raise ConfigurationError(message)
    return provider


def _resume(run: RunContext, known: Lease) -> Lease:
    """Go on with the lease that a process before this one took."""
    before = known.holder
    run.log(
        f"resumed after process {before.process_id} on {before.host or 'this machine'} "
        f"ended; its lease is {known.state}"
    )
    if known.state in {"released", "kept"}:
        return known  # what the stages found is written down; they need no environment
    if not capabilities_of(known.provider).outlives_process:
        message = (
            "the process that had this run ended, and its environment, processes of that "
            "machine, with it. Launch the whole job again."
        )
        raise InfrastructureError(message)
    lease = replace(known, holder=Holder.this_process())
    run.entries.write_lease(lease)
    if lease.state == "acquiring" or lease.installed:
        lease = run.environment(lease).acquire(lease, run.settings, run.workspace)
        run.entries.write_lease(lease)
    return run.lease()


def _export_logs(run: RunContext) -> None:
    """Keep the logs of what the run installed, once, while they can still be read."""
    from floe_tests.platform.logs import export_logs

    settings, lease, stages = run.settings, run.entries.lease(), run.entries.stages()
    if lease is None or lease.state != "held" or lease.access is None:
        return
    installed = settings.installed
    if not (settings.releases or installed) or "platform" not in stages:
        return
    export_logs(
        Kube(lease.access),
        lease.namespace,
        run.workspace.received(settings.name, run.run_id),
        log=run.log,
        releases=(
            [installed.release] if installed else [release.name for release in settings.releases]
        ),
        since=stages["cluster"].started_at if installed and "cluster" in stages else None,
    )
