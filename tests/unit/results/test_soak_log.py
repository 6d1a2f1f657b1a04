"""soak.jsonl comes from a pod: whatever it holds, it is read, counted and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floe_tests.results.measurements import soak_log
from tests.support.soaks import FINGERPRINT, sample, soak_lines, write_lines

HOSTILE = {
    "no JSON": b"{",
    "no JSON object": b"[1]",
    "`elapsed` is no number of seconds": b'{"kind":"sample","elapsed":"1"}',
    "`kind` is none of start, sample, load, gap, end": b'{"kind":"x","elapsed":1}',
    "a sample without component or pod": b'{"kind":"sample","elapsed":1,"pod":"p"}',
    "a load without an operation": b'{"kind":"load","elapsed":1}',
    "a second `start`": b'{"kind":"start"}',
    "more errors than requests": b'{"kind":"load","elapsed":1,"operation":"o","errors":3}',
}


def test_a_whole_soak_is_read_as_it_was_written(tmp_path: Path) -> None:
    log = soak_log.read(write_lines(tmp_path, soak_lines()))

    assert (log.planned_seconds, log.interval_seconds, log.elapsed) == (600, 15, 600)
    assert log.end == "completed"
    assert log.fingerprint == FINGERPRINT
    assert len(log.samples) == 82
    assert len(log.loads) == 41
    assert log.notices == ()


@pytest.mark.parametrize("why", HOSTILE)
def test_a_wrong_line_is_counted_and_the_others_are_read(tmp_path: Path, why: str) -> None:
    path = write_lines(tmp_path, soak_lines())
    with path.open("ab") as file:
        file.write(HOSTILE[why] + b"\n")

    log = soak_log.read(path)

    assert log.notices == (f"soak.jsonl: {why}",)
    assert len(log.samples) == 82


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", '"7"', "true", "1" + "0" * 400, "[]"])
def test_a_value_that_is_no_amount_is_not_seen(tmp_path: Path, value: str) -> None:
    """One NaN in a thousand looks would make every median of them NaN."""
    path = tmp_path / "soak.jsonl"
    text = json.dumps(sample(1)).replace(f"{400 * 2**20}.0", value)
    assert value in text
    path.write_text(f"{text}\n")

    log = soak_log.read(path)

    assert log.samples[0].memory is None
    assert log.samples[0].disk is not None
    assert log.notices == ("soak.jsonl: `memory_bytes` is no amount",)


def test_half_a_line_of_a_killed_pod_is_left_out(tmp_path: Path) -> None:
    path = write_lines(tmp_path, soak_lines(end=None))
    with path.open("ab") as file:
        file.write(b'{"kind":"sample","elap')

    log = soak_log.read(path)

    assert log.end is None
    assert log.elapsed == 600
    assert log.notices == ("soak.jsonl: the last line has no end",)


def test_a_file_that_never_came_is_a_soak_of_which_nothing_is_known(tmp_path: Path) -> None:
    log = soak_log.read(tmp_path / "soak.jsonl")

    assert log.samples == ()
    assert log.notices == ("soak.jsonl: no such file arrived",)


def test_lines_and_names_have_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_log, "LINES", 30)
    monkeypatch.setattr(soak_log, "NAMES", 3)
    lines = [sample(number, f"component-{number}") for number in range(50)]

    log = soak_log.read(write_lines(tmp_path, lines))

    assert len(log.samples) == 3
    assert "soak.jsonl: cut: more lines than any soak writes" in log.notices
    assert "soak.jsonl: 27 × cut: more than 3 names of components" in log.notices


def test_the_same_moment_twice_counts_once(tmp_path: Path) -> None:
    log = soak_log.read(write_lines(tmp_path, [sample(15), sample(15), sample(30)]))

    assert [each.elapsed for each in log.samples] == [15, 30]
    assert log.notices == ("soak.jsonl: a second sample of one moment",)


def test_a_clock_that_jumps_moves_no_sample(tmp_path: Path) -> None:
    """`at` is for people: an hour set back must not make a soak of minus fifty minutes."""
    lines = soak_lines()
    for each in lines[40:]:
        each["at"] = "2001-01-01T00:00:00+00:00"

    log = soak_log.read(write_lines(tmp_path, lines))

    assert log.elapsed == 600
    assert [each.elapsed for each in log.samples] == sorted(each.elapsed for each in log.samples)


def test_names_are_legible_and_bounded(tmp_path: Path) -> None:
    log = soak_log.read(write_lines(tmp_path, [sample(1, "a\x1b[31m\u202e" + "x" * 5000)]))

    assert "\x1b" not in log.samples[0].component
    assert len(log.samples[0].component) <= 200


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["kind", "elapsed", "component", "pod", "memory_bytes", "x"]),
                    inner | st.sampled_from(["sample", "load", "gap", "end", "start"]),
                    max_size=6,
                )
            ),
            max_leaves=8,
        ),
        max_size=8,
    ),
    st.binary(max_size=60),
)
def test_nothing_that_a_pod_writes_raises(
    tmp_path: Path, values: list[object], rest: bytes
) -> None:
    path = tmp_path / "soak.jsonl"
    path.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in values) + rest)

    log = soak_log.read(path)

    assert log.elapsed >= 0
