"""What comes in and what goes out, as JSON: plain Python, without StateFun.

    counter   {"delta": 1, "number": 7}  ->  {"id": "a", "total": 3, "number": 7}
    greeter   {"name": "Alice"}          ->  {"id": "a", "greeting": "Hello, Alice!"}

`id` is the record's key. `delta` is 1 where it is missing; `number` is the sender's own count,
handed through so that order, gaps and repetitions can be seen in the results.

A record that says none of this must not fail the function: StateFun would send it again for ever
and get no further. It becomes a dead letter:

    {"id": "a", "function": "floe.kafka/counter", "reason": "the record is no JSON", "record": "x"}
"""

import json
from dataclasses import dataclass

HIGHEST_TOTAL = 2**63 - 1
LONGEST_NAME = 200
LONGEST_QUOTE = 1000


class InvalidRecordError(Exception):
    """The record is no command; the message says why."""


@dataclass(frozen=True)
class Count:
    """A command of the counter.

    Attributes:
        delta: What the total grows by.
        number: The sender's own count, if it keeps one.
    """

    delta: int
    number: int | None


def parse_count(record: bytes | None) -> Count:
    """Read a command of the counter.

    Args:
        record: The record's value as it came; None when it has none.

    Raises:
        InvalidRecordError: The record is no such command.
    """
    fields = _fields(record)
    return Count(
        delta=_integer(fields, "delta", 1),
        number=_integer(fields, "number", 0) if "number" in fields else None,
    )


def add(total: int | None, count: Count) -> int:
    """Return the new total.

    Args:
        total: The total so far; None before the first command and after the state expired.
        count: The command.

    Raises:
        InvalidRecordError: The new total would not fit into the state.
    """
    new = (total or 0) + count.delta
    if abs(new) > HIGHEST_TOTAL:
        raise InvalidRecordError("the total would leave 64 bits")
    return new


def counted(identity: str, total: int, count: Count) -> str:
    """Return the result of a command: key, new total, and the sender's number if it has one."""
    result: dict[str, object] = {"id": identity, "total": total}
    if count.number is not None:
        result["number"] = count.number
    return json.dumps(result)


def greeted(identity: str, record: bytes | None) -> str:
    """Return the greeting for a record of the greeter.

    Args:
        identity: The record's key.
        record: Its value as it came; None when it has none.

    Raises:
        InvalidRecordError: There is no name in it.
    """
    name = _fields(record).get("name")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise InvalidRecordError(f"name is no text of 1 to {LONGEST_NAME} characters")
    return json.dumps({"id": identity, "greeting": f"Hello, {name}!"})


def dead_letter(
    identity: str, record: bytes | None, *, function: str, reason: InvalidRecordError
) -> str:
    """Return what is said of a record that is no command.

    Args:
        identity: The record's key.
        record: Its value as it came; its beginning is quoted.
        function: Type name of the function that it was sent to.
        reason: Why it is none.
    """
    quote = (record or b"")[:LONGEST_QUOTE].decode(errors="replace")
    return json.dumps(
        {"id": identity, "function": function, "reason": str(reason), "record": quote}
    )


def _fields(record: bytes | None) -> dict[str, object]:
    try:
        fields = json.loads(record or b"")
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError("the record is no JSON") from error
    if not isinstance(fields, dict):
        raise InvalidRecordError("the record is no JSON object")
    return fields


def _integer(fields: dict[str, object], name: str, default: int) -> int:
    value = fields.get(name, default)
    # True is an integer to Python.
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > HIGHEST_TOTAL:
        raise InvalidRecordError(f"{name} is no integer of 64 bits")
    return value
