"""The results of all shards as one suite's, as a suite of one pod would have sent them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from floe_tests.core.json_values import is_object, text_of
from floe_tests.execution.sharding.account import Account, read_account
from floe_tests.exporter.results import COLLECTION_FILE, EVENTS_FILE
from floe_tests.results.attempts import with_earlier
from floe_tests.results.cases import CaseResult, TextBudget
from floe_tests.results.collate import SuiteResults, collate
from floe_tests.results.formats import junit

_TAIL_BYTES = 64


@dataclass(frozen=True)
class Source:
    """What a shard sent.

    Attributes:
        directory: Where it is.
        results: What is in it.
        account: What the shard says of its collection.
    """

    directory: Path
    results: SuiteResults
    account: Account | None


def merge_received(directory: Path) -> None:
    """Write the results of a sharded suite whose orchestrator was killed: all that had come.

    Args:
        directory: Folder of the suite's attempt; one without shards is left as it is.
    """
    made: dict[str, list[Path]] = {}
    for path in sorted(directory.glob("shards/*-*")):
        made.setdefault(path.name.partition("-")[0], []).append(path / "results")
    sources = [
        Source(
            paths[-1],
            with_earlier(collate(paths[-1]), [collate(path) for path in paths[:-1]]),
            read_account(paths[-1]),
        )
        for paths in made.values()
    ]
    if sources:
        write_results(directory / "results", sources)


def write_results(directory: Path, sources: Sequence[Source]) -> None:
    """Write one JUnit file, one account of events and one count.

    Args:
        directory: Where to.
        sources: What the shards sent, in their order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cases = tuple(_united(source.results.cases for source in sources))
    if cases:
        junit.write(directory / "junit.xml", cases, suite="shards")
    if any((source.directory / EVENTS_FILE).is_file() for source in sources):
        with (directory / EVENTS_FILE).open("wb") as file:
            _write_events(file, sources)
    collected = [source.results.collected for source in sources]
    known = [count for count in collected if count is not None]
    if len(known) == len(collected):
        counts = {"collected": sum(known), "deselected": _deselected(sources)}
        (directory / COLLECTION_FILE).write_text(json.dumps(counts) + "\n")


def _united(cases: Iterable[Iterable[CaseResult]]) -> Iterator[CaseResult]:
    """Return the cases of all shards, each name once; a module that did not load failed in all."""
    budget = TextBudget()
    names: set[str] = set()
    for case in (case for each in cases for case in each):
        name, number = case.name, 1
        if case.is_collection and name in names:
            continue
        while name in names:
            number += 1
            name = f"{case.name} #{number}"
        names.add(name)
        yield budget.keep(replace(case, name=name))


def _write_events(file: BinaryIO, sources: Sequence[Source]) -> None:
    """Write the events of all shards as those of one session."""
    file.write(b'{"$report_type": "SessionStart"}\n')
    modules: set[str] = set()
    for source in sources:
        path = source.directory / EVENTS_FILE
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and _is_of_the_whole(line, modules):
                    file.write(line)
    if all(source.results.session_finished for source in sources):
        statuses = [source.results.exit_status or 0 for source in sources]
        end = {"exitstatus": max(statuses), "$report_type": "SessionFinish"}
        file.write(json.dumps(end).encode() + b"\n")


def _is_of_the_whole(line: bytes, modules: set[str]) -> bool:
    """Return whether an event says something of the whole: not of a session's ends, nor twice."""
    ends = line[:_TAIL_BYTES] + line[-_TAIL_BYTES:]
    if b"Session" not in ends and b"CollectReport" not in ends:
        return True
    try:
        event: object = json.loads(line)
    except (ValueError, RecursionError):
        return True
    if not is_object(event):
        return True
    kind, node = event.get("$report_type"), text_of(event.get("nodeid"))
    if kind in {"SessionStart", "SessionFinish"}:
        return False
    if kind != "CollectReport":
        return True
    is_new = event.get("outcome") != "passed" and node not in modules
    modules.add(node)
    return is_new


def _deselected(sources: Sequence[Source]) -> int | None:
    """Return how many tests no shard was to run: each leaves out the others' too."""
    for source in sources:
        if source.account is not None and source.results.deselected is not None:
            others = source.account.all_tests - len(source.account.selected)
            return max(0, source.results.deselected - others)
    return None
