"""One run of a tier, from cluster to verdict: what each of the five stages does, in plain Python.

Stages may run in one process or, after a re-execution, in another; what they hand on stands in the
ledger. Whatever ends a run, `publish` gives it a verdict and a place in the history.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from floe_tests.config.environment import Keep
from floe_tests.config.providers import EnvironmentName
from floe_tests.config.selection import Selection
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline import environment as run_environment
from floe_tests.pipeline import installation, resume, stages, suites
from floe_tests.pipeline.context import RunContext
from floe_tests.pipeline.records import InstalledPlatform


@dataclass(frozen=True)
class TierRun(RunContext):
    """One run of a tier: its stages, in the order in which they are called."""

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Keep the books of a stage: its seconds, and the error or signal that ended it.

        In a resumed run, a stage that has failed before fails again, and one that has happened
        keeps its record; what it does then is find what it did.

        Raises:
            FloeTestsError: The stage failed in the process before.
        """
        return stages.stage(self, name)

    def acquire(
        self,
        *,
        environment: EnvironmentName | None = None,
        keep: Keep | None = None,
        selection: Selection | None = None,
    ) -> Lease:
        """Take a lease on the environment; create what is absent.

        A resumed run goes on with the lease that it took.

        Args:
            environment: The environment that the run's config chooses; None leaves it to
                FLOE_TESTS_CLUSTER and the tier.
            keep: The run's own choice of `keep`; None leaves it to the tier.
            selection: Which tests to run; all of them without one.

        Raises:
            ConfigurationError: The tier cannot run there, or the run chose no test at all, or
                variables that it may not set; nothing was created.
            LeaseError: The environment of a resumed run is gone.
        """
        return run_environment.acquire(
            self, environment=environment, keep=keep, selection=selection
        )

    def install(self) -> InstalledPlatform:
        """Install the tier's releases, or look at the installed one, and wait until ready.

        Raises:
            PlatformError: It did not come up, or is not up.
            InfrastructureError: A process before this one was in the middle of an installation.
        """
        return installation.install(self)

    def run_suites(self) -> tuple[Attempt, ...]:
        """Run every chosen suite, in order, and judge it. A red one does not stop the next.

        A release that is to change before a suite is changed first, once for all its attempts. An
        attempt that the infrastructure ended is made again, as often as its verdict's rule
        allows; a failed test never is.

        Raises:
            ConfigurationError: A list of the tier is wrong.
            PlatformError: A release did not survive its change.
        """
        return suites.run_suites(self)

    def require_lease(self) -> None:
        """Make sure that the results to be published are of an environment that this run had.

        Raises:
            LeaseError: There is none, or it is gone.
        """
        tests = self.entries.stage("test_job") if self.is_resumed else None
        if tests is None or tests.error or tests.cancelled:
            self.lease()

    def give_back(self) -> Lease | None:
        """Return the environment, signals held back; what its platform's pods said is kept.

        Raises:
            CleanupError: Something stays.
        """
        return run_environment.release(self)

    @property
    def is_resumed(self) -> bool:
        """Whether another process had this run before."""
        return resume.is_resumed(self.entries)

    @property
    def is_resumed_elsewhere(self) -> bool:
        """Whether another process has resumed this run: this one leaves it alone."""
        return resume.is_resumed_elsewhere(self.entries)

    @property
    def is_unfinished(self) -> bool:
        """Whether no stage has failed or was cancelled, and the results are not published yet."""
        return stages.is_unfinished(self)

    @property
    def is_left_for_resume(self) -> bool:
        """Whether this process has left the run for another to resume."""
        return resume.is_left_for_resume(self.entries)

    def leave_for_resume(self) -> None:
        """Leave the run as it is, with its environment and its Job, for another process."""
        stages.leave_for_resume(self)
