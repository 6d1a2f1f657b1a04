"""A test case and its outcome, as every part of the project sees them.

Results arrive as JUnit XML from any test tool, or as pytest's events when the pod died before it
wrote JUnit. A history is only one when both name a test alike, so a case's name is
`classname::name` as JUnit has it, and a pytest node id is turned into that form:
`tests/unit/test_x.py::TestA::test_b[1]` is `tests.unit.test_x.TestA::test_b[1]`.

Test output is not trusted: a `CaseResult` is legible (no control characters, no lone surrogates, so
it fits into XML, JSON and Postgres) and bounded, whatever it was made from.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

NAME_BYTES = 1024
"""Longest name. With tier and suite it must fit into a Postgres index row (2,704 bytes)."""
MESSAGE_BYTES = 4 * 1024
TEXT_BYTES = 64 * 1024
NAMES_BYTES = 48 * 1024 * 1024
"""Most memory of all names and files of a run together: 100,000 of 250 characters fit."""

ATTACHMENT = re.compile(r"\[\[ATTACHMENT\|([^\]\n]{1,1024})\]\]")
"""A file that a test left, as Jenkins and others read it from what the test printed."""

_LARGEST_LINE_NUMBER = 2**31 - 1
_LONGEST_SECONDS = 1e9

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets). Carriage returns are
# legal, but every XML reader turns them into line feeds. Then what a terminal obeys: the controls
# above ASCII (U+009B begins an escape sequence alone), and marks that turn the order of characters,
# so that a name reads as another.
# Source: https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings
_ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

# What has a look of its own: all control characters of ASCII, but the tab and the line feed.
_ILLEGIBLE_ASCII = bytes(code for code in (*range(0x20), 0x7F) if code not in {0x09, 0x0A})


SUITE_CASE = "(suite)"
"""Name of the case that stands for what befell a JUnit suite itself."""
# With what tells it from others of that name (`junit.identity`).
_OF_SUITE = re.compile(r"(?:^|::)\(suite\)(?: \[.*\])?(?: #\d+)?$")


class CaseOutcome(StrEnum):
    """How a case ended; the four outcomes that JUnit can say.

    A test that failed as expected (xfail) is SKIPPED and one that passed against expectation
    (xpass, not strict) is PASSED, both with the reason in the message: pytest writes them to JUnit
    so, and counts must be the same whichever file they come from.
    """

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_failing(self) -> bool:
        """Whether a case with this outcome makes a run red."""
        return self in {CaseOutcome.FAILED, CaseOutcome.ERROR}


_WORST_FIRST = (CaseOutcome.FAILED, CaseOutcome.ERROR, CaseOutcome.PASSED, CaseOutcome.SKIPPED)


def legible(text: str) -> str:
    """Return the text without what XML, JSON or Postgres refuse, or a terminal obeys.

    Colours of a terminal go, line ends become line feeds, other control characters are spelled out
    as in a Python string.
    """
    if text.isascii() and len(text.encode().translate(None, _ILLEGIBLE_ASCII)) == len(text):
        return text
    if "\x1b" in text:
        text = _TERMINAL_COLOURS.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ILLEGIBLE.sub(_spelled_out, text)


def _spelled_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else "\ufffd"  # noqa: PLR2004 - one byte


def cut(text: str, limit_bytes: int) -> str:
    """Shorten a text to at most so many bytes of UTF-8.

    The beginning and the end stay, because a traceback says most in its last lines.

    Args:
        text: Legible text.
        limit_bytes: At least 128 for the notice in the middle to fit; below, the end just goes.
    """
    if len(text) * 4 <= limit_bytes:
        return text
    data = text.encode()
    if len(data) <= limit_bytes:
        return text
    notice = f"\n[... {len(data) - limit_bytes} bytes and more cut ...]\n".encode()
    room = limit_bytes - len(notice)
    if room < len(notice):
        return data[:limit_bytes].decode(errors="ignore")
    tail = room // 3
    kept = data[: room - tail], data[-tail:]
    head_text, tail_text = (part.decode(errors="ignore") for part in kept)
    return f"{head_text}{notice.decode()}{tail_text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One test case of one run.

    Attributes:
        name: `classname::name`, stable over runs (see the module). At most 1 KiB: a longer one is
            cut and ends in a digest of the whole.
        outcome: How it ended.
        seconds: Set-up, call and clean-up together.
        message: One line or a few on why it failed or was skipped; at most 4 KiB.
        text: Traceback and captured output, at most 64 KiB, cut in the middle with a notice.
        file: Source file, as the test tool wrote it. None when it did not.
        line: Line in that file, from 1. None when unknown.
        reruns: How often the test tool itself ran the test again before this outcome. What its
            failed tries said is in message and text, also where it passed in the end (flaky).
        is_collection: Whether this is no test but a module that could not be collected (ERROR) or
            was skipped as a whole. Such cases are not among the tests that were collected.
        passed_later: Whether it failed in one attempt of its run and passed in a later one: failed,
            and flaky.
        is_expected_failure: Whether a skipped one ran and failed as it was expected to (xfail).
    """

    name: str
    outcome: CaseOutcome
    seconds: float
    message: str = ""
    text: str = ""
    file: str | None = None
    line: int | None = None
    reruns: int = 0
    is_collection: bool = False
    passed_later: bool = False
    is_expected_failure: bool = False

    def __post_init__(self) -> None:
        """Make the strings legible and bounded, and the numbers storable."""
        set_field = object.__setattr__
        set_field(self, "name", bounded_name(self.name))
        if self.message:
            set_field(self, "message", cut(legible(self.message).strip(), MESSAGE_BYTES))
        if self.text:
            text = legible(self.text).strip("\n")
            # Blank text is none: no reader of XML keeps it.
            set_field(self, "text", cut(text, TEXT_BYTES) if text.strip() else "")
        set_field(self, "file", bounded_name(self.file) if self.file else None)
        if self.line is not None and not 0 < self.line <= _LARGEST_LINE_NUMBER:
            set_field(self, "line", None)
        if not (math.isfinite(self.seconds) and 0 <= self.seconds <= _LONGEST_SECONDS):
            set_field(self, "seconds", 0.0)

    @property
    def has_run(self) -> bool:
        """Whether it ran: passed, or failed, as it was expected to as well."""
        return self.outcome is not CaseOutcome.SKIPPED or self.is_expected_failure

    @property
    def is_test(self) -> bool:
        """Whether it is a test: no module that could not be collected, and no suite as a whole."""
        return not self.is_collection and _OF_SUITE.search(self.name) is None

    @property
    def attachments(self) -> tuple[str, ...]:
        """Paths of the files that it left (screenshots, traces), as its tool names them."""
        return tuple(dict.fromkeys(ATTACHMENT.findall(self.text)))

    def merged_with(self, later: CaseResult) -> CaseResult:
        """Return one case for two reports of the same test.

        The worse outcome wins, so that nothing turns a failure green; times add up; the texts are
        kept behind each other.
        """
        worse, other = sorted((self, later), key=lambda case: _WORST_FIRST.index(case.outcome))
        return replace(
            worse,
            seconds=self.seconds + later.seconds,
            text="\n\n".join(part for part in (worse.text, other.text) if part),
            file=worse.file or other.file,
            line=worse.line or other.line,
            reruns=max(self.reruns, later.reruns),
        )


def bounded_name(name: str) -> str:
    """Return a name as a case has it: legible, on one line, at most NAME_BYTES long."""
    name = legible(name).strip().replace("\n", " ") or "(unnamed)"
    if len(name) * 4 <= NAME_BYTES:
        return name
    data = name.encode()
    if len(data) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{data[: NAME_BYTES - 17].decode(errors='ignore')}~{digest}"


def case_name(*, classname: str, name: str) -> str:
    """Join JUnit's two names; alone where there is no class name or it says the same."""
    if not classname or classname == name:
        return name
    return f"{classname}::{name}"


def case_name_of_node(node_id: str) -> str:
    """Return the name that pytest's own JUnit file has for a node id.

    Source: `mangle_test_address` in https://github.com/pytest-dev/pytest/blob/main/src/_pytest/junitxml.py
    """
    path, bracket, parameters = node_id.partition("[")
    parts = path.split("::")
    parts[0] = parts[0].replace("/", ".").removesuffix(".py")
    parts[-1] += bracket + parameters
    return case_name(classname=".".join(parts[:-1]), name=parts[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many cases ended how.

    Attributes:
        tests: All cases, modules that could not be collected included.
        passed: Cases that passed.
        failed: Cases that a test's own assertion failed.
        errors: Cases that broke outside of the test: set-up, clean-up, collection.
        skipped: Cases that did not run, or failed as expected.
        seconds: Sum of the cases' seconds; with parallel tests more than the wall clock.
    """

    tests: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, cases: Iterable[CaseResult]) -> Tally:
        """Count the cases."""
        counts = dict.fromkeys(CaseOutcome, 0)
        seconds = 0.0
        for case in cases:
            counts[case.outcome] += 1
            seconds += case.seconds
        return cls(
            tests=sum(counts.values()),
            passed=counts[CaseOutcome.PASSED],
            failed=counts[CaseOutcome.FAILED],
            errors=counts[CaseOutcome.ERROR],
            skipped=counts[CaseOutcome.SKIPPED],
            seconds=seconds,
        )

    @property
    def failing(self) -> int:
        """Cases that make the run red."""
        return self.failed + self.errors


def memory_bytes(*texts: str) -> int:
    """Return what texts take in memory: one, two or four bytes a character, by their widest one."""
    return sum(sys.getsizeof(text) for text in texts) - len(texts) * sys.getsizeof("")


class Merging:
    """Merges reports of the same test, thousands of them too.

    A file that says the same test ten thousand times would make ever the same text anew.
    """

    _MOST_TEXTS = 1_000

    def __init__(self) -> None:
        """Start with no report merged."""
        self._merged = 0

    def of(self, earlier: CaseResult, later: CaseResult) -> CaseResult:
        """Return one case for two reports; see `CaseResult.merged_with`."""
        self._merged += 1
        if self._merged > self._MOST_TEXTS:
            later = replace(later, text="")
        return earlier.merged_with(later)


class TextBudget:
    """Bounds what the texts of all cases together take in memory.

    Fifty thousand failures of 64 KiB each would be 3 GiB. Once the budget is used up a case keeps
    the beginning of its message alone. What counts is memory: one emoji makes each character of its
    text take four bytes.
    """

    _NOTICE = "[text left out: the failures of this run are too long together]"
    _MESSAGE_BYTES = 256

    def __init__(self, limit_bytes: int = 24 * 1024 * 1024) -> None:
        """Start with the whole budget."""
        self._left_bytes = limit_bytes

    @property
    def is_used_up(self) -> bool:
        """Whether texts were left out."""
        return self._left_bytes < 0

    def keep(self, case: CaseResult) -> CaseResult:
        """Return the case as it may be kept."""
        self._left_bytes -= memory_bytes(case.message, case.text)
        if self._left_bytes >= 0 or not (case.message or case.text):
            return case
        # Saturated: a later short text must not be kept while a longer one before it was not.
        self._left_bytes = -1
        text = self._NOTICE if case.text else ""
        return replace(case, message=cut(case.message, self._MESSAGE_BYTES), text=text)
