"""What can go wrong in the lakehouse, by what can be done about it.

LakehouseError
├── SettingsError     the environment lacks something; the message names each variable
├── CatalogError      the catalog did not answer, or not with what was asked for
├── ConflictError     others wrote the same table again and again
├── RuleError         the data breaks a rule of the run; the same data stays wrong
└── ServingError      Postgres did not answer, or refused
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class LakehouseError(Exception):
    """A step of the lakehouse could not be done; the message says what to do."""


class SettingsError(LakehouseError):
    """The environment lacks settings, or holds wrong ones."""

    def __init__(self, problems: Iterable[str]) -> None:
        """Keep every problem, so that the environment can be repaired in one go."""
        self.problems = tuple(problems)
        super().__init__(
            "The lakehouse is switched on by FLOE_CATALOG_URI, but its settings are incomplete: "
            + "; ".join(self.problems)
            + ". Without a lakehouse, unset FLOE_CATALOG_URI."
        )


class CatalogError(LakehouseError):
    """The catalog failed past the deadline, or refused."""


class StorageError(LakehouseError):
    """The object storage failed, or refused."""


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Say what was done and where to look when the object storage fails.

    Args:
        what: What the body does, in words: "write bronze.orders".

    Raises:
        StorageError: The body raised an OSError, which is what pyarrow makes of every failure.
    """
    try:
        yield
    except OSError as error:
        message = (
            f"could not {what}: the object storage failed with {type(error).__name__}: {error} "
            "Look at the pod `object-storage` and at the Secret floe-object-storage."
        )
        raise StorageError(message) from error


class ConflictError(LakehouseError):
    """Each attempt to write a table met somebody else's commit."""


@dataclass(frozen=True)
class Violation:
    """How rows break a rule.

    Attributes:
        rule: The setting and its value.
        batch: The batch of the rows.
        order_id: The first order that breaks the rule.
        amount_cents: Its amount.
        orders: How many orders break it.
    """

    rule: str
    batch: str
    order_id: int
    amount_cents: int
    orders: int


class RuleError(LakehouseError):
    """The rows of a write break a rule, so they were not committed.

    Attributes:
        violation: How.
        data_files: How many data files had been written by then; they are deleted again.
        snapshot_id: Where the table stays; None when it has no snapshot yet.
    """

    def __init__(
        self, table: object, violation: Violation, *, data_files: int, snapshot_id: int | None
    ) -> None:
        """Say which order breaks which rule, and where the table stays."""
        place = "stays empty" if snapshot_id is None else f"stays at snapshot {snapshot_id}"
        super().__init__(
            f"order {violation.order_id} of batch '{violation.batch}' has {violation.amount_cents} "
            f"cents, more than {violation.rule} allows; orders of the batch that have: "
            f"{violation.orders}. {table} {place}."
        )
        self.violation = violation
        self.data_files = data_files
        self.snapshot_id = snapshot_id


class ServingError(LakehouseError):
    """The serving database failed past the deadline, or refused."""
