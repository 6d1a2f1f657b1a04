"""Object storage and the Parquet files in it, past the catalog, added up by DuckDB.

DuckDB's own S3 extension is a download at run time, so pyarrow opens the files for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .deadline import NotYet, wait_for
from .order_rules import DayTotal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyarrow.fs import S3FileSystem

    from .order_rules import DailyTotals

BUCKET = "warehouse"
_ASK_SECONDS = 30.0


class ObjectStorage:
    """The bucket of the lakehouse, opened with one pair of keys.

    Args:
        access_key: Which account.
        secret_key: Its secret.
    """

    def __init__(self, access_key: str, secret_key: str) -> None:
        # A second of import that a collection need not spend.
        from pyarrow.fs import S3FileSystem

        self._files: S3FileSystem = S3FileSystem(
            access_key=access_key,
            secret_key=secret_key,
            region=os.environ["FLOE_S3_REGION"],
            endpoint_override=os.environ["FLOE_S3_ENDPOINT"],
            connect_timeout=5,
            request_timeout=20,
        )

    @classmethod
    def of_this_pod(cls) -> ObjectStorage:
        """Open it with the keys of the pod's environment."""
        return cls(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])

    def sizes(self, prefix: str) -> dict[str, int]:
        """List the objects below an address.

        Args:
            prefix: `s3://BUCKET/FOLDER`.

        Returns:
            Their sizes in bytes, by address.

        Raises:
            OSError: The storage refuses, or does not answer.
        """
        from pyarrow.fs import FileSelector, FileType

        found = self._files.get_file_info(FileSelector(_path(prefix), recursive=True))
        return {f"s3://{info.path}": info.size for info in found if info.type == FileType.File}

    def remove(self, prefix: str) -> None:
        """Delete all objects below an address; none is fine.

        A storage on a file system may refuse a folder that comes before its files in one request,
        and take it in the next.

        Args:
            prefix: `s3://BUCKET/FOLDER`.
        """
        from pyarrow.fs import FileType

        def gone() -> None:
            if self._files.get_file_info(_path(prefix)).type == FileType.NotFound:
                return
            try:
                self._files.delete_dir(_path(prefix))
            except OSError as error:
                raise NotYet(str(error)) from error

        wait_for(gone, what=f"{prefix} is empty", deadline_seconds=_ASK_SECONDS)

    def daily_totals(self, files: Iterable[str], *, of_orders: bool) -> DailyTotals:
        """Add up Parquet files day by day, in DuckDB.

        Args:
            files: Their addresses.
            of_orders: Whether they hold single orders; otherwise they hold totals of days.
        """
        import duckdb

        sums = "count(*), sum(amount_cents)" if of_orders else "sum(orders), sum(revenue_cents)"
        columns = ["day", "amount_cents"] if of_orders else ["day", "orders", "revenue_cents"]
        # The one name in the query is this module's own.
        query = f"SELECT day, {sums} FROM parquet GROUP BY day"  # noqa: S608
        with duckdb.connect(config={"threads": 2}) as connection:
            connection.register("parquet", self._open(files, columns))
            rows = connection.execute(query).fetchall()
        return {day: DayTotal(int(orders), int(cents)) for day, orders, cents in rows}

    def _open(self, files: Iterable[str], columns: list[str]) -> object:
        from pyarrow import dataset

        paths = [_path(file) for file in files]

        def opened() -> object:
            try:
                found = dataset.dataset(paths, filesystem=self._files, format="parquet")
                return found.to_table(columns=columns)
            except OSError as error:
                raise NotYet(str(error)) from error

        return wait_for(opened, what="the Parquet files", deadline_seconds=_ASK_SECONDS)


def _path(address: str) -> str:
    return address.removeprefix("s3://")
