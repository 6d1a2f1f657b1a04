"""The Indexed Job of a suite in shards: made suspended, given its plan, and let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from floe_tests.config.suite import ShardSettings
from floe_tests.config.test_job import JobTemplate
from floe_tests.core.log import Log
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.own_jobs import refused
from floe_tests.execution.sharding.job import indexed_job, plan_config_map
from floe_tests.execution.sharding.job_parallelism import JobParallelism
from floe_tests.execution.sharding.plan import Plan
from floe_tests.execution.suspension import is_anothers_to_start, suspended_by
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part


@dataclass(frozen=True)
class ShardedSuite:
    """What is run in shards.

    Attributes:
        template: The suite's test-job.yaml.
        spec: What this attempt adds to it.
        settings: How many shards, and how many at once.
        plan: Gives which test belongs to which shard.
    """

    template: JobTemplate
    spec: AttemptSpec
    settings: ShardSettings
    plan: Callable[[], Plan]


class SuiteJob:
    """The Job that makes the first pod of each shard."""

    def __init__(
        self,
        kube: Kube,
        suite: ShardedSuite,
        parallelism: JobParallelism,
        *,
        say: Log,
    ) -> None:
        """Prepare.

        Args:
            kube: The cluster; a patient one.
            suite: What is run.
            parallelism: How many pods it may have at once.
            say: Receives what is done.
        """
        self._kube = kube
        self._suite = suite
        self._namespace = suite.spec.namespace
        self._parallelism = parallelism
        self._say = say

    def manifest(self, *, active_seconds: int) -> JsonObject:
        """Return the Job to create, suspended.

        Args:
            active_seconds: When the Job controller ends it, whatever this run does.
        """
        suite = self._suite
        job = indexed_job(
            suite.template, suite.spec, suite.settings, parallelism=self._parallelism.now
        )
        job["spec"]["activeDeadlineSeconds"] = active_seconds
        return job

    def misfit(self, job: JsonObject) -> ErrorFacts | None:
        """Say what the cluster does not know of a Job that it has made; None when nothing."""
        if "backoffLimitPerIndex" in part(job, "spec"):
            return None
        message = (
            f"the cluster ({self._kube.server_version()}) does not know "
            "Job.spec.backoffLimitPerIndex. Shards need Kubernetes 1.29 or newer; take "
            "`shards` out of the suite, or upgrade."
        )
        return ErrorFacts("configuration", message)

    def make_plan(self, job: JsonObject) -> ErrorFacts | None:
        """Create the plan that the pods mount; return why it could not be."""
        spec, count = self._suite.spec, self._suite.settings.count
        plan = self._suite.plan()
        try:
            self._kube.create(plan_config_map(spec, plan, job=job), namespace=self._namespace)
        except RefusedError as error:
            # One that is there already is this very plan, from before a restart.
            if not error.is_conflict:
                return refused(error, path=self._suite.template.path)
        longest = max(plan.seconds, default=0.0)
        self._say(
            f"{count} shards, {len(plan.shards)} tests known from the history; the longest shard "
            f"should take {longest:.1f} s"
        )
        return None

    def let_go(self, job: JsonObject) -> JsonObject | None:
        """Let the Job make its pods, unless somebody else decides when: a queue, or the file.

        Returns:
            The Job as it is then.
        """
        written = part(self._suite.template.document, "spec").get("suspend")
        self._parallelism.is_anothers = bool(written) or is_anothers_to_start(job)
        if self._parallelism.is_anothers:
            who = suspended_by(job)
            self._say(f"created in {self._namespace}, and suspended until it is let go: {who}")
            return job
        now = self._parallelism.let_go()
        self._say(f"created in {self._namespace}, up to {self._parallelism.now} shards at once")
        return now
