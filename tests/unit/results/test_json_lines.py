"""Lines out of bytes that arrive in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.results.formats.json_lines import JsonLines

MIB = 1024 * 1024


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), min_size=1), max_size=6),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_lines_do_not_depend_on_how_the_bytes_were_cut(
    values: list[dict[str, str]], sizes: list[int]
) -> None:
    stream = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    reader, found, position, turn = JsonLines(), [], 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        found += reader.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert [json.loads(line) for line in found] == values
    assert not reader.has_partial_line


@pytest.mark.parametrize("piece_bytes", [65_521, 64 * MIB])
@pytest.mark.parametrize(
    "text",
    ["x" * (2 * MIB), '\\"\n\u00e9\U0001f389' * 60_000, "\\" * MIB],
    ids=["plain", "escapes", "backslashes"],
)
def test_a_line_of_many_mebibytes_stays_json_with_its_strings_cut(
    text: str, piece_bytes: int
) -> None:
    event = {"outcome": "failed", "longrepr": text, "nodeid": "a.py::b"}
    stream = json.dumps(event).encode() + b"\n" + b'{"next": 1}\n'
    reader = JsonLines()
    lines: list[bytes] = []
    for start in range(0, len(stream), piece_bytes):
        lines += reader.feed(stream[start : start + piece_bytes])
    long, following = (json.loads(line.decode(errors="replace")) for line in lines)
    assert (long["outcome"], long["nodeid"]) == ("failed", "a.py::b")
    assert text.startswith(long["longrepr"][:10_000])
    assert len(long["longrepr"]) < 256 * 1024
    assert following == {"next": 1}


def test_a_line_that_cannot_be_shortened_is_lost_and_counted() -> None:
    reader = JsonLines()
    for _ in range(40):
        assert reader.feed(b"1," * (MIB // 2)) == []
    assert reader.feed(b'\n{"next": 1}\n') == [b'{"next": 1}']
    assert reader.lost_lines == 1
