"""Adds runs that were made elsewhere to a history: bundles, and JUnit files of any test tool."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Literal, cast
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from floe_tests.errors import ConfigurationError
from floe_tests.results import bundle, junit, names
from floe_tests.results.cases import CaseResult, Tally, legible
from floe_tests.results.flakiness import SUSPECT_ENVIRONMENT, is_outage
from floe_tests.results.history import History
from floe_tests.results.records import RunRecord, SuiteRecord

State = Literal["added", "unchanged", "replaced"]

_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2200


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


def read(path: Path, origin: Origin | None) -> RunRecord:
    """Read a run from a bundle or a JUnit file.

    Args:
        path: The file.
        origin: What a JUnit file does not say; a bundle says it itself.

    Raises:
        ConfigurationError: It is neither, or a JUnit file without an origin.
        UnreadableResults: It is a JUnit file that cannot be used.
    """
    try:
        if not path.is_file():
            # A pipe would be empty when it is read again, and a device never ends.
            what = "is no plain file" if path.exists() else "is not there"
            message = f"{path} {what}. Name bundles of runs, or JUnit files."
            raise ConfigurationError(message)
        with path.open("rb") as file:
            begin = file.read(len(bundle.MAGIC))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise ConfigurationError(message) from error
    if begin == bundle.MAGIC or begin.startswith(bundle.PLAIN):
        return bundle.read(path)
    if origin is None:
        message = f"{path} is a JUnit file, which does not name its tier: add --tier NAME."
        raise ConfigurationError(message)
    return _run_of_junit(path, origin)


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


def _run_of_junit(path: Path, origin: Origin) -> RunRecord:
    cases = _distinct(junit.read(path))
    tally = Tally.of(cases)
    outcome, cause, fault = _verdict(tally)
    notices = ["Imported from a JUnit file: nothing proves that it is complete."]
    started_at = origin.started_at or _time_in(path)
    if started_at is None:
        notices.append("The file names no time: it is taken from when the file was written.")
        started_at = _time_of(path)
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
    return RunRecord(
        run_id=_run_id(path, origin),
        tier=origin.tier,
        provider=origin.provider,
        environment="imported",
        outcome=outcome,
        cause=cause,
        fault=fault,
        summary=f"{cause}, imported from {legible(path.name)}",
        ref=origin.ref,
        commit=origin.commit,
        trigger="import",
        started_at=started_at,
        suites=(suite,),
    )


def _verdict(tally: Tally) -> tuple[str, str, str]:
    """Return outcome, cause and fault by the words of the table of verdicts."""
    if not tally.tests:
        return "failed", "NO_TESTS", "configuration"
    if not tally.failing:
        return "passed", "PASS", "none"
    is_suspect = is_outage(failed=tally.failing, ran=tally.tests - tally.skipped)
    return "failed", SUSPECT_ENVIRONMENT if is_suspect else "TEST_FAILURE", "test"


def _distinct(cases: Iterable[CaseResult]) -> tuple[CaseResult, ...]:
    found: dict[str, CaseResult] = {}
    for case in cases:
        before = found.get(case.name)
        found[case.name] = case if before is None else before.merged_with(case)
    return tuple(found.values())


def _run_id(path: Path, origin: Origin) -> str:
    """Give an id that the same file has each time: an import twice is one run."""
    digest = hashlib.sha256(f"{origin.tier}\0{origin.provider}\0{origin.suite}\0".encode())
    digest.update(path.read_bytes())
    return f"junit-{digest.hexdigest()[:32]}"


def _time_in(path: Path) -> datetime | None:
    """Return the first `timestamp` in the file; UTC where it names no zone, as JUnit has it."""
    with path.open("rb") as file:
        text = _first_timestamp(file)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            time = read(text.strip())
        except ValueError:
            continue
        if _EARLIEST_YEAR <= time.year <= _LATEST_YEAR:
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None


def _first_timestamp(file: IO[bytes]) -> str:
    try:
        for _event, element in iterparse(file, events=("start",), forbid_dtd=True):
            if "timestamp" in element.attrib:
                return str(element.attrib["timestamp"])
    except (ParseError, DefusedXmlException):
        return ""
    return ""


def _time_of(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
