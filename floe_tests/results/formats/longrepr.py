"""How pytest's events write down why a test failed or was skipped, turned into message and text.

The form is pytest's own (`longrepr` of a serialised report): a string, a triple for a skip, or a
nested traceback. What cannot be understood becomes an empty text, never an error: events come from
a test pod. Messages read as pytest words them in its JUnit file.

Source: https://github.com/pytest-dev/pytest/blob/main/src/_pytest/reports.py
"""

from __future__ import annotations

from collections.abc import Iterator

from floe_tests.core.json_values import is_array, is_object, text_of
from floe_tests.results.cases import TEXT_BYTES

_MAX_ENTRIES = 200
_SKIP_TRIPLE = 3


def crash_message(longrepr: object) -> str:
    """Return the exception's own message."""
    if is_object(longrepr):
        crash = longrepr.get("reprcrash")
        return text_of(crash.get("message")) if is_object(crash) else ""
    return text_of(longrepr)


def skip_reason(longrepr: object) -> tuple[str, str]:
    """Return the reason of a skip, and where it was raised with the reason behind it."""
    if is_array(longrepr) and len(longrepr) == _SKIP_TRIPLE:
        file, line, reason = longrepr
        short = text_of(reason).removeprefix("Skipped: ")
        return short, f"{text_of(file)}:{_number(line)}: {short}"
    return crash_message(longrepr), ""


def traceback_text(longrepr: object) -> str:
    """Return the traceback as a terminal would show it, chained exceptions included."""
    if not is_object(longrepr):
        return text_of(longrepr)
    pieces: list[str] = []
    size = 0
    for piece in _pieces(longrepr):
        pieces.append(piece)
        size += len(piece)
        # Four times what a case keeps: the end of most tracebacks survives the cut in the middle.
        if size > 4 * TEXT_BYTES:
            break
    return "\n".join(pieces)


def sections_text(sections: object) -> str:
    """Return captured output, each part under its title."""
    if not is_array(sections):
        return ""
    parts: list[str] = []
    for section in sections[:_MAX_ENTRIES]:
        if is_array(section) and len(section) > 1:
            title, content = text_of(section[0]), text_of(section[1])
            if content.strip():
                parts.append(f"--- {title} ---\n{content.strip()}")
    return "\n\n".join(parts)


def _pieces(longrepr: dict[str, object]) -> Iterator[str]:
    chain = longrepr.get("chain")
    links = chain if is_array(chain) and chain else [[longrepr.get("reprtraceback"), None, None]]
    for link in links[:_MAX_ENTRIES]:
        if not is_array(link) or not link:
            continue
        yield from _traceback_lines(link[0])
        description = text_of(link[-1])
        if description:
            yield f"\n{description}\n"
    # Sections that a plugin put behind the traceback: title, content, separator.
    added = sections_text(longrepr.get("sections"))
    if added:
        yield added


def _traceback_lines(traceback: object) -> Iterator[str]:
    entries = traceback.get("reprentries") if is_object(traceback) else None
    if not is_array(entries):
        return
    for number, entry in enumerate(entries[:_MAX_ENTRIES]):
        data = entry.get("data") if is_object(entry) else None
        if not is_object(data):
            continue
        if number:
            yield "_ " * 20
        yield from _entry_lines(data)


def _entry_lines(entry: dict[str, object]) -> Iterator[str]:
    arguments = entry.get("reprfuncargs")
    if is_object(arguments) and is_array(arguments.get("args")):
        pairs = arguments["args"]
        if is_array(pairs) and pairs:
            shown = (
                f"{text_of(pair[0])} = {text_of(pair[1])}"
                for pair in pairs[:_MAX_ENTRIES]
                if is_array(pair) and len(pair) > 1
            )
            yield ", ".join(shown)
            yield ""
    lines = entry.get("lines")
    if is_array(lines):
        yield from (text_of(line) for line in lines)
    local_values = entry.get("reprlocals")
    if is_object(local_values) and is_array(local_lines := local_values.get("lines")):
        yield ""
        yield from (text_of(line) for line in local_lines)
    place = entry.get("reprfileloc")
    if is_object(place):
        yield ""
        path, line = text_of(place.get("path")), _number(place.get("lineno"))
        yield f"{path}:{line}: {text_of(place.get('message'))}"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
