"""A tier's settings, as its `defs.yaml` writes them.

Everything a team has to say about a tier stands here, checked when it is loaded: a wrong setting
stops with file, field and remedy before anything is created.
"""

from __future__ import annotations

import difflib
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

from floe_tests.errors import ConfigurationError

_Item = TypeVar("_Item")

EnvironmentName = Literal["local", "kind", "context"]
Keep = Literal["never", "on_failure", "always"]

# RFC 1123 label, as Kubernetes wants it for namespaces and in labels; cut to 40 characters because
# a run's id and a suite's name are appended to it and the result must fit in 63.
# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_LABEL_CHARACTERS = 40

_KUBERNETES_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
_MEMORY = re.compile(r"(?P<number>[1-9][0-9]*)(?P<unit>Mi|Gi)")


def _dns_label(value: str) -> str:
    if len(value) > _DNS_LABEL_CHARACTERS or not _DNS_LABEL.fullmatch(value):
        message = (
            f"{value!r} is no DNS label. Use at most {_DNS_LABEL_CHARACTERS} lower-case letters, "
            "digits and '-', beginning and ending with a letter or digit."
        )
        raise ValueError(message)
    return value


def _memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        message = f"{value!r} is no memory size. Write a whole number with Mi or Gi, such as 8Gi."
        raise ValueError(message)
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5:  # noqa: PLR2004 - the five fields of cron
        message = (
            f"{value!r} has {len(fields)} fields. Write the five fields of cron: minute hour day "
            "month weekday, such as '0 3 * * *'."
        )
        raise ValueError(message)
    return value


def _not_empty(value: tuple[_Item, ...]) -> tuple[_Item, ...]:
    # Not pydantic's min_length: that also complains when an item is wrong, and hides which.
    if not value:
        message = "empty. Write at least one."
        raise ValueError(message)
    return value


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
Memory = Annotated[str, AfterValidator(_memory)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _says_what_it_knows(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Name the settings there are beside one that there is not; all errors stay."""
        try:
            return handler(value)
        except ValidationError as error:
            details = [_with_remedy(item, tuple(cls.model_fields)) for item in error.errors()]
            raise ValidationError.from_exception_data(error.title, details) from error


def _with_remedy(error: ErrorDetails, known: tuple[str, ...]) -> InitErrorDetails:
    found = InitErrorDetails(
        type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
    )
    # An inner model has worded its own: those lie deeper than one name.
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        close = difflib.get_close_matches(str(error["loc"][0]), known, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        message = f"there is no such setting.{meant} There are: {', '.join(known)}."
        # A type of pydantic's own, because Dagster builds these errors once more.
        found["type"] = "value_error"
        found["ctx"] = {"error": ValueError(message)}
    return found


class SubstituteSettings(_Settings):
    """Values that take the place of an image which the registry here does not have."""

    image: str = Field(
        description="The image's upstream name; the registry prefix goes before it, and that "
        "registry is asked. Only its own word that it has no such image counts."
    )
    values: dict[str, object] = Field(
        description="Values that do without the image, over those of the release. The run says "
        "that it uses them."
    )


class ReleaseSettings(_Settings):
    """A Helm release that the tier installs."""

    name: DnsLabel = Field(description="Name of the Helm release.")
    chart: str = Field(
        description="Path of the chart, relative to the project, or an oci:// address."
    )
    version: str | None = Field(
        default=None, description="Version of the chart; required for an oci:// address."
    )
    values: dict[str, object] = Field(
        default_factory=dict, description="Values, as in a values file."
    )
    values_files: tuple[str, ...] = Field(
        default=(), description="Values files, relative to the project, applied in order."
    )
    substitutes: tuple[SubstituteSettings, ...] = Field(
        default=(), description="What to do without images that cannot be had everywhere."
    )
    ready_seconds: float = Field(
        default=300,
        gt=0,
        description="Deadline from `helm upgrade` to everything ready, in seconds.",
    )

    @model_validator(mode="after")
    def _remote_charts_are_pinned(self) -> Self:
        if self.chart.startswith("oci://") and self.version is None:
            message = (
                f"chart {self.chart} needs `version`: a remote chart without one is not repeatable."
            )
            raise ValueError(message)
        return self


class ReleaseChangeSettings(_Settings):
    """What happens to a Helm release before a suite runs, as in the life of an installation."""

    release: DnsLabel = Field(description="Name of one of the tier's releases.")
    action: Literal["upgrade", "rollback"] = Field(
        description="`upgrade` with the values below, or `rollback` to the revision before."
    )
    values: dict[str, object] = Field(
        default_factory=dict, description="Values of an upgrade, over those of the release."
    )
    values_files: tuple[str, ...] = Field(
        default=(), description="Values files of an upgrade, relative to the project."
    )

    @model_validator(mode="after")
    def _only_an_upgrade_has_values(self) -> Self:
        if self.action == "rollback" and (self.values or self.values_files):
            message = "a rollback takes the values of the revision before; leave out `values`."
            raise ValueError(message)
        return self


class ShardSettings(_Settings):
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


class SuiteSettings(_Settings):
    """A test suite: a Job manifest that runs it, or a command where no cluster is needed."""

    name: DnsLabel = Field(description="Name of the suite; its asset check carries it.")
    job: str | None = Field(
        default=None, description="Path of the suite's test-job.yaml, relative to the project."
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
    groups: tuple[str, ...] = Field(
        default=(), description="Run only tests with one of these pytest markers."
    )
    excluded_groups: tuple[str, ...] = Field(
        default=(), description="Leave out tests with one of these pytest markers."
    )
    shards: ShardSettings | None = Field(
        default=None,
        description="Cut the suite into shards that run beside each other as one Indexed Job; on "
        "`local` it runs whole ([shards](shards.md)).",
    )

    @model_validator(mode="after")
    def _one_way_to_run(self) -> Self:
        if (self.job is None) == (self.command is None):
            message = f"suite {self.name!r} needs either `job` or `command`, and not both."
            raise ValueError(message)
        if self.shards is not None and self.job is None:
            message = (
                f"suite {self.name!r} has `shards` and no `job`. Shards are pods of its "
                "test-job.yaml: name one, or take `shards` out."
            )
            raise ValueError(message)
        return self


class DeadlineSettings(_Settings):
    """How long each part of a run may take, in seconds. Each is shorter than the one around it."""

    cluster_seconds: float = Field(
        default=180, gt=0, description="From the request to a cluster that schedules pods."
    )
    start_seconds: float = Field(
        default=300, gt=0, description="From the Job's creation to its test container running."
    )
    image_seconds: float = Field(
        default=60, gt=0, description="How long an image pull may keep failing before it counts."
    )
    tests_seconds: float = Field(default=240, gt=0, description="The suite, from its first second.")
    pod_seconds: float = Field(
        default=270, gt=0, description="The pod (activeDeadlineSeconds): it keeps its logs."
    )
    job_seconds: float = Field(
        default=600,
        gt=0,
        description="The Job (activeDeadlineSeconds): deletes what hangs past all.",
    )
    release_seconds: float = Field(
        default=180, gt=0, description="From the end of the tests to nothing left."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.tests_seconds < self.pod_seconds < self.job_seconds:
            message = (
                "the deadlines must be in the order tests_seconds < pod_seconds < job_seconds, so "
                f"that the inner one fires first; they are {self.tests_seconds:g}, "
                f"{self.pod_seconds:g}, {self.job_seconds:g}."
            )
            raise ValueError(message)
        return self


class BudgetSettings(_Settings):
    """What a run may use; enforced by quota and deadline, the peak is reported beside it."""

    memory: Memory = Field(default="8Gi", description="Memory limit of the run's namespace.")
    minutes: float = Field(default=5, gt=0, description="Time of the tests, in minutes.")

    @property
    def memory_mib(self) -> int:
        """Memory in MiB."""
        match = _MEMORY.fullmatch(self.memory)
        if match is None:  # the validator has refused anything else
            raise ValueError(self.memory)
        return int(match["number"]) * (1024 if match["unit"] == "Gi" else 1)


class KindSettings(_Settings):
    """The kind cluster of a tier."""

    cluster: DnsLabel = Field(default="floe-tests", description="Name of the kind cluster.")
    node_image: str = Field(
        default="kindest/node:v1.34.2",
        description="Image of the node; the registry prefix goes before it.",
    )
    workers: int = Field(
        default=0, ge=0, le=10, description="Worker nodes beside the control plane."
    )
    load_images: tuple[str, ...] = Field(
        default=(),
        description="Images loaded into the node when the local Docker has them, unless the "
        "registry prefix is a registry of this machine.",
    )

    @property
    def kubernetes_version(self) -> str | None:
        """The node image's version of Kubernetes; None when its tag does not say."""
        match = _KUBERNETES_VERSION.match(self.node_image.rpartition(":")[2])
        return match[0] if match else None


class ContextSettings(_Settings):
    """An existing cluster."""

    kubeconfig: str | None = Field(
        default=None,
        description="Path of the kubeconfig; default: KUBECONFIG, then ~/.kube/config.",
    )
    context: str | None = Field(
        default=None,
        description="Context in it; default: the current one, or the in-cluster account.",
    )


class EmbeddedSettings(_Settings):
    """The platform that `local` runs as processes of this machine."""

    code: str = Field(
        description="Folder with the platform's code location, relative to the project."
    )
    ready_seconds: float = Field(
        default=90, gt=0, description="Deadline until it answers, in seconds."
    )


class ScheduleSettings(_Settings):
    """When a tier runs by itself."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(description="Five fields of cron.")
    timezone: str = Field(default="UTC", description="IANA name of the time zone.")


class TierSettings(_Settings):
    """One tier of tests: where it runs, what it installs, which suites, within which limits."""

    name: DnsLabel = Field(
        description="Name of the tier; its job and asset group have it too, with `_` for `-`."
    )
    description: str = Field(description="What this tier proves, for the Dagster UI.")
    environments: Annotated[tuple[EnvironmentName, ...], AfterValidator(_not_empty)] = Field(
        description="Where the tier can run; the first is the default. FLOE_TESTS_CLUSTER or the "
        "run's config chooses another of them.",
    )
    suites: Annotated[tuple[SuiteSettings, ...], AfterValidator(_not_empty)] = Field(
        description="The tier's suites, run in order."
    )
    releases: tuple[ReleaseSettings, ...] = Field(
        default=(), description="Helm releases, in order."
    )
    embedded: EmbeddedSettings | None = Field(
        default=None, description="The platform of the `local` environment."
    )
    namespace: DnsLabel = Field(
        default="floe-test", description="Prefix of the namespace that each run gets for itself."
    )
    kind: KindSettings = Field(default_factory=KindSettings, description="The tier's kind cluster.")
    context: ContextSettings = Field(
        default_factory=ContextSettings, description="The tier's existing cluster."
    )
    deadlines: DeadlineSettings = Field(
        default_factory=DeadlineSettings, description="Deadlines of each part of a run."
    )
    budget: BudgetSettings = Field(default_factory=BudgetSettings, description="Memory and time.")
    keep: Keep = Field(
        default="never",
        description="Whether the environment stays after the run, for a look into it.",
    )
    schedule: ScheduleSettings | None = Field(
        default=None, description="When the tier runs by itself."
    )
    quarantine: str | None = Field(
        default=None,
        description="Path of the tier's quarantine list, relative to the project: tests that run "
        "and are reported, and whose failure does not fail the gate until their last day.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [
            *_repeated("suites", [suite.name for suite in self.suites]),
            *_repeated("releases", [release.name for release in self.releases]),
            *_repeated("environments", list(self.environments)),
        ]
        clusters = [name for name in self.environments if name != "local"]
        without_job = [suite.name for suite in self.suites if suite.job is None]
        if clusters and without_job:
            problems.append(
                f"suites: {', '.join(without_job)} have no `job`, and {', '.join(clusters)} need "
                "one. Give each suite a test-job.yaml, or leave only `local` in environments."
            )
        if "local" in self.environments and self.releases and self.embedded is None:
            problems.append(
                "embedded: missing. The tier installs Helm releases, which `local` cannot; name "
                "the code of the embedded platform, or take `local` out of environments."
            )
        releases = [release.name for release in self.releases]
        problems += [
            f"suites[{index}].before.release: {suite.before.release!r} is none of the tier's "
            f"releases ({', '.join(releases) or 'it has none'})."
            for index, suite in enumerate(self.suites)
            if suite.before is not None and suite.before.release not in releases
        ]
        problems += [
            f"suites[{index}].release_values: {name!r} is none of the tier's releases "
            f"({', '.join(releases) or 'it has none'})."
            for index, suite in enumerate(self.suites)
            for name in suite.release_values
            if name not in releases
        ]
        if self.deadlines.tests_seconds > self.budget.minutes * 60:
            problems.append(
                f"deadlines.tests_seconds: {self.deadlines.tests_seconds:g} s is more than "
                f"budget.minutes allows ({self.budget.minutes:g} min). Shorten it or raise the "
                "budget."
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def problems_in(self, root: Path) -> tuple[str, ...]:
        """Find what the settings name and the project does not have.

        Args:
            root: The project's folder, which relative paths start from.

        Returns:
            One sentence a problem, with field and remedy; empty when all is there.
        """
        problems: list[str] = []
        for index, release in enumerate(self.releases):
            if not release.chart.startswith("oci://"):
                chart = root / release.chart / "Chart.yaml"
                if not chart.is_file():
                    problems.append(
                        f"releases[{index}].chart: {release.chart} is no Helm chart: {chart} is "
                        "missing. Give the chart's folder, relative to the project."
                    )
            problems += _missing(f"releases[{index}].values_files", release.values_files, root)
        for index, suite in enumerate(self.suites):
            if suite.before is not None:
                files = suite.before.values_files
                problems += _missing(f"suites[{index}].before.values_files", files, root)
        problems += [
            f"suites[{index}].job: {suite.job} does not exist under {root}. Give the path of a "
            "test-job.yaml."
            for index, suite in enumerate(self.suites)
            if suite.job is not None and not (root / suite.job).is_file()
        ]
        if self.quarantine is not None:
            problems += _wrong_quarantine(root / self.quarantine)
        if self.embedded is not None and not (root / self.embedded.code).is_dir():
            problems.append(f"embedded.code: {self.embedded.code} is no folder under {root}.")
        return tuple(problems)


def _missing(field: str, names: tuple[str, ...], root: Path) -> list[str]:
    return [
        f"{field}: {name} does not exist under {root}."
        for name in names
        if not (root / name).is_file()
    ]


def _wrong_quarantine(path: Path) -> list[str]:
    from floe_tests.results import quarantine

    try:
        quarantine.read(path, today=date.min)
    except ConfigurationError as error:
        return [f"quarantine: {error}"]
    return []


def _repeated(field: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"{field}: {name!r} stands there twice; names must differ." for name in twice]
