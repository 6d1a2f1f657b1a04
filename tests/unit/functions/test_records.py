"""The records of the remote functions: what is a command, and what becomes a dead letter."""

from __future__ import annotations

import json

import pytest
from floe_functions import records
from floe_functions.records import Count, InvalidRecordError


def test_ten_commands_of_one_make_ten():
    total = None
    for number in range(1, 11):
        count = records.parse_count(b'{"delta": 1, "number": %d}' % number)
        total = records.add(total, count)

    assert json.loads(records.counted("a", total, count)) == {"id": "a", "total": 10, "number": 10}


def test_a_command_counts_one_unless_it_says_otherwise():
    assert records.parse_count(b"{}") == Count(delta=1, number=None)
    assert json.loads(records.counted("a", 1, Count(1, None))) == {"id": "a", "total": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "the record is no JSON"),
        (b"", "the record is no JSON"),
        (b"\xff\xfe\x00", "the record is no JSON"),
        (b'{"delta": 1', "the record is no JSON"),
        (b"[" * 100_000, "the record is no JSON"),
        (b"1" * 10_000, "the record is no JSON"),
        (b"[1]", "the record is no JSON object"),
        (b'{"delta": "1"}', "delta is no integer of 64 bits"),
        (b'{"delta": 1.5}', "delta is no integer of 64 bits"),
        (b'{"delta": NaN}', "delta is no integer of 64 bits"),
        (b'{"delta": true}', "delta is no integer of 64 bits"),
        (b'{"delta": null}', "delta is no integer of 64 bits"),
        (b'{"delta": 9223372036854775808}', "delta is no integer of 64 bits"),
        (b'{"number": "seven"}', "number is no integer of 64 bits"),
    ],
)
def test_a_record_that_is_no_command_says_why(record: bytes | None, reason: str):
    with pytest.raises(InvalidRecordError, match=f"^{reason}$"):
        records.parse_count(record)


def test_a_total_stays_within_the_type_of_the_state():
    most = records.add(None, Count(records.HIGHEST_TOTAL, None))
    with pytest.raises(InvalidRecordError, match="64 bits"):
        records.add(most, Count(1, None))


def test_the_greeter_greets_whom_the_record_names():
    assert json.loads(records.greeted("a", '{"name": "Zoë"}'.encode())) == {
        "id": "a",
        "greeting": "Hello, Zoë!",
    }


@pytest.mark.parametrize(
    "record", [b"{}", b'{"name": ""}', b'{"name": 1}', b'{"name": "%s"}' % (b"x" * 201)]
)
def test_nobody_is_greeted_without_a_name(record: bytes):
    with pytest.raises(InvalidRecordError, match="name is no text of 1 to 200 characters"):
        records.greeted("a", record)


def test_a_dead_letter_quotes_the_beginning_of_the_record():
    letter = records.dead_letter(
        "a", b"\xff" + b"x" * 5000, function="floe.kafka/counter", reason=InvalidRecordError("no")
    )
    assert json.loads(letter) == {
        "id": "a",
        "function": "floe.kafka/counter",
        "reason": "no",
        "record": "\N{REPLACEMENT CHARACTER}" + "x" * 999,
    }
