"""Settings of a run's limits: the deadline of each of its parts, its memory and its time."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from floe_tests.config.base import Settings

_MEMORY = re.compile(r"(?P<number>[1-9][0-9]*)(?P<unit>Mi|Gi)")


def _memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        message = f"{value!r} is no memory size. Write a whole number with Mi or Gi, such as 8Gi."
        raise ValueError(message)
    return value


Memory = Annotated[str, AfterValidator(_memory)]


class DeadlineSettings(Settings):
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


class BudgetSettings(Settings):
    """What a run may use; enforced by quota and deadline, the peak is reported beside it."""

    memory: Memory = Field(
        default="8Gi",
        description="Memory limit of the run's namespace. Beside an `installed` platform, whose "
        "namespace has its own quota: of the pods of one suite, by their own limits, which must be "
        "there.",
    )
    container_memory: Memory | None = Field(
        default=None,
        description="Memory limit of a container that has none of its own, by a LimitRange in the "
        "run's namespace. Without it, the quota refuses the pods of charts that set no limits.",
    )
    minutes: float = Field(default=5, gt=0, description="Time of the tests, in minutes.")

    @property
    def memory_mib(self) -> int:
        """Memory in MiB."""
        match = _MEMORY.fullmatch(self.memory)
        if match is None:  # the validator has refused anything else
            raise ValueError(self.memory)
        return int(match["number"]) * (1024 if match["unit"] == "Gi" else 1)
