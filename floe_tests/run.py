"""One run of a tier, from cluster to verdict: what each of the five stages does, in plain Python.

Stages may run in one process or, after a re-execution, in another; what they hand on stands in the
ledger. Whatever ends a run, `publish` gives it a verdict and a place in the history.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from floe_tests import program
from floe_tests.clusters.lease import (
    ENTRY,
    Lease,
    environment_of,
    give_back,
    live_lease,
    new_lease,
)
from floe_tests.clusters.local import EMBEDDED
from floe_tests.clusters.signals import held_signals, no_reason, reason_of
from floe_tests.errors import (
    CleanupError,
    ConfigurationError,
    FloeTestsError,
    HarnessError,
    LeaseError,
    PlatformError,
)
from floe_tests.gate import quarantine_of, verdict_of
from floe_tests.jobs.attempt import Attempt
from floe_tests.jobs.facts import ErrorFacts, Party
from floe_tests.judging import judge_suite
from floe_tests.kube import ClusterAccess, Kube
from floe_tests.ledger import Ledger
from floe_tests.platform.embedded import EmbeddedPlatform
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.installed import Fingerprint
from floe_tests.platform.rollout import Target, selector_of
from floe_tests.platform.substitutes import MissingImages
from floe_tests.selection import Selection, release_values
from floe_tests.settings import (
    EnvironmentName,
    Keep,
    ReleaseChangeSettings,
    ReleaseSettings,
    SuiteSettings,
    TierSettings,
)
from floe_tests.workspace import Workspace

Log = Callable[[str], None]

# An API server that restarts is away for seconds: nothing that a run asks of it fails for that.
_API_SECONDS = 90.0

_SELECTION = "selection"

STAGES = ("cluster", "platform", "test_job", "results", "released")


@dataclass(frozen=True)
class StageRecord:
    """How a stage went.

    Attributes:
        name: Name of the stage.
        started_at: When it began (UTC).
        seconds: How long it took.
        error: The error that ended it; None when it went well or was interrupted.
        cancelled: Why it was interrupted, if it was.
    """

    name: str
    started_at: datetime
    seconds: float
    error: ErrorFacts | None = None
    cancelled: str | None = None


@dataclass(frozen=True)
class ReleaseChange:
    """An upgrade or a rollback between two suites.

    Attributes:
        suite: The suite that it was made for.
        action: `upgrade` or `rollback`.
        release: What was installed then.
    """

    suite: str
    action: str
    release: InstalledRelease


@dataclass(frozen=True)
class InstalledPlatform:
    """What a run's tests run against.

    Attributes:
        releases: The Helm releases.
        embedded: The embedded platform of `local`.
        seconds: How long the installation took.
        changes: What was done to a release before a suite, in order.
        substituted: Images that cannot be had here, and that the releases do without.
        fingerprint: What a platform is that was there already; None for one of the run's own.
    """

    releases: tuple[InstalledRelease, ...] = ()
    embedded: EmbeddedPlatform | None = None
    seconds: float = 0
    changes: tuple[ReleaseChange, ...] = ()
    substituted: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None


class SuiteRun(Protocol):
    """One attempt to run a suite, prepared: a Job, or a process of this machine."""

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Run it to its end, and give the judged attempt; `record` has it also if interrupted."""
        ...

    def remove(self) -> None:
        """Remove what is left of it.

        Raises:
            FloeTestsError: Something stays.
        """
        ...


@dataclass(frozen=True)
class TierRun:
    """One run of a tier.

    Attributes:
        settings: The tier.
        workspace: Folders and choices of the environment.
        run_id: The Dagster run.
        log: Receives progress.
        parent_run_id: The run that this one re-executes, if it does.
        why_cancelled: Gives the reason that whoever cancelled the run left; asked once the run
            is interrupted. None when nobody left one.
    """

    settings: TierSettings
    workspace: Workspace
    run_id: str
    log: Log
    parent_run_id: str | None = None
    why_cancelled: Callable[[], str | None] = no_reason

    @property
    def ledger(self) -> Ledger:
        """Where this run and its leases are written down."""
        return ledger_of(self.workspace)

    @contextlib.contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Keep the books of a stage: its seconds, and the error or signal that ended it."""
        started_at, started = datetime.now(UTC), monotonic()
        record = StageRecord(name=name, started_at=started_at, seconds=0)
        try:
            with program.started_for(self.run_id):
                yield
        except FloeTestsError as error:
            record = replace(record, error=error_facts(error))
            self._mark_failed()
            raise
        except Exception as error:
            record = replace(
                record, error=ErrorFacts("harness", f"{type(error).__name__}: {error}")
            )
            self._mark_failed()
            raise
        except BaseException as interrupt:
            record = replace(record, cancelled=reason_of(interrupt, self.why_cancelled, doing=name))
            raise
        finally:
            self.ledger.write(
                self.run_id, f"stage-{name}", replace(record, seconds=monotonic() - started)
            )

    def acquire(
        self,
        *,
        environment: EnvironmentName | None = None,
        keep: Keep | None = None,
        selection: Selection | None = None,
    ) -> Lease:
        """Take a lease on the environment; create what is absent.

        Args:
            environment: The environment that the run's config chooses; None leaves it to
                FLOE_TESTS_CLUSTER and the tier.
            keep: The run's own choice of `keep`; None leaves it to the tier.
            selection: Which tests to run; all of them without one.

        Raises:
            ConfigurationError: The tier cannot run there, or the run chose no test at all; nothing
                was created.
        """
        self.ledger.write(self.run_id, _SELECTION, selection or Selection())
        self.suites()
        provider = environment or self.workspace.environment or self.settings.environments[0]
        if provider not in self.settings.environments:
            why = (
                "it needs a cluster" if provider == "local" else "it is not among its environments"
            )
            message = (
                f"tier {self.settings.name} does not run on {provider}: {why}. Choose one of "
                f"{', '.join(self.settings.environments)} with FLOE_TESTS_CLUSTER or the run's "
                "config."
            )
            raise ConfigurationError(message)
        if provider != "local":
            self._check_releases(provider)
        lease = new_lease(
            self.settings, self.workspace, run_id=self.run_id, provider=provider, keep=keep
        )
        self.ledger.write(self.run_id, ENTRY, lease)
        held = environment_of(
            provider, ledger=self.ledger, log=self.log, persistent=lease.persistent
        ).acquire(lease, self.settings, self.workspace)
        self.ledger.write(self.run_id, ENTRY, held)
        return held

    def install(self) -> InstalledPlatform:
        """Install the tier's releases, or look at the installed one, and wait until ready."""
        lease = self.lease()
        started = monotonic()
        if lease.provider == "local":
            installed = InstalledPlatform(embedded=self._start_embedded(lease))
        elif self.settings.installed is not None:
            from floe_tests.platform.installed import wait_until_complete

            release, fingerprint = wait_until_complete(self.settings.installed, self._target(lease))
            installed = InstalledPlatform(releases=(release,), fingerprint=fingerprint)
        else:
            installed = self._install_releases(lease)
        installed = replace(installed, seconds=monotonic() - started)
        self.ledger.write(self.run_id, "platform", installed)
        return installed

    def run_suites(self) -> tuple[Attempt, ...]:
        """Run every chosen suite, in order, and judge it. A red one does not stop the next.

        A release that is to change before a suite is changed first, once for all its attempts. An
        attempt that the infrastructure ended is made again, as often as its verdict's rule
        allows; a failed test never is.

        Raises:
            PlatformError: A release did not survive its change.
        """
        lease = self.lease()
        listed = quarantine_of(self.settings, self.workspace.root)
        attempts: list[Attempt] = []
        for suite in self.suites():
            if suite.before is not None:
                self._change_release(lease, suite.name, suite.before)
            made = self._attempt_until_said(lease, suite)
            judged = judge_suite(self, suite, made[-1])
            verdict = verdict_of(made[-1], listed, judged=judged.facts if judged else None)
            self.log(f"suite {suite.name}: {verdict}")
            attempts += made
            if not verdict.passed:
                self._mark_failed()
        return tuple(attempts)

    def give_back(self) -> Lease | None:
        """Return the environment, signals held back; what its platform's pods said is kept.

        Raises:
            CleanupError: Something stays.
        """
        with held_signals(self.log):
            self._export_logs()
            return give_back(self.ledger, self.run_id, log=self.log)

    def lease(self) -> Lease:
        """Give the live lease of this run.

        Raises:
            LeaseError: There is none, or its environment is gone.
        """
        return live_lease(self.ledger, self.run_id, parent_run_id=self.parent_run_id, log=self.log)

    def suites(self) -> tuple[SuiteSettings, ...]:
        """Give the suites that the run chose, narrowed to the tests that it chose.

        Raises:
            ConfigurationError: It chose none.
        """
        # A re-execution that begins after the first stage has its parent's.
        runs = [self.run_id, *([self.parent_run_id] if self.parent_run_id else [])]
        known = (self.ledger.read(run_id, _SELECTION, Selection) for run_id in runs)
        selection = next((each for each in known if each is not None), Selection())
        return selection.suites_of(self.settings)

    def attempts(self) -> tuple[Attempt, ...]:
        """Give the attempts made so far, in order of suites and numbers."""
        return tuple(
            attempt
            for suite in self.settings.suites
            for attempt in attempts_of(self.ledger, self.run_id, suite.name)
        )

    def installed(self) -> InstalledPlatform | None:
        """Give what was installed; None when the run did not get that far."""
        return self.ledger.read(self.run_id, "platform", InstalledPlatform)

    def stages(self) -> Mapping[str, StageRecord]:
        """Give the stages that have ended, by name, in order."""
        found = {
            name: self.ledger.read(self.run_id, f"stage-{name}", StageRecord) for name in STAGES
        }
        return {name: record for name, record in found.items() if record is not None}

    def _check_releases(self, provider: EnvironmentName) -> None:
        """Render every release for the version of Kubernetes that it will meet."""
        from floe_tests.platform import helm

        version = self.settings.kind.kubernetes_version
        if provider == "context":
            context = self.settings.context
            version = Kube(ClusterAccess(context.kubeconfig, context.context)).server_version()
        for release in self._releases():
            helm.check(
                release,
                kube_version=version,
                workspace=self.workspace,
                directory=self.ledger.folder(self.run_id) / "releases",
            )

    def _mark_failed(self) -> None:
        lease = self.ledger.read(self.run_id, ENTRY, Lease)
        if lease is not None:
            self.ledger.write(self.run_id, ENTRY, replace(lease, failed=True))

    def _export_logs(self) -> None:
        """Keep the logs of what the run installed, once, while they can still be read."""
        from floe_tests.platform.logs import export_logs

        lease = self.ledger.read(self.run_id, ENTRY, Lease)
        if lease is None or lease.state != "held" or lease.access is None:
            return
        stages = self.stages()
        if not (self.settings.releases or self.settings.installed) or "platform" not in stages:
            return
        installed = self.settings.installed
        export_logs(
            Kube(lease.access),
            lease.namespace,
            self.workspace.received(self.settings.name, self.run_id),
            log=self.log,
            selector=selector_of(installed.release) if installed else "",
            since=stages["cluster"].started_at if installed and "cluster" in stages else None,
        )

    def _start_embedded(self, lease: Lease) -> EmbeddedPlatform | None:
        from floe_tests.platform import embedded

        wanted = self.settings.embedded
        if wanted is None:
            return None
        platform = embedded.start(
            self.ledger.folder(lease.run_id) / "platform",
            code_root=self.workspace.root / wanted.code,
            deadline_seconds=wanted.ready_seconds,
            log=self.log,
        )
        self.ledger.write(self.run_id, EMBEDDED, platform)
        return platform

    def _install_releases(self, lease: Lease) -> InstalledPlatform:
        from floe_tests.platform import helm

        missing = self._missing_images()
        for name in missing.names:
            self.log(f"{self.workspace.image(name)} cannot be had: the release does without it")
        target = self._target(lease)
        releases = tuple(helm.install(release, target) for release in self._releases())
        return InstalledPlatform(releases=releases, substituted=missing.names)

    def _releases(self) -> tuple[ReleaseSettings, ...]:
        """Give the releases as they can be had here."""
        from floe_tests.platform.substitutes import with_values, without

        missing, suites = self._missing_images(), self.suites()
        return tuple(
            with_values(without(release, missing), release_values(suites, release.name))
            for release in self.settings.releases
        )

    def _missing_images(self) -> MissingImages:
        """Give the images that are substituted; asked once a run, so that all of it agrees."""
        from floe_tests.platform.substitutes import missing_images

        known = self.ledger.read(self.run_id, "missing-images", MissingImages)
        if known is None:
            known = missing_images(self.settings.releases, self.workspace)
            self.ledger.write(self.run_id, "missing-images", known)
        return known

    def _change_release(self, lease: Lease, suite: str, wanted: ReleaseChangeSettings) -> None:
        """Upgrade or roll back a release before a suite, and write down that it was done."""
        from floe_tests.platform import helm

        release = next(each for each in self._releases() if each.name == wanted.release)
        self.log(f"suite {suite}: {wanted.action} of release {release.name} first")
        changed = helm.change(release, wanted, self._target(lease))
        installed = self.installed() or InstalledPlatform()
        change = ReleaseChange(suite=suite, action=wanted.action, release=changed)
        installed = replace(installed, changes=(*installed.changes, change))
        self.ledger.write(self.run_id, "platform", installed)

    def _target(self, lease: Lease) -> Target:
        return Target(
            access=lease.access or ClusterAccess(),
            namespace=lease.namespace,
            workspace=self.workspace,
            directory=self.ledger.folder(self.run_id) / "releases",
            log=self.log,
        )

    def _attempt_until_said(self, lease: Lease, suite: SuiteSettings) -> tuple[Attempt, ...]:
        """Run a suite, again where only the infrastructure is to blame; every attempt is kept."""

        def record(attempt: Attempt) -> None:
            self.ledger.write(self.run_id, f"attempt-{suite.name}-{attempt.number}", attempt)

        attempts: list[Attempt] = []
        while True:
            prepared = self._prepare(lease, suite, number=len(attempts) + 1)
            attempt = prepared.run(record=record)
            attempts.append(attempt)
            is_last = attempt.number > attempt.verdict.retries
            if not is_last:
                self.log(
                    f"suite {suite.name}, attempt {attempt.number}: {attempt.verdict}. Once more "
                    f"in a fresh pod; {attempt.verdict.retries} such attempts are allowed."
                )
            if not is_last or attempt.facts.node is not None:
                # What is left would take the room of the next one, or hold up the namespace.
                prepared.remove()
            if is_last:
                return tuple(attempts)

    def _prepare(self, lease: Lease, suite: SuiteSettings, *, number: int) -> SuiteRun:
        from floe_tests.jobs.manifest import JobRequest, load_template
        from floe_tests.jobs.process import ProcessCommand, ProcessRun
        from floe_tests.jobs.runner import JobRun

        request = JobRequest(
            owner=lease.owner,
            suite=suite.name,
            attempt=number,
            namespace=lease.namespace,
            provider=lease.provider,
            image_registry_prefix=self.workspace.image_registry_prefix,
            groups=suite.groups,
            excluded_groups=suite.excluded_groups,
            deadlines=self.settings.deadlines,
            environment=self._test_environment(),
        )
        received = self.workspace.received(self.settings.name, self.run_id)
        directory = received / f"{suite.name}-{number}"
        directory.mkdir(parents=True, exist_ok=True)

        template = load_template(self.workspace.root / suite.job) if suite.job else None
        if lease.provider == "local":
            if suite.shards is not None:
                self.log(f"suite {suite.name} runs whole: shards are pods, and `local` has none")
            command = (
                ProcessCommand.from_template(template)
                if template
                else ProcessCommand(suite.command or ())
            )
            return ProcessRun(
                command,
                request,
                root=self.workspace.root,
                directory=directory,
                log=self.log,
                why_cancelled=self.why_cancelled,
            )
        if template is None:
            message = f"suite {suite.name} has no `job`, and {lease.provider} needs one."
            raise ConfigurationError(message)
        if suite.shards is not None:
            from floe_tests.sharding import sharded_run

            return sharded_run(self, lease, suite, template, request)
        return JobRun(
            Kube(lease.access or ClusterAccess(), patience_seconds=_API_SECONDS),
            template,
            request,
            directory=directory,
            log=self.log,
            why_cancelled=self.why_cancelled,
        )

    def _test_environment(self) -> tuple[tuple[str, str], ...]:
        installed = self.installed()
        if installed is None or installed.embedded is None:
            return ()
        platform = installed.embedded
        return (("DAGSTER_HOST", platform.host), ("DAGSTER_PORT", str(platform.port)))


def attempts_of(ledger: Ledger, run_id: str, suite: str) -> Iterator[Attempt]:
    """Give the attempts of a run at a suite that have ended, in order."""
    for number in itertools.count(1):
        attempt = ledger.read(run_id, f"attempt-{suite}-{number}", Attempt)
        if attempt is None:
            return
        yield attempt


def ledger_of(workspace: Workspace) -> Ledger:
    """Give the ledger of a project: all that its runs have written down."""
    return Ledger(workspace.home / "floe-tests" / "runs")


def error_facts(error: FloeTestsError) -> ErrorFacts:
    """Give an error as facts, with whose fault it is."""
    party: Party = "infrastructure"
    if isinstance(error, ConfigurationError | LeaseError):
        party = "configuration"
    elif isinstance(error, PlatformError):
        party = "platform"
    elif isinstance(error, HarnessError):
        party = "harness"
    elif isinstance(error, CleanupError):
        party = "cleanup"
    return ErrorFacts(party, str(error), error.evidence)
