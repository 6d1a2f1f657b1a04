"""Settings of what starts a tier: sensors and a schedule, off until somebody turns them on."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from floe_tests.config.base import DnsLabel, Settings


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5:  # noqa: PLR2004 - the five fields of cron
        message = (
            f"{value!r} has {len(fields)} fields. Write the five fields of cron: minute hour day "
            "month weekday, such as '0 3 * * *'."
        )
        raise ValueError(message)
    return value


class TriggerSettings(Settings):
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


class ScheduleSettings(Settings):
    """When a tier runs by itself. Off until somebody turns it on."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(description="Five fields of cron.")
    timezone: str = Field(default="UTC", description="IANA name of the time zone.")
