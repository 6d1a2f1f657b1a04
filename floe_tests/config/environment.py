"""Settings of where a tier runs: its environments, and the platform that is there already."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from floe_tests.config.base import DnsLabel, Settings

Keep = Literal["never", "on_failure", "always"]
# Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
PodSecurity = Literal["restricted", "baseline", "privileged"]
# What stands in for a cluster whose version is not known: the newest whose rules are known here.
NEWEST_MINOR = 34
NEWEST_KUBERNETES = f"1.{NEWEST_MINOR}.0"


class EmbeddedSettings(Settings):
    """The platform that `local` runs as processes of this machine."""

    code: str = Field(
        description="Folder with the platform's code location, relative to the project."
    )
    ready_seconds: float = Field(
        default=90, gt=0, description="Deadline until it answers, in seconds."
    )


class ExporterSettings(Settings):
    """What runs the exporter, the sidecar that sends a test pod's results out."""

    image: str | None = Field(
        default=None,
        description="An image that has the exporter in it; the registry prefix goes before it. "
        "Without one, a run brings the exporter itself, in a ConfigMap, to `python_image`.",
    )
    python_image: str = Field(
        default="library/python:3.11-slim",
        description="The stock image that runs the exporter where no `image` is set: Python 3.10 "
        "or newer and GNU's `env`, as in Debian's images. The registry prefix goes before it.",
    )


class InstalledSettings(Settings):
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
