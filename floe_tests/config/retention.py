"""How long what a run leaves is kept."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from floe_tests.config.base import Settings


class KeptRuns(Settings):
    """How many runs of one kind are kept, and how long."""

    days: float = Field(gt=0, description="Older runs go, in days since they began.")
    least: int = Field(ge=0, description="So many of the newest stay, whatever their age.")
    most: int = Field(ge=1, description="Beyond so many the oldest go, whatever their age.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            message = f"least is {self.least} and most {self.most}: most must not be smaller."
            raise ValueError(message)
        return self


class RunRetention(Settings):
    """How long runs are kept in one place: red ones longer, because people look into them."""

    green: KeptRuns = Field(
        default=KeptRuns(days=30, least=20, most=500), description="Runs with verdict PASS."
    )
    red: KeptRuns = Field(
        default=KeptRuns(days=180, least=50, most=1000), description="All other runs."
    )


class RetentionSettings(Settings):
    """What `floe-tests prune` leaves of a tier's runs."""

    files: RunRetention = Field(
        default=RunRetention(),
        description="What a run received and its entries of the ledger: "
        "`output/<tier>/runs/<run>` and the run's folder in DAGSTER_HOME.",
    )
    dagster: RunRetention = Field(
        default=RunRetention(),
        description="What Dagster itself keeps of a run: its row, its events, its logs.",
    )
    history: RunRetention = Field(
        default=RunRetention(
            green=KeptRuns(days=730, least=200, most=20_000),
            red=KeptRuns(days=1825, least=200, most=20_000),
        ),
        description="The run in the history, with its tests. Flakiness, the last good runs and "
        "the baselines of benchmarks are read from there: keep it long.",
    )
