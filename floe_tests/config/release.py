"""Settings of Helm releases: what a tier installs, and how a suite changes it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from floe_tests.config.base import DnsLabel, Settings


class SubstituteSettings(Settings):
    """Values that take the place of an image which the registry here does not have."""

    image: str = Field(
        description="The image's upstream name; the registry prefix goes before it, and that "
        "registry is asked. Only its own word that it has no such image counts."
    )
    values: dict[str, object] = Field(
        description="Values that do without the image, over those of the release. The run says "
        "that it uses them."
    )


class ReleaseSettings(Settings):
    """A Helm release that the tier installs."""

    name: DnsLabel = Field(description="Name of the Helm release.")
    chart: str = Field(
        description="The chart: a folder or a .tgz file, relative to the project, an oci:// or "
        "https:// address, or its name in `repository`. Dependencies that a folder lacks are "
        "fetched (`helm dependency build`)."
    )
    repository: str | None = Field(
        default=None, description="Address of the HTTP repository that has the chart."
    )
    version: str | None = Field(
        default=None,
        description="Version of the chart; required for an oci:// address and in a repository.",
    )
    prefix_images: bool = Field(
        default=True,
        description="Whether the registry prefix goes before the images of the chart's pods that "
        "do not have it. Those of hooks and of operators' own resources stay as the chart names "
        "them: `image_values` are for these.",
    )
    image_values: dict[str, str] = Field(
        default_factory=dict,
        description="Values that the chart gets where there is a registry prefix, by their path: "
        "`image.registry: '{registry}'`. `{prefix}` is the prefix as it is, with its final slash, "
        "and `{registry}` the same without the slash.",
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

    @property
    def is_remote(self) -> bool:
        """Whether the chart is no file of the project."""
        return self.repository is not None or self.chart.startswith(("oci://", "https://"))

    @model_validator(mode="after")
    def _remote_charts_are_pinned(self) -> Self:
        is_pinned = self.version is not None or self.chart.startswith("https://")
        if self.is_remote and not is_pinned:
            message = (
                f"chart {self.chart} needs `version`: a remote chart without one is not repeatable."
            )
            raise ValueError(message)
        return self


class ReleaseChangeSettings(Settings):
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
