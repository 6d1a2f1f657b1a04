"""From the bytes of a file to JUnit documents, whatever the bytes are.

The parser is expat. A file may name a document type, and nothing is fetched for it: one that
declares entities, which can grow without end, or that stands in another file is refused. A file
that is not well-formed for a reason that touches no test (a control character, another encoding
than it says) is read a second time with those places replaced; of any other the part before the
damage is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from floe_tests.core.deadline import Deadline
from floe_tests.results.formats.junit.document import FullDocument, JUnitDocument, MalformedDocument
from floe_tests.results.formats.junit.repair import beginning, repaired

# Large, because the parser looks at a tag from its beginning again with every further piece.
_CHUNK_BYTES = 512 * 1024
_MOST_ATTRIBUTES = 256
_MOST_ATTRIBUTES_OF_A_LONG_TAG = 50_000
_MOST_NAMES = 20_000
_MOST_ELEMENTS = 2_000_000
_MOST_DOCUMENTS = 1_000
# The parser's error codes. For a document that ends too early: no element found, unclosed token,
# partial character, unclosed CDATA section.
# Source: https://github.com/libexpat/libexpat/blob/master/expat/lib/expat.h (enum XML_Error)
_CUT_OFF = frozenset({3, 5, 6, 20})
# Invalid token, undefined entity, bad character reference, unknown and incorrect encoding.
_REPAIRABLE = frozenset({4, 11, 14, 18, 19})
_TYPE_LINE = "its <!DOCTYPE ...>"
_NEXT_DOCUMENT = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:\?xml|!DOCTYPE|[A-Za-z])", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitLimits:
    """What a JUnit file may cost to read.

    Attributes:
        file_bytes: Size of the file.
        cases: Number of test cases.
        depth: How deeply elements may be nested.
        token_bytes: Longest tag with its attributes. The parser holds a whole tag in memory.
        text_bytes: Text kept of all cases together.
    """

    file_bytes: int = 64 * 1024 * 1024
    cases: int = 100_000
    depth: int = 64
    token_bytes: int = 8 * 1024 * 1024
    text_bytes: int = 24 * 1024 * 1024


@dataclass(slots=True)
class Parsed:
    """What a file holds.

    Attributes:
        documents: Its documents; most files have one.
        damage: Why it was not read to its end; empty when it was.
        notices: What else is to be said of it.
    """

    documents: list[JUnitDocument] = field(default_factory=list[JUnitDocument])
    damage: str = ""
    notices: list[str] = field(default_factory=list[str])


class _NotWellFormed(Exception):  # noqa: N818 - an inner signal
    def __init__(self, reason: str, *, code: int, offset: int) -> None:
        super().__init__(reason)
        self.code = code
        self.offset = offset


def parse(
    file: IO[bytes],
    document: Callable[[], JUnitDocument],
    limits: JUnitLimits,
    deadline: Deadline,
) -> Parsed:
    """Read a file.

    Args:
        file: Open at its beginning.
        document: Makes an empty document.
        limits: What it may cost.
        deadline: When to stop.

    Raises:
        MalformedDocument: It is empty or too large.
    """
    size = os.fstat(file.fileno()).st_size
    if size > limits.file_bytes:
        message = f"it has {size} bytes; at most {limits.file_bytes} are read"
        raise MalformedDocument(message)
    parsed = Parsed()
    start = beginning(file)
    if start >= size:
        message = "it is empty"
        raise MalformedDocument(message)
    if start:
        parsed.notices.append(f"the first {start} bytes are no XML and were left out")
    offset: int | None = start
    while offset is not None:
        if len(parsed.documents) >= _MOST_DOCUMENTS:
            parsed.damage = f"it holds more than {_MOST_DOCUMENTS} documents"
            break
        offset = _Document(file, document, limits, deadline).read(parsed, offset, size)
    if len(parsed.documents) > 1:
        parsed.notices.append(f"it holds {len(parsed.documents)} documents behind each other")
    return parsed


class _Document:
    """One document of a file."""

    def __init__(
        self,
        file: IO[bytes],
        document: Callable[[], JUnitDocument],
        limits: JUnitLimits,
        deadline: Deadline,
    ) -> None:
        self._file = file
        self._new = document
        self._limits = limits
        self._deadline = deadline

    def read(self, parsed: Parsed, start: int, size: int) -> int | None:
        """Read the document, and return where the next one begins; None when there is none."""
        document = self._new()
        try:
            self._feed(document, self._pieces(start), encoding=None)
        except _NotWellFormed as error:
            if document.is_closed:
                parsed.documents.append(document)
                return self._next(parsed, error.offset, size)
            reason = _diagnosis(self._file, error, size=size)
            if error.code in _REPAIRABLE and "NUL" not in reason:
                return self._repair(parsed, start, reason)
            self._keep(parsed, document, reason)
        except MalformedDocument as error:
            self._keep(parsed, document, str(error), is_full=isinstance(error, FullDocument))
        else:
            parsed.documents.append(document)
        return None

    def _repair(self, parsed: Parsed, start: int, reason: str) -> None:
        document = self._new()
        self._file.seek(start)
        try:
            self._feed(document, repaired(self._file), encoding="utf-8")
        except _NotWellFormed:
            self._keep(parsed, document, reason)
        except MalformedDocument as error:
            self._keep(parsed, document, str(error), is_full=isinstance(error, FullDocument))
        else:
            parsed.documents.append(document)
            parsed.notices.append(f"{reason}; such places were replaced")

    def _next(self, parsed: Parsed, offset: int, size: int) -> int | None:
        self._file.seek(offset)
        if _NEXT_DOCUMENT.match(self._file.read(_CHUNK_BYTES)):
            self._file.seek(offset)
            rest = self._file.read(_CHUNK_BYTES)
            return offset + len(rest) - len(rest.lstrip())
        parsed.notices.append(f"the last {size - offset} bytes are no XML and were left out")
        return None

    @staticmethod
    def _keep(
        parsed: Parsed, document: JUnitDocument, reason: str, *, is_full: bool = False
    ) -> None:
        """Keep what a document held before its damage."""
        inside = document.cut_off()
        if inside and not is_full:
            reason = f"{reason}, in the middle of {inside}"
        parsed.documents.append(document)
        parsed.damage = reason

    def _pieces(self, start: int) -> Iterator[bytes]:
        self._file.seek(start)
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk

    def _feed(
        self, document: JUnitDocument, pieces: Iterator[bytes], *, encoding: str | None
    ) -> None:
        """Parse pieces of a document.

        Raises:
            _NotWellFormed: It is no XML, or ends too early.
            MalformedDocument: It is no JUnit, or beyond a limit.
        """
        parser = _parser(document, encoding)
        start = self._file.tell() if encoding is None else 0
        fed_bytes = attributes = 0
        try:
            for piece in pieces:
                if not fed_bytes and encoding is None:
                    start = self._file.tell() - len(piece)
                parser.Parse(piece, False)  # noqa: FBT003 - expat takes it by position
                fed_bytes += len(piece)
                # Where the last whole token ended. What is behind it waits in the parser's memory.
                waiting = fed_bytes - parser.CurrentByteIndex
                attributes = attributes + _attributes(piece) if waiting >= len(piece) else 0
                self._require_bounds(waiting, attributes, names=len(parser.intern))
            parser.Parse(b"", True)  # noqa: FBT003
        except expat.ExpatError as error:
            offset = start + max(0, parser.ErrorByteIndex)
            raise _NotWellFormed(str(error), code=error.code, offset=offset) from error
        except (LookupError, ValueError) as error:
            reason = f"its declared encoding cannot be read ({error})"
            raise _NotWellFormed(reason, code=18, offset=start) from error

    def _require_bounds(self, waiting: int, attributes: int, *, names: int) -> None:
        message = ""
        if waiting > self._limits.token_bytes:
            message = f"it holds a tag of more than {self._limits.token_bytes} bytes"
        elif attributes > _MOST_ATTRIBUTES_OF_A_LONG_TAG:
            message = "it holds a tag with too many attributes"
        elif names > _MOST_NAMES:
            # The parser forgets none of them.
            message = f"it holds more than {_MOST_NAMES} different tags and attributes"
        elif self._deadline.passed:
            message = f"reading it took longer than {self._deadline.seconds:g} s"
        if message:
            raise FullDocument(message)


def _attributes(piece: bytes) -> int:
    quotes = piece.count(b'"') + piece.count(b"'")
    return min(piece.count(b"="), quotes // 2)


def _parser(document: JUnitDocument, encoding: str | None) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    elements = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        elements += 1
        if elements > _MOST_ELEMENTS or len(attributes) > _MOST_ATTRIBUTES:
            what = (
                f"elements than {_MOST_ELEMENTS}"
                if elements > _MOST_ELEMENTS
                else f"than {_MOST_ATTRIBUTES} attributes in one tag"
            )
            message = f"it holds more {what}"
            raise FullDocument(message)
        document.start(tag, attributes)

    parser.StartElementHandler = start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data
    parser.CommentHandler = document.comment
    _bound_document_type(parser)
    return parser


def _bound_document_type(parser: expat.XMLParserType) -> None:
    """Refuse what a document type can add to a file; its name alone, as Bun's has one, is nothing.

    Where it stands in another file, an entity of it would be left out of a name without a word.
    """
    defaults = 0

    def refuse_external(_: str, system: str | None, public: str | None, *__: object) -> None:
        if system or public:
            message = (
                "its document type stands in another file, which is not fetched. Write the file "
                f"without {_TYPE_LINE}"
            )
            raise MalformedDocument(message)

    def refuse_entities(*_: object) -> None:
        message = (
            "its document type declares entities, which can grow without end. Write the file "
            f"without {_TYPE_LINE} and with the text itself in their places"
        )
        raise MalformedDocument(message)

    def bound_defaults(*_: object) -> None:
        nonlocal defaults
        defaults += 1
        if defaults > _MOST_ATTRIBUTES:
            message = f"its document type declares more than {_MOST_ATTRIBUTES} attributes"
            raise MalformedDocument(message)

    # A default of megabytes would be copied for each element.
    parser.specified_attributes = True
    parser.StartDoctypeDeclHandler = refuse_external
    parser.EntityDeclHandler = refuse_entities
    parser.AttlistDeclHandler = bound_defaults


def _diagnosis(file: IO[bytes], error: _NotWellFormed, *, size: int) -> str:
    """Say why a file is not well-formed, in words that point at the cause."""
    if error.code in _CUT_OFF:
        return f"it is cut off after {size} bytes"
    file.seek(error.offset)
    around = file.read(64)
    if b"\x00" in around[:4]:
        return f"it holds a NUL byte at offset {error.offset}"
    if "encoding" in str(error):
        return str(error)
    try:
        around.decode()
    except UnicodeDecodeError as undecodable:
        # A character cut by the window's end is no fault of the file.
        if undecodable.start < len(around) - 3:
            place = error.offset + undecodable.start
            return f"it holds bytes that are not UTF-8 at offset {place}"
    return f"it is not well-formed XML ({error})"
