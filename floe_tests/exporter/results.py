"""What is a result: the one list, which the receiving side and the collation import too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

from .settings import KIB

ROOT_BYTES = 256 * KIB
"""Where the root element of an XML file must begin: behind printed lines, comments, a DOCTYPE."""

EVENTS_FILE = "events.jsonl"

COLLECTION_FILE = "collection.json"

SHARD_FILE = "shard.json"

SOAK_FILE = "soak.jsonl"

BENCHMARK_FILE = "benchmark.json"

RESULT_FILES = (EVENTS_FILE, COLLECTION_FILE, SHARD_FILE, SOAK_FILE, BENCHMARK_FILE)
"""Result files that have one name, at the top of the directory."""

SESSIONS_FILE = ".collection.jsonl"
"""Where floe-tests-pytest keeps what `collection.json` is counted from; nobody else reads it."""

JUNIT_ROOTS = ("testsuite", "testsuites")

JUNIT_NAMES = ("junit.xml", "test-results.xml", "results.xml", "report.xml", "xunit.xml")
"""Looked for by name when a directory is too large to be listed."""

ALWAYS_JUNIT = re.compile(r"(?i:.*junit.*\.xml)|TESTS?-.*\.xml")

LIKE_JUNIT = re.compile(
    r"(?i)(?:.*[^a-z])?"
    r"(?:junit|xunit|pytest|gtest|ctest|rspec|nosetests|tests?|specs?|results?|reports?|suites?"
    r"|testsuites?|testresults?|testreports?)"
    r"(?:[^a-z].*)?\.xml"
)

ROOT_TAG = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)[\s/>]")

JUNIT_TAG = re.compile(rb"(?i)<(?:[\w.-]{1,100}:)?(testsuites?)[\s/>]")

PROLOG_ENDS = {
    "<?": re.compile(rb"\?>\s*"),
    "<!--": re.compile(rb"-->\s*"),
    "<!": re.compile(rb">\s*"),
    "<![": re.compile(rb"\]\s*>\s*"),
}


def is_xml(path: str) -> bool:
    """Whether a file may be JUnit: any XML file that is not hidden."""
    name = path.rsplit("/", 1)[-1]
    return name[-4:].lower() == ".xml" and not name.startswith(".")


def is_named_like_result(path: str) -> bool:
    """Whether a path below the directory is that of a result, whatever the file holds."""
    if path in RESULT_FILES:
        return True
    name = path.rsplit("/", 1)[-1]
    return is_xml(path) and bool(ALWAYS_JUNIT.fullmatch(name) or LIKE_JUNIT.fullmatch(name))


def is_result(path: str, head: bytes) -> bool:
    """Whether a file is a result: by its name, and of XML files by their root element.

    A name that every tool uses for JUnit alone decides. Else the root does, where it can be seen;
    where it cannot, a name like `results.xml` is enough.

    Args:
        path: Its path below the directory.
        head: Its first `ROOT_BYTES`.
    """
    if path in RESULT_FILES:
        return True
    if not is_xml(path):
        return False
    root = "" if ALWAYS_JUNIT.fullmatch(path.rsplit("/", 1)[-1]) else xml_root(head)
    return root in JUNIT_ROOTS if root else is_named_like_result(path)


def xml_root(head: bytes) -> str:
    """Name the root element of an XML document, without its namespace; empty when unknown.

    Where it cannot be told, because a line that a tool printed stands first or the beginning holds
    nothing else than comments, a tag of JUnit's that stands anywhere in it is taken for the root.

    Args:
        head: The document's beginning. Other encodings than UTF-8 are not looked into, but for
            the zeros of UTF-16 and UTF-32.
    """
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n")
    found = ROOT_TAG.match(text, _prolog_end(text)) or JUNIT_TAG.search(text)
    return found.group(1).decode("ascii").lower() if found else ""


def _prolog_end(text: bytes) -> int:
    """Return where declaration, comments and document type end; the text's end if they do not."""
    place = 0
    while text.startswith((b"<?", b"<!"), place):
        if text.startswith(b"<?", place):
            ending = PROLOG_ENDS["<?"]
        elif text.startswith(b"<!--", place):
            ending = PROLOG_ENDS["<!--"]
        else:
            # A document type may hold declarations, which have tags' ends of their own.
            close = text.find(b">", place)
            ending = PROLOG_ENDS["<![" if text.find(b"[", place, close) >= 0 else "<!"]
        end = ending.search(text, place)
        if end is None:
            return len(text)
        place = end.end()
    return place
