"""What a run has done so far, on disk: the one way that stages hand things on.

Dagster's own outputs are kept by asset, not by run, so a re-executed step would read another run's
cluster. The ledger is kept by run; it also outlives the process, and is what cleaning up starts
from.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from floe_tests.core import durable, names
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import HarnessError
from floe_tests.core.signals import uninterrupted

if TYPE_CHECKING:
    from filelock import BaseFileLock

Entry = TypeVar("Entry")

_TRY_SECONDS = 0.1


@dataclass(frozen=True)
class Ledger:
    """The entries of all runs below one folder.

    Attributes:
        directory: The folder; one folder a run in it, one JSON file an entry.
    """

    directory: Path

    def write(self, run_id: str, name: str, entry: Any) -> None:
        """Write an entry, whole or not at all.

        Args:
            run_id: The run.
            name: Name of the entry, one a stage.
            entry: A dataclass or a JSON value.
        """
        data = _adapter(entry).dump_json(entry, indent=1)
        durable.write(self._place(run_id) / f"{name}.json", [data])

    def read(self, run_id: str, name: str, kind: type[Entry]) -> Entry | None:
        """Read an entry; None when the run has none of that name.

        Raises:
            HarnessError: The file is there and is not what was written.
        """
        path = self._place(run_id) / f"{name}.json"
        try:
            return TypeAdapter(kind).validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            message = (
                f"{path} cannot be read ({error.error_count()} errors): {error.errors()[0]['msg']}."
            )
            raise HarnessError(message) from error

    def has(self, run_id: str, name: str) -> bool:
        """Return whether the run has an entry of that name."""
        return (self._place(run_id) / f"{name}.json").exists()

    def names(self, run_id: str, prefix: str) -> tuple[str, ...]:
        """Return the names of the run's entries that begin so."""
        return tuple(sorted(path.stem for path in self._place(run_id).glob(f"{prefix}*.json")))

    def forget(self, run_id: str, name: str) -> None:
        """Remove an entry; one that is not there is fine."""
        (self._place(run_id) / f"{name}.json").unlink(missing_ok=True)

    def folder(self, run_id: str) -> Path:
        """Return the run's folder for files of its own (a kubeconfig, logs), created if absent."""
        folder = self._place(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _place(self, run_id: str) -> Path:
        """Return the run's folder. Whoever launches a run may name any other as its parent.

        Raises:
            ConfigurationError: The name could lead out of the ledger.
        """
        # What belongs to no run has a folder that begins with `_`.
        names.require("run id", run_id.removeprefix("_"), where="the run's id")
        return self.directory / run_id

    def runs(self, name: str) -> tuple[str, ...]:
        """Return the runs that have an entry of that name."""
        found = (path.parent.name for path in self.directory.glob(f"*/{name}.json"))
        # What belongs to no run has a folder that begins with `_`, and no run's id does.
        return tuple(sorted(run_id for run_id in found if not run_id.startswith("_")))

    def entries(self, name: str, kind: type[Entry]) -> Iterator[Entry]:
        """Return this entry of every run that has one."""
        for path in sorted(self.directory.glob(f"*/{name}.json")):
            entry = self.read(path.parent.name, name, kind)
            if entry is not None:
                yield entry

    @contextlib.contextmanager
    def locked(self, name: str, *, timeout_seconds: float) -> Generator[None]:
        """Hold a lock that one process of this machine has at a time.

        Raises:
            HarnessError: Another process held it for all of the time.
        """
        import filelock

        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{name}.lock"
        lock: BaseFileLock = filelock.FileLock(path)
        deadline = Deadline(timeout_seconds)
        while not lock.is_locked:
            try:
                # Short tries: a signal in the middle of one would leave the lock taken.
                uninterrupted(lock.acquire)(timeout=0)
            except filelock.Timeout as error:
                if deadline.passed:
                    message = (
                        f"another process has held {path} for {timeout_seconds:g} s; see "
                        f"`fuser {path}`."
                    )
                    raise HarnessError(message) from error
                time.sleep(_TRY_SECONDS)
        try:
            yield
        finally:
            lock.release()


def as_json(value: Any) -> Any:
    """Return a dataclass as a JSON value."""
    return json.loads(_adapter(value).dump_json(value))


def _adapter(value: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", type(value)))
