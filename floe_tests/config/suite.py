"""Settings of a suite: what runs its tests, cut into how many shards, and when some are missing."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from floe_tests.config.base import DnsLabel, Settings
from floe_tests.config.groups import Groups
from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.config.release import ReleaseChangeSettings
from floe_tests.config.variables import PassedNames, Variables


class ShardSettings(Settings):
    """A suite cut into shards, each a pod of one Indexed Job."""

    count: int = Field(
        ge=1, le=500, description="How many shards, 1 to 500. Tests are spread by their durations."
    )
    parallelism: int | None = Field(
        default=None,
        ge=1,
        description="How many of them run at once at most; all without it. Quota and other runs "
        "may leave room for less.",
    )

    @model_validator(mode="after")
    def _no_more_at_once_than_there_are(self) -> Self:
        if self.parallelism is not None and self.parallelism > self.count:
            message = (
                f"parallelism {self.parallelism} is more than count {self.count}. Leave it out to "
                "run all shards at once."
            )
            raise ValueError(message)
        return self


class MissingSettings(Settings):
    """When tests that the last good run had make a run red because they are not there any more."""

    fail_above: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Largest share of the tests that may be missing: gone with nobody to tell why, "
        "skipped though they ran before, or with fewer parameters. They are named.",
    )
    fail_proved: bool = Field(
        default=True,
        description="Whether a test that is gone while the repository still has it, in a file that "
        "did not change or beside the change, is red whatever the share.",
    )
    fail_named: tuple[str, ...] = Field(
        default=(),
        description="Names of tests that may never be missing, `*` for anything; only a line in "
        "the list of `removals` accepts their loss.",
    )


class MountedSettings(Settings):
    """A suite that a run brings to a stock image, so that no image has to be built for it."""

    folder: str = Field(
        description="Folder with the tests, relative to the project, mounted at /suite; at most "
        "1 MiB, `.git`-like and `__pycache__` folders left out."
    )
    pytest: bool = Field(
        default=False,
        description="Whether the pytest of the environment that runs floe-tests comes with it: "
        "`python -m pytest` then works in any image with Python 3.11 or newer.",
    )


class SuiteSettings(Settings):
    """A test suite: a Job manifest that runs it, or a command where no cluster is needed."""

    name: DnsLabel = Field(description="Name of the suite; its asset check carries it.")
    job: str | None = Field(
        default=None,
        description="Path of the suite's test-job.yaml, relative to the project. Of several "
        "containers the one with the emptyDir at /results runs the tests; see docs/test-job.md.",
    )
    mounted: MountedSettings | None = Field(
        default=None,
        description="Tests that the run mounts into the test container, at /suite. Beside them, "
        "/floe-tests/release.json tells what was installed ([contents](test-job.md)).",
    )
    command: tuple[str, ...] | None = Field(
        default=None,
        description="Command of a suite without infrastructure; /results is replaced by its "
        "results folder.",
    )
    release_values: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        description="By release, values that it gets where a run has this suite among those it "
        "chose: what no chosen suite needs is not installed.",
    )
    before: ReleaseChangeSettings | None = Field(
        default=None, description="What happens to a release before this suite runs."
    )
    groups: Groups = Field(
        default=(), description="Run only tests with one of these pytest markers."
    )
    excluded_groups: Groups = Field(
        default=(), description="Leave out tests with one of these pytest markers."
    )
    shards: ShardSettings | None = Field(
        default=None,
        description="Cut the suite into shards that run beside each other as one Indexed Job; on "
        "`local` it runs whole ([shards](shards.md)).",
    )
    variables: Variables = Field(
        default_factory=dict,
        description="Variables of the test container, over those of its manifest. A run can "
        "change them, and any that the manifest gives a plain value.",
    )
    pass_environment: PassedNames = Field(
        default=(),
        description="On `local`, names of variables of the orchestrator's environment that the "
        "tests get beside the usual few ([which](local.md)); their values are recorded nowhere. "
        "In a pod they come from a Secret in test-job.yaml.",
    )
    soak: SoakSettings | None = Field(
        default=None, description="The suite leaves soak.jsonl, which is judged by these rules."
    )
    benchmark: BenchmarkSettings | None = Field(
        default=None,
        description="The suite leaves benchmark.json, which is compared with the baseline.",
    )
    missing: MissingSettings | None = Field(
        default=None, description="When missing tests make it red; default: as the tier says."
    )
    require_collection: bool | None = Field(
        default=None,
        description="Whether its results are complete only with a count of collected tests; "
        "default: as the tier says.",
    )

    @model_validator(mode="after")
    def _one_way_to_run(self) -> Self:
        if (self.job is None) == (self.command is None):
            message = f"suite {self.name!r} needs either `job` or `command`, and not both."
            raise ValueError(message)
        if self.mounted is not None and self.job is None:
            message = (
                f"suite {self.name!r} has `mounted` and no `job`. It is mounted into the pod of a "
                "test-job.yaml: name one, or take `mounted` out."
            )
            raise ValueError(message)
        if self.shards is not None and self.job is None:
            message = (
                f"suite {self.name!r} has `shards` and no `job`. Shards are pods of its "
                "test-job.yaml: name one, or take `shards` out."
            )
            raise ValueError(message)
        if self.shards is not None and (self.soak or self.benchmark):
            message = (
                f"suite {self.name!r} has `shards`, and is a soak or a benchmark: what it measures "
                "is one pod's. Take `shards` out."
            )
            raise ValueError(message)
        return self
