"""Settings of what starts a tier: sensors and a schedule, off until somebody turns them on."""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated

from pydantic import AfterValidator, Field

from floe_tests.config.base import DnsLabel, Settings

# The fields of cron, their numbers and their names.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, range, tuple[str, ...]], ...] = (
    ("minute", range(60), ()),
    ("hour", range(24), ()),
    ("day", range(1, 32), ()),
    ("month", range(1, 13), _MONTHS),
    ("weekday", range(8), _DAYS),
)
_ITEM = re.compile(r"(\*|(?P<first>\w+)(-(?P<last>\w+))?)(/[1-9]\d*)?")


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_FIELDS):
        message = (
            f"{value!r} has {len(fields)} fields. Write the five fields of cron: minute hour day "
            "month weekday, such as '0 3 * * *'."
        )
        raise ValueError(message)
    for text, (name, numbers, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_item(item, numbers, names) for item in text.lower().split(",")):
            message = (
                f"{text!r} is no {name}. Write a number from {numbers[0]} to {numbers[-1]}, `*`, "
                "or several: '1,2', '1-5', '*/10'."
            )
            raise ValueError(message)
    return value


def _is_item(text: str, numbers: range, names: tuple[str, ...]) -> bool:
    found = _ITEM.fullmatch(text)
    return found is not None and all(
        word is None or word in names or (word.isdecimal() and int(word) in numbers)
        for word in (found["first"], found["last"])
    )


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"{value!r} is no time zone. Write one as in Europe/Berlin, or UTC."
        raise ValueError(message) from error
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
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="UTC", description="IANA name of the time zone."
    )
