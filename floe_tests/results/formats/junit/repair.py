"""Bytes of XML that are not well-formed for a reason that touches no test, made so that they are.

Tests print anything, and not every tool escapes it: a control character, a byte of another
encoding, `&nbsp;`. Losing the results for that would be worse than losing the byte.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import IO

_CHUNK_BYTES = 256 * 1024
_SEARCHED_BYTES = 1024 * 1024
_BEGINNING = re.compile(rb"<(?:\?xml[\s]|[\w.-]*:?(?:testsuites?|testrun)[\s>/])", re.IGNORECASE)
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of Python's in which something else than text is written.
_NO_ENCODINGS = frozenset({"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape"})

# NUL stays: it is what a disk that broke leaves, not what a test printed.
_ILLEGAL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(#(?:[0-9]{1,7}|x[0-9a-fA-F]{1,6});)?")
_LONGEST_REFERENCE = 12
_SURROGATES = range(0xD800, 0xE000)
_LAST_CHARACTER = 0x10FFFF
_FIRST_PRINTABLE = 0x20


def beginning(file: IO[bytes]) -> int:
    """Return where the first document begins: tools print into the stream that becomes a file."""
    file.seek(0)
    head = file.read(_SEARCHED_BYTES)
    is_wide = any(head.startswith(mark) for mark, name in _BYTE_ORDER_MARKS if name != "utf-8-sig")
    text = head.removeprefix(codecs.BOM_UTF8)
    if is_wide or b"\x00" in head[:4] or text.startswith(b"<"):
        return 0
    found = _BEGINNING.search(head)
    if found is not None:
        return found.start()
    return 0 if text.strip() else len(head)


def repaired(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file as UTF-8 that XML allows."""
    start = file.tell()
    head = file.read(1024)
    file.seek(start)
    decoder = codecs.getincrementaldecoder(_encoding(head))(errors="backslashreplace")
    rest = ""
    while chunk := file.read(_CHUNK_BYTES):
        text = rest + decoder.decode(chunk)
        # A reference may go on in the next piece.
        cut = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
        text, rest = (text[:cut], text[cut:]) if cut >= 0 else (text, "")
        yield _legal(text)
    yield _legal(rest + decoder.decode(b"", final=True))


def _encoding(head: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    declared = _DECLARED.search(head)
    if declared is None:
        return "utf-8"
    try:
        codec = codecs.lookup(declared[1].decode("ascii"))
        "".encode(codec.name)
    except (LookupError, UnicodeError):
        return "utf-8"
    # Legible as it stands, the declaration is not in UTF-16, whatever it says (.NET writes that).
    is_wide = codec.name.startswith(("utf-16", "utf-32"))
    return "utf-8" if is_wide or codec.name in _NO_ENCODINGS else codec.name


def _legal(text: str) -> bytes:
    text = _ILLEGAL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
    text = _REFERENCE.sub(_reference, text)
    return text.encode("utf-8", errors="backslashreplace")


def _reference(match: re.Match[str]) -> str:
    number = match[1]
    if number is None:
        return "&amp;"
    digits = number[1:-1]
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    is_character = code in {9, 10, 13} or (
        _FIRST_PRINTABLE <= code <= _LAST_CHARACTER
        and code not in _SURROGATES
        and code not in {0xFFFE, 0xFFFF}
    )
    return match[0] if is_character else f"\\x{code:02x}"
