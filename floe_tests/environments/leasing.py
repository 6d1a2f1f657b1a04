"""A lease in use: which environment it is of, whether it is live, how it is given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from floe_tests.core import program
from floe_tests.core.errors import FloeTestsError, LeaseError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.environment import Environment
from floe_tests.environments.installed import InstalledEnvironment
from floe_tests.environments.lease import ENTRY, KEPT_FOR, Lease
from floe_tests.environments.provider import provider_of


def environment_of(name: str, *, ledger: Ledger, log: Log, installed: bool = False) -> Environment:
    """Return the environment of a name.

    Args:
        name: The name.
        ledger: Where leases are written down.
        log: Receives one line a step.
        installed: Whether it is that of an installed platform.

    Raises:
        ConfigurationError: There is none of that name.
    """
    provider = provider_of(name)
    if installed:
        return InstalledEnvironment(provider, ledger=ledger, log=log)
    return provider.environment(ledger=ledger, log=log)


def environment_of_lease(lease: Lease, *, ledger: Ledger, log: Log) -> Environment:
    """Return the environment that a lease is of.

    Raises:
        ConfigurationError: The package that provides it is not installed any more.
    """
    return environment_of(lease.provider, ledger=ledger, log=log, installed=lease.installed)


def live_lease(ledger: Ledger, run_id: str, *, parent_run_id: str | None, log: Log) -> Lease:
    """Return the lease that a later stage may work on.

    Args:
        ledger: Where leases are written down.
        run_id: This run.
        parent_run_id: The run that this one re-executes, if it does.
        log: Receives what is going on.

    Raises:
        LeaseError: There is none, or its environment is gone.
    """
    lease = ledger.read(run_id, ENTRY, Lease)
    if lease is None:
        parent = ledger.read(parent_run_id, ENTRY, Lease) if parent_run_id else None
        which = (
            f"run {parent_run_id} gave its environment back"
            if parent
            else "this run has no environment"
        )
        message = (
            f"{which}: the cluster stage did not run here. Re-execution from failure cannot bring "
            "a cluster back; launch the whole job again, with `keep: on_failure` if the "
            "environment is to stay."
        )
        raise LeaseError(message)
    environment = environment_of_lease(lease, ledger=ledger, log=log)
    if lease.state != "held" or not environment.is_live(lease):
        message = (
            f"the environment of run {run_id} is {lease.state} and not live any more. Launch the "
            "whole job again."
        )
        raise LeaseError(message)
    return lease


def give_back(ledger: Ledger, run_id: str, *, log: Log) -> Lease | None:
    """Return a run's environment, or keep it where its lease says so. Safe to call twice.

    Args:
        ledger: Where leases are written down.
        run_id: The run.
        log: Receives one line a step.

    Returns:
        The lease as it is now; None when the run never had one.

    Raises:
        CleanupError: Something stays; the lease is still held, so that a reaper finds it.
    """
    lease = ledger.read(run_id, ENTRY, Lease)
    if lease is None or lease.state in {"released", "kept"}:
        return lease
    environment = environment_of_lease(lease, ledger=ledger, log=log)
    if lease.stays and lease.state == "held":
        kept = replace(
            lease,
            state="kept",
            owner=replace(lease.owner, expires_at=datetime.now(UTC) + KEPT_FOR),
        )
        ledger.write(run_id, ENTRY, kept)
        _extend(environment, kept, log=log)
        log(f"kept as `keep: {lease.keep}` says. To look into it, and to remove it:")
        for command in environment.commands(kept):
            log(f"  {command}")
        return kept
    with program.started_for(run_id):
        environment.release(lease)
    released = replace(lease, state="released")
    ledger.write(run_id, ENTRY, released)
    return released


def _extend(environment: Environment, kept: Lease, *, log: Log) -> None:
    try:
        environment.extend(kept)
    except FloeTestsError as error:
        # The run is over and its environment stands: no reason to make it red.
        log(
            f"kept, but not so labelled: {error} A reaper that does not know this ledger may "
            "remove it when the run's own time is over."
        )
