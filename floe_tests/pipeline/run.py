"""One run of a tier, from cluster to verdict: what each of the five stages does, in plain Python.

Stages may run in one process or, after a re-execution, in another; what they hand on stands in the
ledger. Whatever ends a run, `publish` gives it a verdict and a place in the history.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Protocol

from floe_tests.config.environment import Keep
from floe_tests.config.project import Workspace
from floe_tests.config.providers import EnvironmentName, capabilities_of
from floe_tests.config.release import ReleaseChangeSettings, ReleaseSettings
from floe_tests.config.selection import Selection, release_values
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.core import program
from floe_tests.core.errors import (
    CleanupError,
    ConfigurationError,
    FloeTestsError,
    HarnessError,
    InfrastructureError,
    LeaseError,
    PlatformError,
)
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.core.signals import held_signals, no_reason, reason_of
from floe_tests.environments.environment import Environment
from floe_tests.environments.lease import ENTRY, Lease, new_lease
from floe_tests.environments.leasing import environment_of_lease, give_back, live_lease
from floe_tests.environments.provider import provider_of
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.resume import Resume, never
from floe_tests.execution.verdict.facts import ErrorFacts, Party
from floe_tests.execution.verdict.rules import classify
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.pipeline import resume
from floe_tests.pipeline.gate import counts_required, quarantine_of, verdict_of
from floe_tests.pipeline.judgement import compare_suite, judge_suite
from floe_tests.platform.embedded import LEDGER_ENTRY, EmbeddedPlatform
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.installed import Fingerprint
from floe_tests.platform.substitutes import MissingImages
from floe_tests.platform.target import Target

Log = Callable[[str], None]

# An API server that restarts is away for seconds: nothing that a run asks of it fails for that.
_API_SECONDS = 90.0

_SELECTION = "selection"
_HELM_BEGUN = "helm-begun"

_ERRORS: Mapping[Party, type[FloeTestsError]] = {
    "configuration": ConfigurationError,
    "platform": PlatformError,
    "harness": HarnessError,
    "cleanup": CleanupError,
}

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
        why_cancelled: Returns the reason that whoever cancelled the run left; asked once the run
            is interrupted. None when nobody left one.
        is_resumable: Whether another process takes the run up when this one dies.
        hands_over: Tells, once the run is interrupted, whether it goes on in another process.
    """

    settings: TierSettings
    workspace: Workspace
    run_id: str
    log: Log
    parent_run_id: str | None = None
    why_cancelled: Callable[[], str | None] = no_reason
    is_resumable: bool = False
    hands_over: Callable[[], bool] = never

    @property
    def ledger(self) -> Ledger:
        """Where this run and its leases are written down."""
        return ledger_of(self.workspace)

    @contextlib.contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Keep the books of a stage: its seconds, and the error or signal that ended it.

        In a run that was taken up, a stage that has failed before fails again, and one that has
        happened keeps its record; what it does then is find what it did.

        Raises:
            FloeTestsError: The stage failed in the process before.
        """
        if name == STAGES[0]:
            resume.take_up(self.ledger, self.run_id)
        before = self._record_of(name) if self.is_resumed else None
        if before is not None and before.error is not None:
            raise error_of(before.error)
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
            if self.hands_over():
                self.hand_over()
                raise
            record = replace(record, cancelled=reason_of(interrupt, self.why_cancelled, doing=name))
            raise
        finally:
            if before is None and not self.is_handed_over:
                self.ledger.write(
                    self.run_id, f"stage-{name}", replace(record, seconds=monotonic() - started)
                )

    @property
    def is_resumed(self) -> bool:
        """Whether another process had this run before."""
        return resume.is_resumed(self.ledger, self.run_id)

    @property
    def is_anothers(self) -> bool:
        """Whether another process has taken this run up: this one leaves it alone."""
        return resume.is_anothers(self.ledger, self.run_id)

    @property
    def is_unfinished(self) -> bool:
        """Whether no stage has failed or was cancelled, and the results are not judged yet."""
        stages = self.stages()
        is_over = any(record.error or record.cancelled for record in stages.values())
        return not is_over and "results" not in stages

    @property
    def is_handed_over(self) -> bool:
        """Whether this process has left the run to another."""
        return resume.is_handed_over(self.ledger, self.run_id)

    def hand_over(self) -> None:
        """Leave the run as it is, with its environment and its Job, to another process."""
        if not self.is_handed_over:
            resume.hand_over(self.ledger, self.run_id)
            lease = self.ledger.read(self.run_id, ENTRY, Lease)
            if lease is not None:
                self._environment(lease).leave(lease)
            self.log("interrupted, and not cancelled: the run goes on in another process")

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

        A run that another process had before goes on with the lease that it took.

        Raises:
            ConfigurationError: The tier cannot run there, or the run chose no test at all, or
                variables that it may not set; nothing was created.
            LeaseError: The environment of a run that was taken up is gone.
        """
        known = self.ledger.read(self.run_id, ENTRY, Lease)
        if known is not None:
            return self._take_up(known)
        self.ledger.write(self.run_id, _SELECTION, selection or Selection())
        self.suites()
        self.variables()
        provider = environment or self.workspace.environment or self.settings.environments[0]
        if provider not in self.settings.environments:
            is_cluster = capabilities_of(provider).is_cluster
            why = "it is not among its environments" if is_cluster else "it needs a cluster"
            message = (
                f"tier {self.settings.name} does not run on {provider}: {why}. Choose one of "
                f"{', '.join(self.settings.environments)} with FLOE_TESTS_CLUSTER or the run's "
                "config."
            )
            raise ConfigurationError(message)
        if capabilities_of(provider).is_cluster:
            self._check_releases(provider)
        lease = new_lease(
            self.settings, self.workspace, run_id=self.run_id, provider=provider, keep=keep
        )
        self.ledger.write(self.run_id, ENTRY, lease)
        held = self._environment(lease).acquire(lease, self.settings, self.workspace)
        self.ledger.write(self.run_id, ENTRY, held)
        return held

    def _take_up(self, known: Lease) -> Lease:
        """Go on with the lease that a process before this one took."""
        before = known.holder
        self.log(
            f"taken up after process {before.process_id} on {before.host or 'this machine'} "
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
        self.ledger.write(self.run_id, ENTRY, lease)
        if lease.state == "acquiring" or lease.installed:
            lease = self._environment(lease).acquire(lease, self.settings, self.workspace)
            self.ledger.write(self.run_id, ENTRY, lease)
        return self.lease()

    def _environment(self, lease: Lease) -> Environment:
        return environment_of_lease(lease, ledger=self.ledger, log=self.log)

    def install(self) -> InstalledPlatform:
        """Install the tier's releases, or look at the installed one, and wait until ready.

        Raises:
            PlatformError: It did not come up, or is not up.
            InfrastructureError: A process before this one was in the middle of an installation.
        """
        known = self.installed()
        if known is not None:
            return known
        lease = self.lease()
        if self.settings.releases and self.is_resumed and self._releases_begun():
            message = (
                "the process that had this run before ended while helm worked, and helm locks a "
                "release that it did not finish. Launch the whole job again."
            )
            raise InfrastructureError(message)
        started = monotonic()
        if not capabilities_of(lease.provider).is_cluster:
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
        listed = quarantine_of(self.settings, self.workspace.root)
        attempts: list[Attempt] = []
        for suite in self.suites():
            # In a run that was taken up: what the process before has finished.
            made = tuple(attempts_of(self.ledger, self.run_id, suite.name))
            if not made or _is_followed(made[-1]):
                lease = self.lease()
                if suite.before is not None and not made:
                    self._change_release(lease, suite.name, suite.before)
                made = self._attempt_until_said(lease, suite, made)
            judged = judge_suite(self, suite, made[-1])
            verdict = verdict_of(
                made,
                listed,
                judged=judged.facts if judged else None,
                presence=compare_suite(self, suite, made),
                require_collection=counts_required(self.settings, suite),
            )
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
        if self.is_anothers:
            self.log("another process has taken this run up: its environment is left alone")
            return None
        with held_signals(self.log):
            self._export_logs()
            return give_back(self.ledger, self.run_id, log=self.log)

    def lease(self) -> Lease:
        """Return the live lease of this run.

        Raises:
            LeaseError: There is none, or its environment is gone.
        """
        return live_lease(self.ledger, self.run_id, parent_run_id=self.parent_run_id, log=self.log)

    def require_lease(self) -> None:
        """Make sure that the results to be judged are of an environment that this run had.

        Raises:
            LeaseError: There is none, or it is gone.
        """
        tests = self._record_of("test_job") if self.is_resumed else None
        if tests is None or tests.error or tests.cancelled:
            self.lease()

    def suites(self) -> tuple[SuiteSettings, ...]:
        """Return the suites that the run chose, narrowed to the tests that it chose.

        Raises:
            ConfigurationError: It chose none.
        """
        return self._selection().suites_of(self.settings)

    def variables(self) -> Mapping[str, Mapping[str, str]]:
        """Return the variables that the run itself sets, by suite.

        Raises:
            ConfigurationError: One may not be set, or no suite knows it.
        """
        from floe_tests.config import variables
        from floe_tests.config.test_job import load_template

        known = {suite.name: set(suite.variables) for suite in self.suites()}
        for suite in self.suites():
            if suite.job is not None:
                template = load_template(self.workspace.root / suite.job)
                known[suite.name].update(template.plain_variables)
        return variables.chosen(self._selection().variables, known)

    def attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts made so far, in order of suites and numbers."""
        return tuple(
            attempt
            for suite in self.settings.suites
            for attempt in attempts_of(self.ledger, self.run_id, suite.name)
        )

    def installed(self) -> InstalledPlatform | None:
        """Return what was installed; None when the run did not get that far."""
        return self.ledger.read(self.run_id, "platform", InstalledPlatform)

    def stages(self) -> Mapping[str, StageRecord]:
        """Return the stages that have ended, by name, in order."""
        found = {name: self._record_of(name) for name in STAGES}
        return {name: record for name, record in found.items() if record is not None}

    def _record_of(self, stage: str) -> StageRecord | None:
        return self.ledger.read(self.run_id, f"stage-{stage}", StageRecord)

    def _releases_begun(self) -> bool:
        return self.ledger.read(self.run_id, _HELM_BEGUN, bool) is not None

    def _selection(self) -> Selection:
        # A re-execution that begins after the first stage has its parent's.
        runs = [self.run_id, *([self.parent_run_id] if self.parent_run_id else [])]
        known = (self.ledger.read(run_id, _SELECTION, Selection) for run_id in runs)
        return next((each for each in known if each is not None), Selection())

    def _check_releases(self, provider: EnvironmentName) -> None:
        """Render every release for the version of Kubernetes that it will meet."""
        from floe_tests.platform import helm

        version = provider_of(provider).kube_version(self.settings)
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
            releases=(
                [installed.release]
                if installed
                else [release.name for release in self.settings.releases]
            ),
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
        self.ledger.write(self.run_id, LEDGER_ENTRY, platform)
        return platform

    def _install_releases(self, lease: Lease) -> InstalledPlatform:
        from floe_tests.platform import helm

        missing = self._missing_images()
        for name in missing.names:
            self.log(f"{self.workspace.image(name)} cannot be had: the release does without it")
        target = self._target(lease)
        self.ledger.write(self.run_id, _HELM_BEGUN, True)  # noqa: FBT003 - an entry
        releases = tuple(helm.install(release, target) for release in self._releases())
        return InstalledPlatform(releases=releases, substituted=missing.names)

    def _releases(self) -> tuple[ReleaseSettings, ...]:
        """Return the releases as they can be had here."""
        from floe_tests.platform.substitutes import with_values, without

        missing, suites = self._missing_images(), self.suites()
        return tuple(
            with_values(without(release, missing), release_values(suites, release.name))
            for release in self.settings.releases
        )

    def _missing_images(self) -> MissingImages:
        """Return the images that are substituted; asked once a run, so that all of it agrees."""
        from floe_tests.platform.substitutes import missing_images

        known = self.ledger.read(self.run_id, "missing-images", MissingImages)
        if known is None:
            known = missing_images(self.settings.releases, self.workspace)
            self.ledger.write(self.run_id, "missing-images", known)
        return known

    def _change_release(self, lease: Lease, suite: str, wanted: ReleaseChangeSettings) -> None:
        """Upgrade or roll back a release before a suite, and write down that it was done."""
        from floe_tests.platform import helm

        installed = self.installed() or InstalledPlatform()
        if any(change.suite == suite for change in installed.changes):
            return  # by the process that had this run before
        release = next(each for each in self._releases() if each.name == wanted.release)
        self.log(f"suite {suite}: {wanted.action} of release {release.name} first")
        changed = helm.change(release, wanted, self._target(lease))
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

    def _attempt_until_said(
        self, lease: Lease, suite: SuiteSettings, made: Sequence[Attempt]
    ) -> tuple[Attempt, ...]:
        """Run a suite, again where only the infrastructure is to blame; every attempt is kept."""

        def record(attempt: Attempt) -> None:
            self.ledger.write(self.run_id, f"attempt-{suite.name}-{attempt.number}", attempt)

        attempts = list(made)
        while True:
            prepared = self._prepare(lease, suite, number=len(attempts) + 1)
            attempt = prepared.run(record=record)
            lost = self._environment(lease).why_lost(lease)
            if lost:
                # Whoever has the cluster now was on it beside these tests.
                attempt = _spoiled(attempt, lost)
                record(attempt)
            attempts.append(attempt)
            is_last = bool(lost) or not _is_followed(attempt)
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
        from floe_tests.config.test_job import load_template
        from floe_tests.execution.job_run import JobRun
        from floe_tests.execution.manifest import AttemptSpec
        from floe_tests.execution.process_command import ProcessCommand
        from floe_tests.execution.process_run import ProcessRun

        request = AttemptSpec(
            owner=lease.owner,
            suite=suite.name,
            attempt=number,
            namespace=lease.namespace,
            provider=lease.provider,
            image_registry_prefix=self.workspace.image_registry_prefix,
            groups=suite.groups,
            excluded_groups=suite.excluded_groups,
            deadlines=self.settings.deadlines,
            environment=self._test_environment(suite),
        )
        received = self.workspace.received(self.settings.name, self.run_id)
        directory = received / f"{suite.name}-{number}"
        directory.mkdir(parents=True, exist_ok=True)

        template = load_template(self.workspace.root / suite.job) if suite.job else None
        if not capabilities_of(lease.provider).is_cluster:
            if suite.shards is not None:
                self.log(
                    f"suite {suite.name} runs whole: shards are pods, and `{lease.provider}` has "
                    "none"
                )
            command = (
                ProcessCommand.from_template(template, passed=suite.pass_environment)
                if template
                else ProcessCommand(suite.command or (), passed=suite.pass_environment)
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
            from floe_tests.pipeline.sharded_suites import sharded_run

            handover = self._handover(suite.name, number)
            return sharded_run(self, lease, suite, template, request, handover)
        return JobRun(
            Kube(lease.access or ClusterAccess(), patience_seconds=_API_SECONDS),
            template,
            request,
            directory=directory,
            log=self.log,
            why_cancelled=self.why_cancelled,
            resume=self._handover(suite.name, number),
        )

    def _handover(self, suite: str, number: int) -> Resume:
        entry = f"job-{suite}-{number}"
        return Resume(
            is_possible=self.is_resumable,
            is_begun=self.ledger.read(self.run_id, entry, bool) is not None,
            begin=partial(self.ledger.write, self.run_id, entry, True),  # noqa: FBT003 - an entry
            is_due=self.hands_over,
        )

    def _test_environment(self, suite: SuiteSettings) -> tuple[tuple[str, str], ...]:
        variables = {**suite.variables, **self.variables()[suite.name]}
        installed = self.installed()
        if installed is not None and installed.embedded is not None:
            platform = installed.embedded
            variables |= {"DAGSTER_HOST": platform.host, "DAGSTER_PORT": str(platform.port)}
        return tuple(variables.items())


def attempts_of(ledger: Ledger, run_id: str, suite: str) -> Iterator[Attempt]:
    """Return the attempts of a run at a suite that have ended, in order."""
    for number in itertools.count(1):
        attempt = ledger.read(run_id, f"attempt-{suite}-{number}", Attempt)
        if attempt is None:
            return
        yield attempt


def _spoiled(attempt: Attempt, why: str) -> Attempt:
    facts = replace(attempt.facts, error=ErrorFacts("infrastructure", why))
    return replace(attempt, facts=facts, verdict=classify(facts))


def _is_followed(attempt: Attempt) -> bool:
    """Return whether its verdict's rule allows another attempt after this one."""
    return attempt.number <= attempt.verdict.retries


def ledger_of(workspace: Workspace) -> Ledger:
    """Return the ledger of a project: all that its runs have written down."""
    return Ledger(workspace.home / "floe-tests" / "runs")


def error_of(facts: ErrorFacts) -> FloeTestsError:
    """Return an error that was written down, as it was raised."""
    kind = _ERRORS.get(facts.party, InfrastructureError)
    return kind(facts.message, evidence=facts.evidence)


def error_facts(error: FloeTestsError) -> ErrorFacts:
    """Return an error as facts, with whose fault it is."""
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
