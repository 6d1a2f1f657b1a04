"""Adds runs that were made elsewhere to a history: bundles, and JUnit files of any test tool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from floe_tests.errors import ConfigurationError
from floe_tests.results import bundle, junit
from floe_tests.results.cases import CaseResult, Tally
from floe_tests.results.history import History
from floe_tests.results.records import RunRecord, SuiteRecord

State = Literal["added", "unchanged", "replaced"]


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
        ConfigurationError: It is neither, or a JUnit file without an origin or without a test.
    """
    try:
        with path.open("rb") as file:
            is_bundle = file.read(2) == bundle.MAGIC
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ConfigurationError(message) from error
    if is_bundle:
        return bundle.read(path)
    if origin is None:
        message = f"{path} is a JUnit file, which does not name its tier: add --tier NAME."
        raise ConfigurationError(message)
    return _run_of_junit(path, origin)


def add(history: History, run: RunRecord) -> Imported:
    """Add a run; one that is there already is not counted twice."""
    before = history.run(run_id=run.run_id)
    if before is None:
        state: State = "added"
    else:
        suites = tuple(replace(suite, cases=()) for suite in run.suites)
        state = "unchanged" if before == replace(run, suites=suites) else "replaced"
    if state != "unchanged":
        history.record(run=run)
    return Imported(run=run, state=state)


def _run_of_junit(path: Path, origin: Origin) -> RunRecord:
    cases = _distinct(junit.read(path))
    if not cases:
        message = f"{path} holds no test. Name the JUnit file of a run."
        raise ConfigurationError(message)
    tally = Tally.of(cases)
    verdict = ("failed", "TEST_FAILURE", "test") if tally.failing else ("passed", "PASS", "none")
    outcome, cause, fault = verdict
    suite = SuiteRecord(
        name=origin.suite or origin.tier,
        outcome=outcome,
        cause=cause,
        fault=fault,
        tally=tally,
        cases=cases,
        source="junit",
        reported=tally.tests,
        notices=("Imported from a JUnit file: nothing proves that it is complete.",),
    )
    return RunRecord(
        run_id=_run_id(path, origin),
        tier=origin.tier,
        provider=origin.provider,
        environment="imported",
        outcome=outcome,
        cause=cause,
        fault=fault,
        summary=f"{cause}, imported from {path.name}",
        ref=origin.ref,
        commit=origin.commit,
        trigger="import",
        started_at=origin.started_at or _time_in(path) or _time_of(path),
        suites=(suite,),
    )


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
    """Give the first `timestamp` in the file; UTC where it names no zone, as JUnit has it."""
    with path.open("rb") as file:
        text = _first_timestamp(file)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


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
