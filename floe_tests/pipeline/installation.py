"""What a run's tests run against: installed, looked at, changed between suites."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from floe_tests.config.providers import EnvironmentName, capabilities_of
from floe_tests.config.release import ReleaseChangeSettings, ReleaseSettings
from floe_tests.config.selection import release_values
from floe_tests.core.errors import InfrastructureError
from floe_tests.environments.lease import Lease
from floe_tests.environments.provider import provider_of
from floe_tests.kube.access import ClusterAccess
from floe_tests.pipeline import resume
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.records import InstalledPlatform, ReleaseChange
from floe_tests.platform.embedded import EmbeddedPlatform
from floe_tests.platform.substitutes import MissingImages
from floe_tests.platform.target import Target


def install(run: RunContext) -> InstalledPlatform:
    """Install the tier's releases, or look at the installed one; see `TierRun.install`."""
    known = run.entries.platform()
    if known is not None:
        return known
    lease = run.lease()
    if run.settings.releases and resume.is_resumed(run.entries) and run.entries.has_begun_helm():
        message = (
            "the process that had this run before ended while helm worked, and helm locks a "
            "release that it did not finish. Launch the whole job again."
        )
        raise InfrastructureError(message)
    started = monotonic()
    if not capabilities_of(lease.provider).is_cluster:
        installed = InstalledPlatform(embedded=_start_embedded(run))
    elif run.settings.installed is not None:
        from floe_tests.platform.installed import wait_until_complete

        release, fingerprint = wait_until_complete(run.settings.installed, _target(run, lease))
        installed = InstalledPlatform(releases=(release,), fingerprint=fingerprint)
    else:
        installed = _install_releases(run, lease)
    installed = replace(installed, seconds=monotonic() - started)
    run.entries.write_platform(installed)
    return installed


def check_releases(run: RunContext, provider: EnvironmentName) -> None:
    """Render every release for the version of Kubernetes that it will meet.

    Args:
        run: The run.
        provider: Where it will run.

    Raises:
        ConfigurationError: One cannot be rendered.
    """
    from floe_tests.platform import helm

    version = provider_of(provider).kube_version(run.settings)
    for release in _releases(run):
        helm.check(
            release,
            kube_version=version,
            workspace=run.workspace,
            directory=run.entries.ledger.folder(run.run_id) / "releases",
        )


def change_release(
    run: RunContext, lease: Lease, suite: str, wanted: ReleaseChangeSettings
) -> None:
    """Upgrade or roll back a release before a suite, and write down that it was done.

    Args:
        run: The run.
        lease: Its environment.
        suite: Name of the suite.
        wanted: The change.

    Raises:
        PlatformError: The release did not survive it.
    """
    from floe_tests.platform import helm

    installed = run.entries.platform() or InstalledPlatform()
    if any(change.suite == suite for change in installed.changes):
        return  # by the process that had this run before
    release = next(each for each in _releases(run) if each.name == wanted.release)
    run.log(f"suite {suite}: {wanted.action} of release {release.name} first")
    changed = helm.change(release, wanted, _target(run, lease))
    change = ReleaseChange(suite=suite, action=wanted.action, release=changed)
    run.entries.write_platform(replace(installed, changes=(*installed.changes, change)))


def _start_embedded(run: RunContext) -> EmbeddedPlatform | None:
    from floe_tests.platform import embedded

    wanted = run.settings.embedded
    if wanted is None:
        return None
    platform = embedded.start(
        run.entries.ledger.folder(run.run_id) / "platform",
        code_root=run.workspace.root / wanted.code,
        deadline_seconds=wanted.ready_seconds,
        log=run.log,
    )
    run.entries.write_embedded(platform)
    return platform


def _install_releases(run: RunContext, lease: Lease) -> InstalledPlatform:
    from floe_tests.platform import helm

    missing = _missing_images(run)
    for name in missing.names:
        run.log(f"{run.workspace.image(name)} cannot be had: the release does without it")
    target = _target(run, lease)
    run.entries.write_helm_begun()
    releases = tuple(helm.install(release, target) for release in _releases(run))
    return InstalledPlatform(releases=releases, substituted=missing.names)


def _releases(run: RunContext) -> tuple[ReleaseSettings, ...]:
    """Return the releases as they can be had here."""
    from floe_tests.platform.substitutes import with_values, without

    missing, suites = _missing_images(run), run.state().suites()
    return tuple(
        with_values(without(release, missing), release_values(suites, release.name))
        for release in run.settings.releases
    )


def _missing_images(run: RunContext) -> MissingImages:
    """Return the images that are substituted; asked once a run, so that all of it agrees."""
    from floe_tests.platform.substitutes import missing_images

    known = run.entries.missing_images()
    if known is None:
        known = missing_images(run.settings.releases, run.workspace)
        run.entries.write_missing_images(known)
    return known


def _target(run: RunContext, lease: Lease) -> Target:
    return Target(
        access=lease.access or ClusterAccess(),
        namespace=lease.namespace,
        workspace=run.workspace,
        directory=run.entries.ledger.folder(run.run_id) / "releases",
        log=run.log,
    )
