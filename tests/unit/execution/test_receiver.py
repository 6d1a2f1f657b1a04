"""The receiving end of an attempt: what it keeps, shows, and does not let itself be told."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from floe_tests.execution.attempt import judge
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.resume import FrameJournal
from floe_tests.execution.verdict.facts import Facts
from floe_tests.exporter.frames import FrameWriter, Place
from floe_tests.exporter.settings import CHUNK_BYTES, Settings

FACTS = Facts(subject="job/a")


class Sender:
    """Writes frames as the exporter does, in one session."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.writer = FrameWriter(
            Settings(bytes_per_second=10**12), session="s" * 16, write=self.lines.append
        )

    def send(self, path: str, content: bytes, *, generation: int = 0) -> bytes:
        """Return the lines of a file's content."""
        self.lines.clear()
        if generation:
            self.writer.control("replaced", path=path, generation=generation, reason="it shrank")
        offset = 0
        while offset < len(content):
            piece = content[offset : offset + CHUNK_BYTES]
            place = Place(path, path, generation, offset)
            offset += self.writer.data(place, piece, guess=len(piece))
        return b"".join(self.lines)


@pytest.fixture
def sender() -> Sender:
    return Sender()


def outcome(number: int, outcome: str) -> str:
    """Return the last event of a test."""
    report = {
        "$report_type": "TestReport",
        "nodeid": f"t.py::test_{number}",
        "when": "teardown" if outcome == "passed" else "call",
        "outcome": outcome,
        "longrepr": None if outcome == "passed" else "one is not two",
    }
    end = {**report, "when": "teardown", "outcome": "passed", "longrepr": None}
    lines = [report] if outcome == "passed" else [report, end]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def _passes(number: int) -> str:
    return outcome(number, "passed")


def _fails(number: int) -> str:
    return outcome(number, "failed")


def test_a_count_of_collected_tests_that_shrinks_is_a_problem(
    tmp_path: Path, sender: Sender
) -> None:
    """A test claims afterwards that there were fewer than it left out."""
    receiver = Receiver(tmp_path, log=lambda _: None)
    receiver.feed(sender.send("collection.json", b'{"collected": 60}'))
    receiver.feed(sender.send("collection.json", b'{"collected": 1}', generation=1))
    receiver.feed(sender.send("events.jsonl", outcome(1, "passed").encode()))

    facts, _ = judge(FACTS, directory=tmp_path, completeness=receiver.finish(FACTS))

    assert "1 of 60 collected tests were reported" in facts.results.problems


def test_events_that_were_replaced_are_shown_again_and_counted_once(
    tmp_path: Path, sender: Sender
) -> None:
    """`pytest || pytest` writes its events anew."""
    log: list[str] = []
    receiver = Receiver(tmp_path, log=log.append)
    receiver.feed(sender.send("events.jsonl", (_fails(1) + _passes(2)).encode()))
    assert receiver.tally.tests == 2
    receiver.feed(sender.send("events.jsonl", _passes(1).encode(), generation=1))
    assert (receiver.tally.tests, receiver.tally.failed) == (1, 0)
    assert [line.split()[1] for line in log] == ["FAILED", "passed"]


def test_what_a_process_before_received_is_there_and_not_shown_again(
    tmp_path: Path, sender: Sender
) -> None:
    """Also the version of a result that was replaced before the process died."""
    piece = sender.send("events.jsonl", (_fails(1) + _passes(2)).encode())
    piece += sender.send("events.jsonl", _passes(1).encode(), generation=1)
    directory, log = tmp_path / "results", list[str]()
    for _ in range(2):
        journal = FrameJournal(tmp_path, log=log.append)
        log.clear()
        receiver = Receiver(directory, log=log.append, journal=journal)
        assert log == []
        receiver.feed(piece)
        journal.close()
        assert (directory / ".replaced/0/events.jsonl").read_text() == _fails(1) + _passes(2)
        assert (directory / "events.jsonl").read_text() == _passes(1)
        assert sorted(p.name for p in (directory / ".replaced").iterdir()) == ["0"]
        assert receiver.tally.tests == 1


@pytest.mark.parametrize("content", [b'{"collected": 1e999}', b'{"collected": []}', b"[" * 5000])
def test_a_count_that_is_none_is_passed_over(
    tmp_path: Path, sender: Sender, content: bytes
) -> None:
    log: list[str] = []
    receiver = Receiver(tmp_path, log=log.append)
    receiver.feed(sender.send("collection.json", content))
    receiver.finish(FACTS)
    assert log == []


@pytest.mark.parametrize(("event", "first"), [(_passes, "passed"), (_fails, "FAILED")])
def test_ten_thousand_tests_make_some_hundred_lines_of_the_runs_log(
    tmp_path: Path, sender: Sender, event: Callable[[int], str], first: str
) -> None:
    """Nobody has said how many there are; each line is a row of the orchestrator's database."""
    log: list[str] = []
    receiver = Receiver(tmp_path, log=log.append)

    receiver.feed(sender.send("events.jsonl", "".join(map(event, range(10_000))).encode()))

    assert log[0].startswith(f"[1] {first} t::test_0")
    assert 100 < len(log) < 600
    assert any(line.startswith("[9") for line in log[-5:])


def test_what_never_ends_its_line_is_not_kept(tmp_path: Path, sender: Sender) -> None:
    """Whatever wrote it into the exporter's log; the frames behind it count."""
    log: list[str] = []
    receiver = Receiver(tmp_path, log=log.append)
    piece = b"x" * 64 * 1024
    tracemalloc.start()
    try:
        for _ in range(512):
            receiver.feed(piece)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    receiver.feed(b"\n" + sender.send("collection.json", b'{"collected": 60}'))

    assert peak_bytes < 1024 * 1024
    assert log == ["60 tests collected"]
