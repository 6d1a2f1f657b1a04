"""Remove what old runs left: received files, ledger, history. Live and kept runs stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ValidationError

from floe_tests.cleanup.retention import OldRun, Place, StoredRun, old_runs
from floe_tests.config.project import VERDICT, Workspace
from floe_tests.config.retention import RetentionSettings
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.ledger import Ledger
from floe_tests.environments.lease import ENTRY, Lease

# Between its environment's return and its last words a run has neither lease nor verdict.
_JUST_ENDED = timedelta(hours=1)


class _Verdict(BaseModel):
    """What is read of a verdict.json."""

    run_id: str
    cause: str


@dataclass(frozen=True)
class Left:
    """An old run that could not be removed.

    Attributes:
        old: The run.
        error: Why.
    """

    old: OldRun
    error: str


def stored_files(workspace: Workspace, ledger: Ledger, *, now: datetime) -> Iterator[StoredRun]:
    """Return the runs whose received files or ledger entries are on disk, a folder each or both."""
    places = {path.name: path for path in workspace.output.glob("*/runs/*") if path.is_dir()}
    ledgers = {
        path.name: path
        for path in ledger.directory.glob("*")
        if path.is_dir() and not path.name.startswith("_")
    }
    newest = {
        verdict.run_id
        for path in workspace.output.glob(f"*/{VERDICT}")
        if (verdict := _verdict(path)) is not None
    }
    for run_id in sorted({*places, *ledgers}):
        folders = [folder for folder in (places.get(run_id), ledgers.get(run_id)) if folder]
        yield _stored(run_id, folders, ledger, is_newest=run_id in newest, now=now)


def _stored(
    run_id: str, folders: Sequence[Path], ledger: Ledger, *, is_newest: bool, now: datetime
) -> StoredRun:
    received = next((folder for folder in folders if folder.parent.name == "runs"), None)
    verdict = _verdict(received / VERDICT) if received else None
    lease, unread = None, ""
    try:
        lease = ledger.read(run_id, ENTRY, Lease)
    except FloeTestsError as error:
        unread = str(error)
    began = min(_modified(folder) for folder in folders)
    stays = ""
    if unread:
        stays = f"its lease cannot be read: {unread}"
    elif lease is not None and lease.state != "released":
        stays = f"its environment is {lease.state}; `floe-tests reap` removes what is over"
    elif is_newest:
        stays = "it is its tier's newest"
    elif now - max(_modified(folder) for folder in folders) < _JUST_ENDED:
        stays = "it was written to within the last hour"
    tier = received.parent.parent.name if received and received.parent.parent else ""
    return StoredRun(
        place="files",
        run_id=run_id,
        tier=lease.owner.tier if lease else tier,
        series="",
        began=began,
        passed=verdict is not None and verdict.cause == "PASS",
        stays_because=stays,
        size_bytes=sum(map(_size, folders)),
    )


def stored_in_history(workspace: Workspace) -> Iterator[StoredRun]:
    """Return the runs of the history.

    Raises:
        FloeTestsError: It cannot be read.
    """
    from floe_tests.results.history.store import History

    with History.open(workspace.history_url) as history:
        for run in history.stored_runs():
            yield StoredRun(
                place="history",
                run_id=run.run_id,
                tier=run.tier,
                series=run.series,
                began=run.began,
                passed=run.passed,
            )


def plan(
    runs: Iterable[StoredRun],
    tiers: Iterable[TierSettings],
    *,
    leaves_others: bool = False,
    now: datetime | None = None,
) -> tuple[OldRun, ...]:
    """Return the runs that are kept no longer.

    Args:
        runs: All runs of all places.
        tiers: The project's tiers, each with its retention; a tier that is gone has the defaults.
        leaves_others: Whether runs of other tiers stay: some tiers cannot be read, and may say
            that theirs are kept longer.
        now: The time (UTC); None for this machine's.
    """
    rules = {tier.name: tier.retention for tier in tiers}
    groups: dict[tuple[Place, str], list[StoredRun]] = {}
    for run in runs:
        if run.tier in rules or not leaves_others:
            groups.setdefault((run.place, run.tier), []).append(run)
    return tuple(
        old
        for (place, tier), members in sorted(groups.items())
        for old in old_runs(
            members,
            getattr(rules.get(tier, RetentionSettings()), place),
            now=now or datetime.now(UTC),
        )
    )


def remove(
    old: Iterable[OldRun],
    removers: Mapping[Place, Callable[[Sequence[OldRun]], Iterable[Left]]],
) -> tuple[Left, ...]:
    """Remove old runs, place by place.

    Args:
        old: The runs.
        removers: What removes runs from each place, and returns what it could not.

    Returns:
        What stays.
    """
    by_place: dict[Place, list[OldRun]] = {}
    for each in old:
        by_place.setdefault(each.run.place, []).append(each)
    return tuple(left for place, members in by_place.items() for left in removers[place](members))


def remove_files(workspace: Workspace, ledger: Ledger, old: Sequence[OldRun]) -> Iterator[Left]:
    """Remove the folders of runs; the received files first, for the ledger says what they are."""
    for each in old:
        run_id = each.run.run_id
        folders = [*workspace.output.glob(f"*/runs/{run_id}"), ledger.directory / run_id]
        try:
            for folder in folders:
                if folder.is_symlink():
                    folder.unlink()
                elif folder.exists():
                    shutil.rmtree(folder)
        except OSError as error:
            yield Left(each, f"{error.filename}: {error.strerror}")


def remove_from_history(workspace: Workspace, old: Sequence[OldRun]) -> Iterator[Left]:
    """Remove runs from the history, all or none, and give their room back."""
    from floe_tests.results.history.store import History

    try:
        with History.open(workspace.history_url) as history:
            history.remove_runs([each.run.run_id for each in old])
    except FloeTestsError as error:
        for each in old:
            yield Left(each, str(error))


def _verdict(path: Path) -> _Verdict | None:
    try:
        return _Verdict.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _modified(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, tz=UTC)


def _size(folder: Path) -> int:
    return sum(
        os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - of many files
        for parent, _, names in os.walk(folder)
        for name in names
    )
