"""The five assets of a tier, built from its settings.

Dagster reads annotations when it builds an asset, so they are not postponed here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field

from floe_tests.config.providers import environment_names, environments_described
from floe_tests.config.selection import Selection
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.labels import ENVIRONMENT, PLATFORM
from floe_tests.core.signals import uninterrupted
from floe_tests.orchestration import metadata, results_metadata
from floe_tests.orchestration.session import SessionResource

if TYPE_CHECKING:
    EnvironmentChoice = str
else:  # the launchpad offers these
    EnvironmentChoice = Literal[("default", *environment_names())]


class RunConfig(dg.Config):
    """What a run may choose; it stands on the first asset, and all others follow it."""

    environment: EnvironmentChoice = Field(
        default="default",
        description=(
            f"Where to run: {environments_described()}. `default` is FLOE_TESTS_CLUSTER, then the "
            "tier's first environment."
        ),
    )
    keep: Literal["default", "never", "on_failure", "always"] = Field(
        default="default",
        description="Whether the environment stays after the run, for a look into it; at most 24 "
        "hours. `default` is the tier's own setting.",
    )
    groups: list[str] = Field(
        default_factory=list,
        description="Run only tests with one of these pytest markers. A suite without any of them "
        "is not selected, and what it alone needs is not installed.",
    )
    excluded_groups: list[str] = Field(
        default_factory=list, description="Leave out tests with one of these pytest markers."
    )
    variables: dict[str, str] = Field(
        default_factory=dict,
        description="Variables of the test containers, such as FLOE_SOAK_MINUTES: '10', over those "
        "of the tier and of the manifest. They are shown and recorded: no secrets.",
    )


def tier_assets(settings: TierSettings, root: Path) -> list[dg.AssetsDefinition]:
    """Return a tier's assets: cluster → platform → test_job → results → released.

    Args:
        settings: The tier.
        root: The project's folder.
    """
    tier = settings.name
    group = tier.replace("-", "_")
    keys = {stage: dg.AssetKey([group, stage]) for stage in _DESCRIPTIONS}
    checks = [
        dg.AssetCheckSpec(
            name=suite.name.replace("-", "_"),
            asset=keys["results"],
            blocking=True,
            description=f"Every test of suite {suite.name} passed, and all results arrived.",
        )
        for suite in settings.suites
    ]

    def stage(name: str, *deps: str, check_specs: list[dg.AssetCheckSpec] | None = None):
        return dg.asset(
            key=keys[name],
            group_name=group,
            deps=[keys[dep] for dep in deps],
            description=_DESCRIPTIONS[name],
            kinds=_KINDS[name],
            owners=settings.owners,
            check_specs=check_specs,
            tags={"floe-tests/tier": tier},
        )

    @stage("cluster")
    def cluster(
        context: dg.AssetExecutionContext, config: RunConfig, session: SessionResource
    ) -> dg.MaterializeResult[None]:
        run = session.begin(context, settings, root)
        uninterrupted(context.instance.add_run_tags)(run.run_id, metadata.run_tags(run.workspace))
        with failing_plainly(), run.stage("cluster"):
            lease = run.acquire(
                environment=None if config.environment == "default" else config.environment,
                keep=None if config.keep == "default" else config.keep,
                selection=Selection(
                    tuple(config.groups), tuple(config.excluded_groups), dict(config.variables)
                ),
            )
            uninterrupted(context.instance.add_run_tags)(run.run_id, {ENVIRONMENT: lease.provider})
        shown = metadata.of_lease(lease, run.state())
        return dg.MaterializeResult[None](value=None, metadata=shown)

    @stage("platform", "cluster")
    def platform(
        context: dg.AssetExecutionContext, session: SessionResource
    ) -> dg.MaterializeResult[None]:
        run = session.begin(context, settings, root)
        with failing_plainly(), run.stage("platform"):
            installed = run.install()
            if installed.fingerprint is not None:
                tags = {PLATFORM: installed.fingerprint.key}
                uninterrupted(context.instance.add_run_tags)(run.run_id, tags)
        return dg.MaterializeResult[None](value=None, metadata=metadata.of_platform(installed))

    @stage("test_job", "platform")
    def test_job(
        context: dg.AssetExecutionContext, session: SessionResource
    ) -> dg.MaterializeResult[None]:
        run = session.begin(context, settings, root)
        with failing_plainly(), run.stage("test_job"):
            attempts = run.run_suites()
        return dg.MaterializeResult[None](
            value=None, metadata=metadata.of_attempts(attempts, run.entries.platform())
        )

    @stage("results", "test_job", check_specs=checks)
    def results(
        context: dg.AssetExecutionContext, session: SessionResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from floe_tests.pipeline.publish import publish

        run = session.begin(context, settings, root)
        with failing_plainly(), run.stage("results"):
            run.require_lease()
            published = uninterrupted(publish)(run.state())
        run.log(f"VERDICT {published.verdict}")
        uninterrupted(context.instance.add_run_tags)(run.run_id, metadata.verdict_tags(published))
        for observation in results_metadata.observations_of(published, keys["results"]):
            context.log_event(observation)
        yield dg.MaterializeResult[None](
            value=None,
            metadata=results_metadata.of_results(published, run.workspace),
            check_results=results_metadata.checks_of(published, keys["results"]),
        )

    @stage("released", "results")
    def released(
        context: dg.AssetExecutionContext, session: SessionResource
    ) -> dg.MaterializeResult[None]:
        run = session.begin(context, settings, root)
        with failing_plainly(), run.stage("released"):
            lease = run.give_back()
        return dg.MaterializeResult[None](
            value=None, metadata={"state": lease.state if lease else "nothing to return"}
        )

    return [cluster, platform, test_job, results, released]


class failing_plainly:  # noqa: N801 - a context manager, used as a word
    """Turn an error of this package into Dagster's Failure: the message, without a stack trace."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, FloeTestsError):
            raise dg.Failure(
                description=str(error),
                metadata=metadata.of_error(error),
                allow_retries=False,
            ) from error


_DESCRIPTIONS = {
    "cluster": "A lease on the environment: created if absent, with a namespace for this run.",
    "platform": "What the tier installs, up and ready: charts, versions, image digests.",
    "test_job": "The suites, run as Jobs inside the cluster; results streamed out as they happen.",
    "results": "The verdict, the JUnit file, and this run's place in the history.",
    "released": "The environment given back: nothing left behind.",
}
_KINDS: dict[str, set[str]] = {
    "cluster": {"kubernetes"},
    "platform": {"helm"},
    "test_job": {"kubernetes", "pytest"},
    "results": {"xml"},
    "released": {"kubernetes"},
}
