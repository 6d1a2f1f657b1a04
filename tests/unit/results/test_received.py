"""Results are read once, as long as their files are as they were, and by a deadline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.core.signals import held_signals
from floe_tests.results import received

JUNIT = '<testsuite><testcase classname="t" name="{name}" time="1"/></testsuite>'


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    received.forget()
    yield
    received.forget()


def _slow(directory: Path) -> None:
    """Write events that take seconds to read."""
    event = {"$report_type": "TestReport", "nodeid": "t.py::a", "outcome": "passed", "when": "call"}
    line = json.dumps({**event, "duration": 0.1, "longrepr": None, "keywords": {}}) + "\n"
    (directory / "events.jsonl").write_text(line * 60_000)


def test_results_are_read_again_when_a_file_has_changed(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT.format(name="a"))
    first = received.read(tmp_path)
    assert received.read(tmp_path) is first

    (tmp_path / "junit.xml").write_text(JUNIT.format(name="b"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "junit.xml").write_text(JUNIT.format(name="c"))

    assert [case.name for case in received.read(tmp_path).cases] == ["t::b", "t::c"]
    assert received.read(tmp_path, cut=("junit.xml",)) is not received.read(tmp_path)


def test_what_takes_too_long_is_said_and_not_kept(tmp_path: Path) -> None:
    _slow(tmp_path)

    late = received.read(tmp_path, deadline_seconds=0.05)

    assert late.doubts
    assert "longer than 0.05 s" in late.doubts[0]
    assert received.read(tmp_path, deadline_seconds=0.05) is not late


def test_while_signals_are_held_the_deadline_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slow(tmp_path)
    monkeypatch.setattr(received, "HELD_SECONDS", 0.05)

    with held_signals(print):
        late = received.read(tmp_path)

    assert "longer than 0.05 s" in late.doubts[0]
