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

from floe_tests.config.groups import Groups
from floe_tests.config.retention import RetentionSettings
from floe_tests.config.variables import PassedNames, Variables
from floe_tests.core.errors import ConfigurationError

_Item = TypeVar("_Item")

EnvironmentName = Literal["local", "kind", "context"]
Keep = Literal["never", "on_failure", "always"]
# Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
PodSecurity = Literal["restricted", "baseline", "privileged"]

# RFC 1123 label, as Kubernetes wants it for namespaces and in labels; cut to 40 characters because
# a run's id and a suite's name are appended to it and the result must fit in 63.
# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_LABEL_CHARACTERS = 40

_KUBERNETES_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
_SERIES = re.compile(r"[^/\s]+/(memory|disk|latency)")
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


class SoakCeilings(_Settings):
    """What a component may use of its limit in a soak, as a share; `null` looks at no ceiling."""

    memory: float | None = Field(
        default=0.9, gt=0, le=1, description="Working set, of the memory limit."
    )
    disk: float | None = Field(
        default=0.85, gt=0, le=1, description="Bytes used, of the volume's size."
    )
    cpu: float | None = Field(
        default=None, gt=0, le=1, description="Cores used, of the limit, as the median of a window."
    )


class DriftSettings(_Settings):
    """When a slow growth in a soak is a finding: it is proved, and it matters."""

    hours_to_limit: float = Field(
        default=72, gt=0, description="Growth matters that reaches the limit within these hours."
    )
    look_ahead: float = Field(
        default=12,
        gt=0,
        description="How many times its own length a soak may look ahead: one of ten minutes says "
        "nothing of next week, whatever its slope. The shorter of the two horizons holds.",
    )
    warmup_share: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="Share of the soak, from its begin, in which growth is not yet looked at.",
    )
    false_alarms: float = Field(
        default=0.01,
        gt=0,
        le=0.2,
        description="How many of a hundred healthy soaks may be called drifting, as a share; all "
        "components together.",
    )
    exempt: tuple[str, ...] = Field(
        default=(),
        description="What may grow by design, as `component/metric`, such as `postgres/disk`.",
    )


class SoakSettings(_Settings):
    """How a suite that leaves soak.jsonl is judged."""

    ceilings: SoakCeilings = Field(
        default_factory=SoakCeilings, description="Shares of the limits."
    )
    max_restarts: int = Field(
        default=0, ge=0, description="Restarts and replacements of pods, all components together."
    )
    transient: tuple[str, ...] = Field(
        default=(),
        description="Components whose pods come and go by design, such as a run's own pods: they "
        "have no restarts and no drift.",
    )
    error_budget: float = Field(
        default=0.001, ge=0, lt=1, description="Share of an operation's requests that may fail."
    )
    latency_seconds: dict[str, float] = Field(
        default_factory=dict,
        description="By operation, the p95 that at most one interval in twenty may exceed; `*` is "
        "every other operation.",
    )
    drift: DriftSettings = Field(default_factory=DriftSettings, description="Slow growth.")
    min_minutes: float = Field(
        default=5, gt=0, description="A soak shorter than this is INCONCLUSIVE."
    )
    min_coverage: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of the planned time, and of each component's intervals, that must have "
        "been seen; less is INCONCLUSIVE.",
    )

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        wrong = [name for name in self.drift.exempt if not _SERIES.fullmatch(name)]
        if wrong:
            message = (
                f"drift.exempt: {wrong[0]!r} is no `component/metric`. Metrics are memory, disk "
                "and latency, such as postgres/disk."
            )
            raise ValueError(message)
        if any(seconds <= 0 for seconds in self.latency_seconds.values()):
            message = "latency_seconds: a ceiling must be more than 0 s."
            raise ValueError(message)
        return self


class BenchmarkSettings(_Settings):
    """How a suite that leaves benchmark.json is judged."""

    min_effect: float = Field(
        default=0.1,
        gt=0,
        description="Smallest change that counts, as a share. A machine that others share drifts "
        "by 6 or 7 % for a quarter of an hour, with nothing changed on it.",
    )
    min_seconds: float = Field(
        default=0.005,
        ge=0,
        description="Smallest change that counts, of a measurement of time (unit s, "
        "ms, us or ns). A busy node takes milliseconds from a call that takes five.",
    )
    alpha: float = Field(
        default=0.002,
        gt=0,
        lt=0.5,
        description="Largest p of the Mann–Whitney test, after Holm's correction.",
    )
    run_alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="How often a run without a change may lie above what the baseline's runs "
        "predict, all measurements together.",
    )
    min_samples: int = Field(
        default=10, ge=5, description="Fewest repetitions of a measurement; fewer: INCONCLUSIVE."
    )
    baseline_runs: int = Field(
        default=8, ge=1, le=50, description="How many of the last good runs are the baseline."
    )
    run_spread: float = Field(
        default=0.03,
        gt=0,
        lt=1,
        description="Spread of run medians on this environment while few runs are known, as a "
        "share; it counts like four runs.",
    )
    change_alpha: float = Field(
        default=0.005,
        gt=0,
        lt=0.5,
        description="Largest p of a change point in the history.",
    )
    history_runs: int = Field(
        default=100, ge=10, le=500, description="How many runs change points are looked for in."
    )
    accepted_since: date | None = Field(
        default=None,
        description="From this day on (UTC) what was measured is accepted: baseline and history "
        "begin there, runs that were called a regression included.",
    )


class MissingSettings(_Settings):
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


class SuiteSettings(_Settings):
    """A test suite: a Job manifest that runs it, or a command where no cluster is needed."""

    name: DnsLabel = Field(description="Name of the suite; its asset check carries it.")
    job: str | None = Field(
        default=None,
        description="Path of the suite's test-job.yaml, relative to the project. Of several "
        "containers the one with the emptyDir at /results runs the tests; see docs/test-job.md.",
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


class DeadlineSettings(_Settings):
    """How long each part of a run may take, in seconds. Each is shorter than the one around it."""

    cluster_seconds: float = Field(
        default=180, gt=0, description="From the request to a cluster that schedules pods."
    )
    queue_seconds: float = Field(
        default=600,
        gt=0,
        description="How long a Job may stay suspended, or its pod behind scheduling gates, by a "
        "queue such as Kueue; the other deadlines count from its admission.",
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

    memory: Memory = Field(
        default="8Gi",
        description="Memory limit of the run's namespace. Beside an `installed` platform, whose "
        "namespace has its own quota: of the pods of one suite, by their own limits, which must be "
        "there.",
    )
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


class InstalledSettings(_Settings):
    """A platform that is there before a run and stays after it: looked at, never installed."""

    release: DnsLabel = Field(
        description="Name of the Helm release. What belongs to it is read from helm's record, or, "
        "where the account may not read Secrets, from helm's annotations on its objects."
    )
    namespace: DnsLabel = Field(
        description="Where it is, and where the tier's Jobs run; neither created nor deleted."
    )
    ready_seconds: float = Field(
        default=120,
        gt=0,
        description="How long a rollout that is under way is waited for, in seconds.",
    )
    wait_seconds: float = Field(
        default=600,
        gt=0,
        description="How long a run waits for another that holds the cluster, in seconds.",
    )


class TriggerSettings(_Settings):
    """Which sensors start the tier. They are off until somebody turns them on."""

    on_deployment: bool = Field(
        default=False,
        description="Whether a sensor starts it when the installed platform has changed (chart, "
        "version or an image's digest) and is rolled out.",
    )
    after_green: DnsLabel | None = Field(
        default=None,
        description="Name of a tier on the same platform: a sensor starts this one after a green "
        "run of that one, once for each version of the platform.",
    )


class ScheduleSettings(_Settings):
    """When a tier runs by itself. Off until somebody turns it on."""

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
    installed: InstalledSettings | None = Field(
        default=None,
        description="A platform that is there already, in place of `releases`; one run at a time "
        "has its cluster.",
    )
    namespace: DnsLabel = Field(
        default="floe-test", description="Prefix of the namespace that each run gets for itself."
    )
    pod_security: PodSecurity = Field(
        default="restricted",
        description="Level of the Pod Security Standards that the run's namespace enforces: what "
        "the pods of charts and suites may ask for. `floe-tests doctor` names every field that it "
        "would refuse.",
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
    triggers: TriggerSettings = Field(
        default_factory=TriggerSettings, description="Which sensors start the tier."
    )
    quarantine: str | None = Field(
        default=None,
        description="Path of the tier's quarantine list, relative to the project: tests that run "
        "and are reported, and whose failure does not fail the gate until their last day.",
    )
    removals: str | None = Field(
        default=None,
        description="Path of the tier's list of tests that were removed on purpose, relative to "
        "the project.",
    )
    missing: MissingSettings = Field(
        default_factory=MissingSettings,
        description="When tests that the last good run had make a run red, TESTS_MISSING.",
    )
    require_collection: bool = Field(
        default=False,
        description="Whether results are complete only with a count of collected tests "
        "(collection.json); without it the run says that the count is unknown.",
    )

    retention: RetentionSettings = Field(
        default_factory=RetentionSettings,
        description="What `floe-tests prune` leaves of the tier's runs.",
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
        problems += _beside_an_installed_platform(self)
        if self.deadlines.tests_seconds > self.budget.minutes * 60:
            problems.append(
                f"deadlines.tests_seconds: {self.deadlines.tests_seconds:g} s is more than "
                f"budget.minutes allows ({self.budget.minutes:g} min). Shorten it or raise the "
                "budget."
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def cluster_name(self) -> str:
        """What runs that must not meet have in common: the installed platform; empty without one.

        The context is in it where the tier names one: two clusters may have the same namespace.
        """
        if self.installed is None:
            return ""
        names = (self.context.context, self.installed.namespace)
        return "/".join(name for name in names if name)

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
        problems += _wrong_lists(self, root)
        followed = self.triggers.after_green
        if followed is not None:
            # Whatever the project's package is called.
            file = f"*/defs/{followed}/defs.yaml"
            if not any(root.glob(file)):
                problems.append(
                    f"triggers.after_green: there is no tier {followed!r}: no {file} under {root}."
                )
        if self.embedded is not None and not (root / self.embedded.code).is_dir():
            problems.append(f"embedded.code: {self.embedded.code} is no folder under {root}.")
        return tuple(problems)


def _beside_an_installed_platform(tier: TierSettings) -> list[str]:
    """Find what a tier says that does not go with a platform which is there already."""
    if tier.installed is None:
        triggers = tier.triggers
        if triggers.on_deployment or triggers.after_green is not None:
            message = (
                "triggers: the tier has no `installed` platform whose changes could start it. Add "
                "`installed`, or take `triggers` out."
            )
            return [message]
        return []
    why = f"release {tier.installed.release} is installed already"
    problems = [
        f"{field}: does not go with `installed`: {why}, and is only looked at. Take one of them "
        "out."
        for field in ("releases", "embedded")
        if getattr(tier, field)
    ]
    problems += [
        f"{field}: does not go with `installed`: {reason}. Take it out."
        for field, reason in (
            ("namespace", "runs have no namespace of their own; they use installed.namespace"),
            ("pod_security", "installed.namespace has a level of its own"),
            ("kind", "the tier runs on an existing cluster"),
        )
        if field in tier.model_fields_set
    ]
    if tier.environments != ("context",):
        problems.append(
            f"environments: {', '.join(tier.environments)}: an `installed` platform is on an "
            "existing cluster. Write [context]."
        )
    for index, suite in enumerate(tier.suites):
        if suite.release_values:
            problems.append(
                f"suites[{index}].release_values: does not go with `installed`: {why}. Take it out."
            )
        if suite.before is not None:
            problems.append(
                f"suites[{index}].before: does not go with `installed`: others upgrade "
                f"{tier.installed.release}. Take it out."
            )
    if tier.triggers.after_green == tier.name:
        problems.append(
            f"triggers.after_green: {tier.name!r} is the tier itself. Name the one it follows."
        )
    return problems


def _missing(field: str, names: tuple[str, ...], root: Path) -> list[str]:
    return [
        f"{field}: {name} does not exist under {root}."
        for name in names
        if not (root / name).is_file()
    ]


def _wrong_lists(tier: TierSettings, root: Path) -> list[str]:
    """Find what is wrong in the lists that are reviewed like code."""
    from floe_tests.config import quarantine, removals

    problems: list[str] = []
    try:
        if tier.quarantine is not None:
            quarantine.read(root / tier.quarantine, today=date.min)
    except ConfigurationError as error:
        problems.append(f"quarantine: {error}")
    try:
        if tier.removals is not None:
            removals.read(root / tier.removals, today=date.min)
    except ConfigurationError as error:
        problems.append(f"removals: {error}")
    return problems


def _repeated(field: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"{field}: {name!r} stands there twice; names must differ." for name in twice]
