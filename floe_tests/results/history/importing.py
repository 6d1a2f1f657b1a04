"""Adds runs that were made elsewhere to a history: bundles, and JUnit files of any test tool."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast

from floe_tests.core import names
from floe_tests.core.errors import ConfigurationError
from floe_tests.results.cases import CaseResult, Tally, legible
from floe_tests.results.formats import junit
from floe_tests.results.history import bundle
from floe_tests.results.history.bundle_check import is_future
from floe_tests.results.history.flakiness import SUSPECT_ENVIRONMENT, is_outage
from floe_tests.results.history.import_files import RunFiles, is_bundle, unpacked
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord, SuiteRecord

State = Literal["added", "unchanged", "replaced"]

TRIGGER = "import"
"""What such a run was started by."""
UNPROVED = "Imported from JUnit: nothing proves that it is complete."
"""What every run from JUnit has among its notices."""

_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2200
_GUESSED = ("the file's modification time is used.", "the time of the import is used.")
"""How the notices end that say that a run's time is not its file's own."""
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a JUnit file does not say of its run.

    Attributes:
        tier: The tier that the run counts to.
        provider: What it ran on; runs on different ones are never compared.
        suite: Its suite; None for the tier's name.
        ref: Branch or tag.
        commit: The commit.
        started_at: When it began; None for what the file says, else when it was written.
    """

    tier: str
    provider: str = "imported"
    suite: str | None = None
    ref: str | None = None
    commit: str | None = None
    started_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a name, by the flag that it comes with."""
        names.require("tier", self.tier, where="--tier")
        names.require("environment", self.provider, where="--environment")
        if self.suite is not None:
            names.require("suite", self.suite, where="--suite")
        if self.ref is not None:
            names.require("ref", self.ref, where="--ref")
        if self.commit is not None:
            names.require("commit", self.commit, where="--commit")
        if self.started_at is not None and is_future(self.started_at):
            message = (
                f"--at: {self.started_at:%Y-%m-%d %H:%M} lies in the future. Give the time at "
                "which the run began, or leave the flag out."
            )
            raise ConfigurationError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A run that was imported.

    Attributes:
        run: The run.
        state: Whether it is new here, was there already as it is, or took the place of another
            account of the same run.
    """

    run: RunRecord
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRun:
    """A run as its files tell it.

    Attributes:
        run: The run.
        files: How many files it was read from.
        untimed: How many of them name no time.
        differing: How many of them declare what they do not show.
        damage: Those of them that could not be read to their end, a sentence each.
    """

    run: RunRecord
    files: int = 1
    untimed: int = 0
    differing: int = 0
    damage: tuple[str, ...] = ()


def read(files: RunFiles, origin: Origin | None) -> ReadRun:
    """Read a run from a bundle or from JUnit files.

    Args:
        files: The files of one run.
        origin: What a JUnit file does not say; a bundle says it itself.

    Raises:
        ConfigurationError: It is neither, or a JUnit file without an origin.
        UnreadableResults: None of its JUnit files can be used.
    """
    first = files.paths[0]
    if not files.paths[1:] and is_bundle(first):
        return ReadRun(run=bundle.read(first))
    origin = _required(first, origin)
    with TemporaryDirectory(prefix="floe-tests-") as folder:
        plain, damage = unpacked(files, Path(folder))
        return _run_of_junit(plain, origin, damage)


def _required(path: Path, origin: Origin | None) -> Origin:
    if origin is None:
        message = f"{path} is JUnit, which does not name its tier: add --tier NAME."
        raise ConfigurationError(message)
    return origin


def add(history: History, run: RunRecord, *, replaces: bool = False) -> Imported:
    """Add a run; importing the same run again changes nothing.

    Args:
        history: The history.
        run: The run.
        replaces: Whether it takes the place of another account of the same run.

    Raises:
        ConfigurationError: The history has another account of this run, and it is not to be
            replaced; or a value of the run is larger than the history keeps.
    """
    before = history.run(run_id=run.run_id)
    if before is None:
        history.record(run=run)
        return Imported(run=run, state="added")
    if run.trigger == TRIGGER:
        run = _named_as(before, run)
    changed = _differences(before, history.cases(run_id=run.run_id), run)
    if not changed:
        return Imported(run=run, state="unchanged")
    if not replaces:
        message = (
            f"run {run.run_id} is in the history with {_in_short(before)}; the file says "
            f"{_in_short(run)} (they differ in {', '.join(changed)}). Add --replace if the file "
            "is right."
        )
        raise ConfigurationError(message)
    history.record(run=run)
    return Imported(run=run, state="replaced")


def _named_as(before: RunRecord, run: RunRecord) -> RunRecord:
    """Return a run with what only the place of its file says as the history has it.

    A copy of a file may have another name and another modification time; neither is content.
    """
    if run.cause == before.cause:
        run = replace(run, summary=before.summary)
    guessed = {notice for notice in _notices(run) if notice.endswith(_GUESSED)}
    if not guessed:
        return run
    known = tuple(notice for notice in _notices(before) if notice.endswith(_GUESSED))
    suites = tuple(
        replace(
            suite,
            notices=tuple(
                told
                for notice in suite.notices
                for told in (known if notice in guessed else (notice,))
            ),
        )
        for suite in run.suites
    )
    return replace(run, started_at=before.started_at, suites=suites)


def _notices(run: RunRecord) -> tuple[str, ...]:
    return tuple(notice for suite in run.suites for notice in suite.notices)


def _in_short(run: RunRecord) -> str:
    tests = sum(suite.tally.tests for suite in run.suites)
    failing = sum(suite.tally.failing for suite in run.suites)
    return f"{run.cause}, {tests} tests, {failing} of them failed"


def _differences(
    before: RunRecord, cases: Mapping[str, Sequence[CaseResult]], run: RunRecord
) -> list[str]:
    """Return the fields in which a run is not as the history has it."""
    changed = [
        field.name
        for field in fields(RunRecord)
        if _stored(getattr(before, field.name)) != _stored(getattr(run, field.name))
    ]
    are_equal = all(set(cases.get(suite.name, ())) == set(suite.cases) for suite in run.suites)
    return changed if are_equal else [*changed, "cases"]


def _stored(value: object) -> object:
    """Return a value as it comes back from a database, to be compared; cases are left out."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {legible(str(name)): _stored(inner) for name, inner in mapping.items()}
    if isinstance(value, list | tuple):
        return [_stored(inner) for inner in cast("Sequence[object]", value)]
    if isinstance(value, SuiteRecord):
        order = sorted(value.attempts, key=lambda each: (each.shard, each.number))
        value = replace(value, attempts=tuple(order))
    if is_dataclass(value):
        names_of = (field.name for field in fields(value) if field.name != "cases")
        return {name: _stored(getattr(value, name)) for name in names_of}
    return value


def _run_of_junit(files: RunFiles, origin: Origin, not_unpacked: tuple[str, ...]) -> ReadRun:
    report = junit.read_all(files.paths, root=files.root)
    damage = (*not_unpacked, *report.damage)
    if not report.files and not report.cases:
        raise junit.UnreadableResults(damage[0])
    cases = report.cases
    tally = Tally.of(cases)
    doubts = (*damage, *report.contradictions)
    outcome, cause, fault = _verdict(cases, tally, is_doubtful=bool(doubts))
    started_at, told = _began(report.started_at, files.paths, origin)
    notices = [*doubts, *report.notices, *told, *files.notices, UNPROVED]
    suite = SuiteRecord(
        name=origin.suite or origin.tier,
        outcome=outcome,
        cause=cause,
        fault=fault,
        tally=tally,
        cases=cases,
        source="junit",
        reported=tally.tests,
        notices=tuple(notices),
    )
    run = RunRecord(
        run_id=_run_id(files.paths, origin),
        tier=origin.tier,
        provider=origin.provider,
        environment="imported",
        outcome=outcome,
        cause=cause,
        fault=fault,
        summary=f"{cause}, imported from {legible(files.name)}",
        ref=origin.ref,
        commit=origin.commit,
        trigger=TRIGGER,
        started_at=started_at,
        platform=dict(report.properties),
        suites=(suite,),
    )
    return ReadRun(
        run=run,
        files=len(files.paths) + len(not_unpacked),
        untimed=len(report.untimed),
        differing=len(report.contradicting),
        damage=damage,
    )


def _verdict(
    cases: Iterable[CaseResult], tally: Tally, *, is_doubtful: bool
) -> tuple[str, str, str]:
    """Return outcome, cause and fault by the words of the table of verdicts."""
    if tally.failing:
        is_suspect = is_outage(failed=tally.failing, ran=tally.tests - tally.skipped)
        return "failed", SUSPECT_ENVIRONMENT if is_suspect else "TEST_FAILURE", "test"
    if is_doubtful:
        return "failed", "RESULT_LOST", "test"
    if not any(case.has_run for case in cases):
        return "failed", "NO_TESTS", "configuration"
    return "passed", "PASS", "none"


def _run_id(paths: Sequence[Path], origin: Origin) -> str:
    """Return an id that the same files of a commit have each time: an import twice is one run.

    Files without a time in them are equal for all commits on which nothing changed.
    """
    of_commit = "" if origin.commit is None else f"{origin.commit}\0"
    named = f"{origin.tier}\0{origin.provider}\0{origin.suite}\0{of_commit}"
    digest = hashlib.sha256(named.encode())
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK_BYTES):
                digest.update(piece)
    return f"junit-{digest.hexdigest()[:32]}"


def _began(
    named: datetime | None, paths: Sequence[Path], origin: Origin
) -> tuple[datetime, tuple[str, ...]]:
    """Return when a run began, and what is to be said of that time.

    Args:
        named: The time that its files name.
        paths: The files.
        origin: What was given with them.
    """
    if origin.started_at is not None:
        return origin.started_at, ()
    if named is None or not _EARLIEST_YEAR <= named.year <= _LATEST_YEAR:
        why = "It names no time"
    elif is_future(named):
        why = f"The time that it names, {named:%Y-%m-%d %H:%M}, is in the future"
    else:
        return named, ()
    written = min(map(_time_of, paths))
    if is_future(written):
        return datetime.now(UTC), (
            f"{why}, and the file was modified in the future: {_GUESSED[1]}",
        )
    return written, (f"{why}; {_GUESSED[0]}",)


def _time_of(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
