"""Send the files of a results directory out of a pod as numbered frames on standard output.

Results must outlive the pod that made them, without a volume, an object store or an open port.
This program shares the results directory with the test container, follows the files there and
writes what is new to its own log, where the Kubernetes API serves it. A test container that is
killed takes nothing along that was written before.

It is one file of standard library (Python 3.9 or newer): its image then needs nothing else, and
a pod with 64Mi and a tenth of a CPU runs it. The protocol is described in docs/result-stream.md.

    exporter.py                 follow the directory until SIGTERM, then send the manifest
    exporter.py resend 17 40    print frames 17 to 40 again (needs the running exporter's state)
    exporter.py done            tell a lingering exporter that everything has arrived
    exporter.py finish          have it send the manifest while other containers run on

Every setting is an option (`--file-bytes 1000`) or a variable (`FLOE_STREAM_FILE_BYTES=1000`).
"""

# pathlib and argparse would double the start-up time, which counts at a tenth of a CPU.
# ruff: noqa: PTH103, PTH108, PTH110, PTH118, PTH123
# Signals are blocked before the rest is imported.
# ruff: noqa: E402

from __future__ import annotations

import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

if __name__ == "__main__":
    # Process 1 of a container loses a signal that comes before its handler is set; a blocked
    # signal waits. The imports below take most of the start-up time.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

import base64
import contextlib
import errno
import hashlib
import hmac
import json
import os
import re
import select
import stat
import struct
import sys
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from io import FileIO
    from types import FrameType

PROTOCOL_VERSION = 1
KIB = 1024
MIB = 1024 * KIB

FRAME_BYTES = 12 * KIB
"""The longest line: container runtimes split log lines at 16 KiB."""

CHUNK_BYTES = 64 * KIB
"""The most file content in one frame, before compression. Bounds the receiver's memory too."""

COMPRESSION_LEVEL = 1
"""Test output shrinks tenfold at level 1 already; higher levels cost several times the CPU."""

PASS_BYTES = 1 * MIB
"""What one pass sends of all attachments together, so that results are looked at in between."""

EDGE_BYTES = 256
"""How much of both ends of the sent content is compared to see that a file was rewritten."""

LIVE_GENERATIONS = 8
"""An attachment that is replaced more often than this is sent at the end only."""

RESULT_GENERATIONS = 100
VOID_BYTES = 32 * MIB
"""A result file is sent anew each time it is replaced, because each version is an account of tests:
so often, and while what was sent in vain is less than this. Then it waits for the end as well."""

DEPTH = 100
"""Levels of directories. Each costs two descriptors while it is looked at."""

ENTRIES = 1_000_000
"""Names that one look takes in. A million take seconds at half a CPU."""

ROOT_BYTES = 256 * KIB
"""Where the root element of an XML file must begin: behind printed lines, comments, a DOCTYPE."""

NAME_BYTES = 200
"""Longest name of a file or a folder as it is sent; file systems allow 255."""

LINKS = 40
COLLECTION_BYTES = 64 * KIB
NOTICES = 1000
REFUSALS = 200
DIGEST_BYTES = 4096
ROTATION_BYTES = 8 * MIB
"""Below the 10 MiB at which a kubelet rotates a log: up to here nothing can have been rotated."""

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

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NO_DIRECTORY = -1
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Settings(NamedTuple):
    """What the exporter is told.

    Attributes:
        results: Directory to follow. Variable `FLOE_RESULTS_DIR`.
        run_id: Copied into the hello frame and the manifest. Variable `FLOE_RUN_ID`.
        key: Secret of the frames' checksums; empty makes them plain checksums.
        state: Private directory for the list of sent frames; empty switches `resend` off.
        digest: Existing file that gets the last word, at most 4096 bytes.
        file_bytes: Most bytes sent of one file.
        total_bytes: Most bytes sent of all files.
        reserved_bytes: Part of the total that attachments leave to result files.
        files: Most attachments.
        result_files: Most result files, XML files that turn out to be none included.
        path_bytes: Longest path as it is sent, in bytes of UTF-8; a longer one is shortened.
        bytes_per_second: Most bytes written to standard output in a second, on average.
        poll_seconds: Pause between two looks at the directory.
        heartbeat_seconds: Silence after which a heartbeat is sent.
        deadline_seconds: Time from SIGTERM to the manifest.
        linger_seconds: How long to stay for `resend` after a manifest whose log may have rotated.
    """

    results: str = "/results"
    run_id: str = ""
    key: str = ""
    state: str = ""
    digest: str = "/dev/termination-log"
    file_bytes: int = 64 * MIB
    total_bytes: int = 256 * MIB
    reserved_bytes: int = 48 * MIB
    files: int = 1000
    result_files: int = 20_480
    path_bytes: int = 512
    bytes_per_second: int = 4 * MIB
    poll_seconds: float = 0.15
    heartbeat_seconds: float = 10.0
    deadline_seconds: float = 25.0
    linger_seconds: float = 0.0


VARIABLES = {"results": "FLOE_RESULTS_DIR", "run_id": "FLOE_RUN_ID"}


def read_settings(options: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Merge options, variables and defaults, in this order.

    Raises:
        ValueError: An option is unknown or no number where a number is needed.
    """
    defaults: dict[str, str | int | float] = dict(Settings()._asdict())
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        known = ", ".join("--" + name.replace("_", "-") for name in defaults)
        text = f"unknown option {', '.join(unknown)}; there are {known}"
        raise ValueError(text)
    chosen: dict[str, str | int | float] = {}
    for name, default in defaults.items():
        variable = VARIABLES.get(name, "FLOE_STREAM_" + name.upper())
        given = options.get(name, environment.get(variable, ""))
        if not given:
            continue
        try:
            chosen[name] = type(default)(given)
        except ValueError:
            text = f"{name} (--{name.replace('_', '-')} or {variable}) is {given!r}, not a number"
            raise ValueError(text) from None
        if not isinstance(default, str) and float(chosen[name]) < 0:
            text = f"{name} (--{name.replace('_', '-')} or {variable}) is negative"
            raise ValueError(text)
    return Settings()._replace(**chosen)


# --- What is a result ---------------------------------------------------------------------------
#
# The one list: the receiving side and the collation import it from here.


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


# --- Frames -------------------------------------------------------------------------------------


def frame_line(key: bytes, fields: Mapping[str, object]) -> bytes:
    """Write one frame as a line; its checksum covers every byte before `,"checksum"`."""
    head = compact(fields)[:-1]
    checksum = hmac.new(key, head, "sha256").hexdigest()[:32]
    return head + b',"checksum":"' + checksum.encode("ascii") + b'"}\n'


def pack(content: bytes, *, budget: int, guess: int) -> tuple[str, int]:
    """Compress as much of the content as fits.

    Args:
        content: What is to be sent next.
        budget: Most bytes of the packed form, in base64.
        guess: How many bytes of content are likely to fit; saves compressing twice.

    Returns:
        The packed form, and how many bytes of the content are in it.
    """
    room = budget // 4 * 3
    taken = min(len(content), max(guess, room - 64))
    while True:
        packed = zlib.compress(content[:taken], COMPRESSION_LEVEL)
        if len(packed) <= room:
            return base64.b64encode(packed).decode("ascii"), taken
        # Incompressible content grows by less than 64 bytes, so this ends.
        taken = max(room - 64, min(taken - 1, int(taken * room / len(packed) * 0.95)))


class Pace:
    """Holds the average rate of a stream, with a burst of a quarter of a second."""

    def __init__(self, bytes_per_second: int) -> None:
        """Begin with the whole burst to spend."""
        self._rate = max(bytes_per_second, 1)
        self._burst = self._rate / 4
        self._credit = self._burst
        self._seen = time.monotonic()

    def spend(self, size: int) -> None:
        """Account for some bytes, and pause while they are ahead of the rate."""
        now = time.monotonic()
        self._credit = min(self._burst, self._credit + (now - self._seen) * self._rate) - size
        self._seen = now
        if self._credit < 0:
            time.sleep(-self._credit / self._rate)


class Place(NamedTuple):
    """Where content belongs, and where it was read.

    Attributes:
        path: The path that is sent.
        source: The path below the directory.
        generation: How often the file was replaced before.
        offset: Where the content begins in it.
    """

    path: str
    source: str
    generation: int
    offset: int

    def fields(self) -> dict[str, object]:
        """Return what a frame says of it."""
        return {"path": self.path, "generation": self.generation, "offset": self.offset}


class Journal:
    """Remembers on disk which frame holds what, so that a frame can be built again.

    A data frame costs 24 bytes: where its content stands in which file. The other frames are
    few and are kept as they are. Without a writable directory the journal is off.
    """

    RECORD = struct.Struct("<IIQII")
    WHOLE = 0xFFFFFFFF

    def __init__(self, state: str, session: str) -> None:
        """Begin a new journal in a directory; an empty name means none."""
        self.on = False
        self._paths: dict[str, int] = {}
        self._control_bytes = 0
        if not state:
            return
        with contextlib.suppress(OSError):
            os.makedirs(state, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(state, "done"))
            with open(os.path.join(state, "session"), "w", encoding="ascii") as file:
                file.write(session)
            self._index = self._open(state, "index")
            self._control = self._open(state, "control")
            self._names = self._open(state, "paths")
            self.on = True

    @staticmethod
    def _open(state: str, name: str) -> FileIO:
        # Open as long as the process lives, and unbuffered: a `resend` reads it at any time.
        return open(os.path.join(state, name), "wb", buffering=0)

    def data(self, place: Place, content: bytes) -> None:
        """Remember a data frame."""
        if not self.on:
            return
        same = place.path == place.source
        known = place.path if same else f"{place.path}\0{place.source}"
        if known not in self._paths:
            self._paths[known] = len(self._paths)
            names = json.dumps((place.path, place.source))
            self._write(self._names, names.encode("ascii") + b"\n")
        number, size = self._paths[known], len(content)
        self._record(number, place.generation, place.offset, size, zlib.crc32(content))

    def control(self, line: bytes) -> None:
        """Remember any other frame."""
        if not self.on:
            return
        self._write(self._control, line)
        self._record(self.WHOLE, 0, self._control_bytes, len(line), 0)
        self._control_bytes += len(line)

    def _record(self, path: int, generation: int, offset: int, size: int, crc: int) -> None:
        self._write(self._index, self.RECORD.pack(path, generation, offset, size, crc))

    def _write(self, file: FileIO, content: bytes) -> None:
        try:
            if file.write(content) != len(content):
                self.on = False
        except OSError:
            self.on = False


class FrameWriter:
    """Numbers frames and writes each one at once, none faster than the pace."""

    def __init__(self, settings: Settings, *, session: str, write: Callable[[bytes], None]) -> None:
        """Begin a session with frame 0.

        Args:
            settings: For the key, the pace and the journal.
            session: Tells this stream from that of an earlier start.
            write: Takes each line, whole.
        """
        self.number = 0
        self.written_bytes = 0
        self.session = session
        self.last_monotonic = time.monotonic()
        self.journal = Journal(settings.state, session)
        self._key = settings.key.encode()
        self._pace = Pace(settings.bytes_per_second)
        self._write = write

    def control(self, kind: str, **fields: object) -> None:
        """Send a frame that is no file content."""
        line = frame_line(self._key, {**header(self.session, self.number, kind), **fields})
        self.journal.control(line)
        self._send(line)

    def data(self, place: Place, content: bytes, *, guess: int) -> int:
        """Send the beginning of some content and return how many bytes of it went."""
        head = header(self.session, self.number, "data")
        line, taken = data_line(self._key, head, place.fields(), content=content, guess=guess)
        self.journal.data(place, content[:taken])
        self._send(line)
        return taken

    def document(self, kind: str, content: bytes | bytearray) -> None:
        """Send a document in as many frames as it needs."""
        sha256 = hashlib.sha256(content).hexdigest()
        offset = 0
        while offset < len(content):
            line, taken = data_line(
                self._key,
                header(self.session, self.number, kind),
                {"offset": offset, "total": len(content), "sha256": sha256},
                content=bytes(content[offset : offset + CHUNK_BYTES]),
                guess=CHUNK_BYTES,
            )
            self.journal.control(line)
            self._send(line)
            offset += taken

    def _send(self, line: bytes) -> None:
        self._pace.spend(len(line))
        self._write(line)
        self.number += 1
        self.written_bytes += len(line)
        self.last_monotonic = time.monotonic()


def header(session: str, number: int, kind: str) -> dict[str, object]:
    """Begin a frame's fields."""
    return {"floe": PROTOCOL_VERSION, "session": session, "number": number, "type": kind}


def data_line(
    key: bytes,
    head: Mapping[str, object],
    place: Mapping[str, object],
    *,
    content: bytes,
    guess: int,
) -> tuple[bytes, int]:
    """Write a frame with as much of the content as fits, and say how much that is."""
    fields = {**head, **place, "size": len(content), "body": ""}
    body, taken = pack(content, budget=FRAME_BYTES - len(frame_line(key, fields)), guess=guess)
    fields.update(size=taken, body=body)
    return frame_line(key, fields), taken


def write_standard_output(line: bytes) -> None:
    """Write a line with no buffer that a kill could lose."""
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]


# --- The directory ------------------------------------------------------------------------------


class Found(NamedTuple):
    """A regular file below the directory, or something that is refused, with the reason.

    Attributes:
        path: Its path below the directory.
        source: The path of the file to read: of a link, what it points at.
        refusal: Why it is not sent, in a word; empty when it is.
        detail: The same in a sentence.
        size: Its size.
        stamp: What changes with its content.
    """

    path: str
    source: str = ""
    refusal: str = ""
    detail: str = ""
    size: int = 0
    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)


def stamp_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Tell what changes when a file is replaced or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def open_beneath(root: int, path: str) -> int:
    """Open a file below a directory, following no link in any component.

    Raises:
        OSError: It is not there, is not readable, or a component is a link.
    """
    with parent_of(root, path) as (parent, name):
        return os.open(name, FILE_FLAGS, dir_fd=parent)


def read_beneath(root: int, path: str, *, offset: int, size: int) -> bytes:
    """Read a part of a regular file below a directory; empty when there is none."""
    try:
        descriptor = open_beneath(root, path)
    except OSError:
        return b""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.pread(descriptor, size, offset) if regular else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def parent_of(root: int, path: str) -> Generator[tuple[int, str], None, None]:
    """Open the directory that holds a path, following no link, and name the path in it.

    Raises:
        OSError: It is not there, is not readable, or is a link.
    """
    *folders, name = path.split("/")
    with contextlib.ExitStack() as opened:
        parent = root
        for folder in folders:
            parent = os.open(folder, DIRECTORY_FLAGS, dir_fd=parent)
            opened.callback(os.close, parent)
        yield parent, name


def look(root: int, path: str) -> Found | None:
    """Look at one regular file below a directory; None when there is none."""
    try:
        with parent_of(root, path) as (parent, name):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None
    return regular(path, path, status) if stat.S_ISREG(status.st_mode) else None


def regular(path: str, source: str, status: os.stat_result) -> Found:
    """Describe a regular file."""
    return Found(path, source, size=status.st_size, stamp=stamp_of(status))


def target_of(root: int, path: str, *, results: str) -> str:
    """Follow links as far as they stay below a directory.

    Args:
        root: The directory.
        path: A path below it.
        results: The directory's own path: links of the tests may be absolute.

    Returns:
        A path below it without links.

    Raises:
        OSError: A link leads out of the directory, nowhere, or in circles; the text says which.
    """
    tops = {os.path.normpath(results), os.path.realpath(results)}
    done: list[str] = []
    rest = path.split("/")
    links = 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise OSError(errno.EXDEV, "a symbolic link leads out of the results")
            done.pop()
            continue
        target = link_target(root, "/".join([*done, part]))
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, "a symbolic link leads in circles")
        if target.startswith("/"):
            absolute = os.path.normpath(target)
            below = [top for top in tops if f"{absolute}/".startswith(f"{top}/")]
            if not below:
                raise OSError(errno.EXDEV, "a symbolic link leads out of the results")
            done, target = [], absolute[len(below[0]) :]
        rest[:0] = target.split("/")
    return "/".join(done)


def link_target(root: int, path: str) -> str | None:
    """Read a link below a directory; None for what is none.

    Raises:
        OSError: There is nothing.
    """
    try:
        with parent_of(root, path) as (parent, name):
            return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise OSError(error.errno, "a symbolic link leads nowhere") from error


class Listing:
    """One look at what is below a directory, without leaving it."""

    def __init__(self, root: int, *, results: str, wants: Callable[[str], bool]) -> None:
        """Prepare to look.

        Args:
            root: The directory.
            results: Its path.
            wants: Whether there is room for an attachment of this path.
        """
        self.is_whole = True
        self._root = root
        self._results = results
        self._wants = wants
        self._entries = 0

    def walk(self) -> Iterator[Found]:
        """List files, and what is none."""
        return self._walk(self._root, "", 0)

    def _walk(self, directory: int, prefix: str, depth: int) -> Iterator[Found]:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > ENTRIES:
                        self.is_whole = False
                        return
                    yield from self._entry(directory, entry, prefix + entry.name, depth)
        except FileNotFoundError:
            return  # It went between the listing and the look.
        except OSError as error:
            yield Found(prefix[:-1], "", "folder", os.strerror(error.errno or 0))

    def _entry(
        self, directory: int, entry: os.DirEntry[str], path: str, depth: int
    ) -> Iterator[Found]:
        """Look at one entry. Most names say enough: a million files are not asked for more."""
        if path == SESSIONS_FILE:
            return
        try:
            if entry.is_dir(follow_symlinks=False):
                if is_named_like_result(path):
                    yield Found(path, "", "directory", "a folder has the name of a result file")
                yield from self._descend(directory, entry.name, path, depth)
            elif not is_candidate(path) and not self._wants(path):
                yield Found(path, "", "too_many_files")
            elif entry.is_symlink():
                yield from self._link(path)
            else:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield regular(path, path, status)
                else:
                    yield Found(path, "", *kind_refusal(status.st_mode))
        except FileNotFoundError:
            return  # It went between the listing and the look.
        except OSError as error:
            yield Found(path, "", "unreadable", os.strerror(error.errno or 0))

    def _descend(self, parent: int, name: str, path: str, depth: int) -> Iterator[Found]:
        if depth + 1 >= DEPTH:
            yield Found(path, "", "folder", f"directories below {DEPTH} levels are left out")
            return
        try:
            directory = os.open(name, DIRECTORY_FLAGS, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            yield Found(path, "", "folder", os.strerror(error.errno or 0))
            return
        try:
            yield from self._walk(directory, path + "/", depth + 1)
        finally:
            os.close(directory)

    def _link(self, path: str) -> Iterator[Found]:
        """Follow a link that may be a result to a file that is below the directory as well."""
        try:
            target = target_of(self._root, path, results=self._results)
        except OSError as error:
            yield Found(path, "", *dead_link_refusal(path, error.strerror or ""))
            return
        if not is_candidate(path):
            yield Found(path, "", "symlink", "a symbolic link is not followed")
            return
        found = look(self._root, target)
        if found is None:
            yield Found(path, "", "symlink", "a symbolic link leads to what is no regular file")
        elif not is_named_like_result(target) and (
            is_named_like_result(path) or not is_candidate(target)
        ):
            # A target that has a result's name itself is sent by that name.
            yield found._replace(path=path)


def dead_link_refusal(path: str, detail: str) -> tuple[str, str]:
    """Say what a link is that leads to nothing in the directory, and how it is told.

    What it leads to may be in the tests' container: `reports` may be a folder of results.
    """
    if is_candidate(path):
        return "symlink", detail
    name = path.rsplit("/", 1)[-1]
    if "." not in name and is_named_like_result(f"{name}.xml"):
        return "folder", detail
    return "symlink", "a symbolic link is not followed"


def is_candidate(path: str) -> bool:
    """Whether a file is looked at even where attachments have no more room."""
    return is_xml(path) or path in RESULT_FILES


def legible_path(path: str, *, path_bytes: int) -> str:
    """Return a path as it is sent: UTF-8, without control characters, and short enough to store.

    Args:
        path: The path below the directory.
        path_bytes: Longest path.
    """
    parts = [_legible_name(part) for part in path.split("/")]
    whole = "/".join(parts)
    if len(whole.encode("utf-8")) <= path_bytes:
        return whole
    return f"~{_short_digest(path)}/{parts[-1]}"


def _legible_name(name: str) -> str:
    raw = os.fsencode(name)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = b"".join(b"%%%02X" % byte if byte > 126 else bytes([byte]) for byte in raw)  # noqa: PLR2004 - not ASCII
    raw = re.sub(rb"[\x00-\x1f\x7f]", lambda match: b"%%%02X" % match.group()[0], raw)
    if len(raw) > NAME_BYTES:
        stem, dot, suffix = raw.rpartition(b".")
        ending = dot + suffix if len(suffix) < 20 and stem else b""  # noqa: PLR2004 - a suffix, not a sentence
        digest = f"~{_short_digest(name)}".encode("ascii")
        raw = raw[: NAME_BYTES - len(digest) - len(ending)] + digest + ending
    return raw.decode("utf-8", "ignore")


def _short_digest(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def kind_refusal(mode: int) -> tuple[str, str]:
    """Name what is neither a file nor a directory."""
    if stat.S_ISLNK(mode):
        return "symlink", "a symbolic link is not followed"
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    kind = next((text for test, text in kinds if test(mode)), "a device")
    return "not_regular", f"{kind} is not a regular file"


class FollowedFile:
    """A file that is sent as it grows."""

    # Twenty thousand of them fit into the sidecar's 64Mi.
    __slots__ = (
        "edges",
        "generation",
        "guess",
        "head",
        "identity",
        "is_announced",
        "is_candidate",
        "is_cut",
        "is_deleted",
        "is_hidden",
        "is_result",
        "is_verified",
        "offset",
        "path",
        "rank",
        "refusal",
        "seen_stamp",
        "served_turn",
        "sha256",
        "size",
        "source",
        "stamp",
        "tail",
    )

    def __init__(self, path: str, found: Found) -> None:
        """Begin with nothing sent.

        Args:
            path: Its path as it is sent.
            found: The first look at it.
        """
        self.path = path
        self.source = found.source
        self.is_candidate = is_candidate(found.path)
        # Programs that write a file in one step use a hidden one beside it until it is whole.
        self.is_hidden = any(part.startswith(".") for part in path.split("/"))
        self.generation = 0
        self.size = found.size
        self.stamp = found.stamp
        self.seen_stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.identity = 0
        self.is_deleted = False
        self.served_turn = 0
        self.guess = CHUNK_BYTES
        self.refusal: tuple[str, str] = ("", "")
        self.judge(found.path, b"")
        self.begin()

    def judge(self, path: str, head: bytes) -> None:
        """Decide whether it is a result.

        Args:
            path: Its path below the directory.
            head: The beginning of its content.
        """
        self.is_result = is_result(path, head)
        if not self.is_result:
            self.rank = 3
        elif path == EVENTS_FILE:
            self.rank = 1
        else:
            self.rank = 2 if path in RESULT_FILES else 0

    def begin(self) -> None:
        """Forget what was sent: it is no longer what the file holds."""
        self.is_announced = False
        self.is_cut = False
        self.is_verified = False
        self.offset = 0
        self.edges = b""
        self.head = b""
        self.tail = b""
        self.sha256 = hashlib.sha256()

    def advance(self, content: bytes) -> None:
        """Note that some content was sent."""
        self.head = (self.head + content[:EDGE_BYTES])[:EDGE_BYTES]
        self.tail = (self.tail + content[-EDGE_BYTES:])[-EDGE_BYTES:]
        self.sha256.update(content)
        self.offset += len(content)
        self.is_announced = True
        self.is_verified = False

    @property
    def is_pending(self) -> bool:
        """Whether the last look found something that has not been dealt with."""
        return not self.is_deleted and self.stamp != self.seen_stamp

    def change(self, descriptor: int, status: os.stat_result) -> str:
        """Say how the file ceased to be what was sent of it; empty when it only grew."""
        known, self.identity = self.identity, status.st_dev << 64 | status.st_ino
        if not self.is_announced:
            return ""
        if known != self.identity:
            return "another file took its place"
        if status.st_size < self.offset:
            return f"it shrank from {self.offset} to {status.st_size} bytes"
        size = min(EDGE_BYTES, self.offset)
        self.head = os.pread(descriptor, size, 0)
        self.tail = os.pread(descriptor, size, self.offset - size)
        return "" if self._digest_of_edges() == self.edges else "it was rewritten"

    def rest(self) -> None:
        """Keep a digest of both ends of what was sent, until there is more."""
        if self.head:
            self.edges = self._digest_of_edges()
            self.head = self.tail = b""

    def _digest_of_edges(self) -> bytes:
        edges = self.head + self.tail
        return hashlib.blake2b(edges, digest_size=16).digest() if edges else b""


class Refused(NamedTuple):
    """Something that is not sent, and may have to do with results.

    Attributes:
        path: The path, legible.
        reason: Why, in a word.
        detail: The same in a sentence.
        role: `result` for what has a result's name, `folder` for what may hold results.
    """

    path: str
    reason: str
    detail: str
    role: str


class Follower:
    """Keeps the stream up with the directory, within the caps."""

    def __init__(self, root: int, settings: Settings, writer: FrameWriter) -> None:
        """Follow an open directory; without one (`NO_DIRECTORY`) there is nothing to look at."""
        self.files: dict[str, FollowedFile] = {}
        self.sent_bytes = 0
        self.notices = 0
        self._attachment_bytes = 0
        self._void_bytes = 0
        self._counts = {True: 0, False: 0}
        self._noticed: set[tuple[str, str]] = set()
        self._refused: list[Refused] = []
        self._refused_more = 0
        self._vanished: dict[str, Refused] = {}
        self._renamed: set[str] = set()
        self._root = root
        self._settings = settings
        self._writer = writer
        self._turn = 0

    def notice(self, path: str, reason: str, detail: str) -> None:
        """Tell once that something is not sent as it is."""
        if (path, reason) in self._noticed or len(self._noticed) >= NOTICES:
            return
        self._noticed.add((path, reason))
        self.notices += 1
        if len(self._noticed) == NOTICES:
            path, reason, detail = "", "notices", f"more than {NOTICES} notices are left out"
        self._writer.control("notice", path=path, reason=reason, detail=detail)

    def refusals(self) -> tuple[list[Refused], int]:
        """Return what is refused and may have to do with results, and how many more are."""
        unread = (
            Refused(file.path, *file.refusal, "result")
            for file in self.files.values()
            if file.refusal[0] and file.is_result and not file.is_deleted
        )
        every = [*self._refused, *unread, *self._vanished.values()]
        return every[:REFUSALS], max(0, len(every) - REFUSALS) + self._refused_more

    def survey(self) -> None:
        """Look at the directory."""
        self._refused, self._refused_more = [], 0
        present: set[str] = set()
        for found in self._list():
            if found.refusal:
                self._refuse(found)
            elif (file := self._admit(found)) is not None:
                present.add(found.path)
                self._vanished.pop(found.path, None)
                file.is_deleted = False
                if file.source != found.source:
                    file.source = found.source
                if (file.size, file.stamp) != (found.size, found.stamp):
                    file.size, file.stamp = found.size, found.stamp
                    self._judge(file, found.path)
        gone = [path for path in self.files if path not in present]
        for path in gone:
            self.files[path].is_deleted = True
        self._forget_unsent(gone)

    def _list(self) -> Iterator[Found]:
        listing = Listing(self._root, results=self._settings.results, wants=self._has_room)
        yield from listing.walk()
        if listing.is_whole:
            return
        yield Found("", "", "folder", f"only {ENTRIES} entries are looked at")
        # The listing has no order: what matters is looked for by its name.
        for path in {*JUNIT_NAMES, *RESULT_FILES, *self.files}:
            if (found := look(self._root, path)) is not None:
                yield found

    def _has_room(self, path: str) -> bool:
        return path in self.files or self._counts[False] < self._settings.files

    def _refuse(self, found: Found) -> None:
        """Say that something is not sent. What may be a result, the manifest says at the end."""
        is_beyond_cap = found.refusal == "too_many_files"
        # Of an XML file beyond the cap nobody knows whether it is a result.
        is_result = is_named_like_result(found.path) or (is_beyond_cap and is_xml(found.path))
        if is_beyond_cap and not is_result:
            self.notice("", found.refusal, f"files beyond the cap of {self._settings.files}")
        elif is_result or found.refusal == "folder":
            if len(self._refused) >= REFUSALS:
                self._refused_more += 1
                return
            role = "result" if is_result else "folder"
            shown = legible_path(found.path, path_bytes=self._settings.path_bytes)
            self._refused.append(Refused(shown, found.refusal, found.detail, role))
        elif len(self._noticed) < NOTICES:
            shown = legible_path(found.path, path_bytes=self._settings.path_bytes)
            self.notice(shown, found.refusal, found.detail)

    def _shown(self, path: str) -> str:
        """Return a path as it is sent; two files never have one path."""
        shown = legible_path(path, path_bytes=self._settings.path_bytes)
        if shown == path and path not in self._renamed:
            return path
        stem, suffix = (shown[:-4], shown[-4:]) if is_xml(shown) else (shown, "")
        number, unique = 1, shown
        while unique in self._renamed or unique in self.files:
            number += 1
            unique = f"{stem}~{number}{suffix}"
        self._renamed.add(unique)
        return unique

    def _admit(self, found: Found) -> FollowedFile | None:
        known = self.files.get(found.path)
        if known is not None:
            return known
        candidate = is_candidate(found.path)
        cap = self._settings.result_files if candidate else self._settings.files
        if self._counts[candidate] >= cap:
            detail = f"files beyond the cap of {cap} are left out"
            self._refuse(found._replace(refusal="too_many_files", detail=detail))
            return None
        self._counts[candidate] += 1
        shown = self._shown(found.path)
        file = self.files[found.path] = FollowedFile(shown, found)
        self._judge(file, found.path)
        if shown != found.path:
            self.notice(shown, "renamed", f"the name of {ascii(found.path)[:300]} cannot be sent")
        return file

    def _judge(self, file: FollowedFile, path: str) -> None:
        """Look into an XML file that may have become a result, or turned out to be none."""
        if file.is_candidate and path not in RESULT_FILES:
            file.judge(path, read_beneath(self._root, file.source, offset=0, size=ROOT_BYTES))

    def _forget_unsent(self, gone: list[str]) -> None:
        """Forget files that went before anything of them was sent."""
        unsent = [path for path in gone if not self.files[path].is_announced]
        if not unsent:
            return
        present = {file.stamp[:2] for file in self.files.values() if not file.is_deleted}
        for path in unsent:
            file = self.files.pop(path)
            self._counts[file.is_candidate] -= 1
            # What was renamed is sent by its new name; an empty file held no result.
            if file.is_result and file.size and file.stamp[:2] not in present:
                detail = f"it went before its {file.size} bytes could be sent"
                if len(self._vanished) < REFUSALS:
                    self._vanished[path] = Refused(file.path, "vanished", detail, "result")

    def send_pass(self, *, until: float, is_final: bool, only_results: bool = False) -> bool:
        """Send what is new, result files first.

        Args:
            until: Monotonic time to stop at.
            is_final: Whether nothing will be written any more: then everything is sent, in the
                order of importance, small files first.
            only_results: Whether attachments wait.

        Returns:
            Whether anything was sent.
        """
        self._turn += 1
        frames_before = self._writer.number
        room = sys.maxsize if is_final else PASS_BYTES
        for file in sorted(self._pending(is_final=is_final), key=self._order(is_final=is_final)):
            if time.monotonic() >= until:
                break
            if only_results and not file.is_result:
                continue
            before = self.sent_bytes
            if file.is_result or room > 0:
                limit = PASS_BYTES if file.is_result and not is_final else room
                self._serve(file, limit=limit, until=until)
            if not file.is_result:
                room -= self.sent_bytes - before
        return self._writer.number != frames_before

    def _pending(self, *, is_final: bool) -> list[FollowedFile]:
        files = [file for file in self.files.values() if file.is_pending]
        if is_final:
            return files
        return [file for file in files if not file.is_hidden and self._is_live(file)]

    def _is_live(self, file: FollowedFile) -> bool:
        if not file.is_result or self._void_bytes > VOID_BYTES:
            return file.generation < LIVE_GENERATIONS
        return file.generation < RESULT_GENERATIONS

    @staticmethod
    def _order(*, is_final: bool) -> Callable[[FollowedFile], tuple[int, int]]:
        if is_final:
            return lambda file: (file.rank, file.size)
        return lambda file: (file.rank, file.served_turn)

    def _serve(self, file: FollowedFile, *, limit: int, until: float) -> None:
        file.served_turn = self._turn
        try:
            descriptor = open_beneath(self._root, file.source)
        except FileNotFoundError:
            file.is_deleted = True
            return
        except OSError as error:
            self._refuse_file(file, "unreadable", os.strerror(error.errno or 0))
            return
        try:
            self._send_new(file, descriptor, limit=limit, until=until)
        except OSError as error:
            self._refuse_file(file, "unreadable", os.strerror(error.errno or 0))
        finally:
            file.rest()
            os.close(descriptor)

    def _refuse_file(self, file: FollowedFile, reason: str, detail: str) -> None:
        file.refusal = (reason, detail)
        if not file.is_result:
            self.notice(file.path, reason, detail)

    def _send_new(self, file: FollowedFile, descriptor: int, *, limit: int, until: float) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self._refuse_file(file, *kind_refusal(status.st_mode))
            return
        file.refusal = ("", "")
        if change := file.change(descriptor, status):
            self.restart(file, change)
        end = file.offset + min(status.st_size - file.offset, limit, self._allowance(file))
        while file.offset < end or not file.is_announced:
            if file.is_announced and time.monotonic() >= until:
                break
            content = os.pread(descriptor, min(CHUNK_BYTES, end - file.offset), file.offset)
            if not content and file.is_announced:
                break
            self._send_chunk(file, content)
        if file.offset >= min(status.st_size, file.offset + self._allowance(file)):
            stamp = stamp_of(status)
            # One object for both, where nothing has changed: there may be thousands.
            file.seen_stamp = file.stamp if stamp == file.stamp else stamp
            file.size = status.st_size
            if file.offset < status.st_size and not file.is_cut:
                file.is_cut = True
                text = f"cut after {file.offset} of {status.st_size} bytes: a cap is reached"
                self.notice(file.path, "cut", text)

    def _send_chunk(self, file: FollowedFile, content: bytes) -> None:
        place = Place(file.path, file.source, file.generation, file.offset)
        taken = self._writer.data(place, content, guess=file.guess)
        file.guess = CHUNK_BYTES if taken == len(content) else taken
        file.advance(content[:taken])
        self.sent_bytes += taken
        if not file.is_result:
            self._attachment_bytes += taken

    def _allowance(self, file: FollowedFile) -> int:
        """How many more bytes of a file the caps leave."""
        total = self._settings.total_bytes - self.sent_bytes
        if not file.is_result:
            own = self._settings.total_bytes - self._settings.reserved_bytes
            total = min(total, own - self._attachment_bytes)
        return max(0, min(total, self._settings.file_bytes - file.offset))

    def restart(self, file: FollowedFile, reason: str) -> None:
        """Begin a file again, because what was sent is not what it holds."""
        self._void_bytes += file.offset
        file.begin()
        file.generation += 1
        file.seen_stamp = (0, 0, 0, 0)
        self._writer.control("replaced", path=file.path, generation=file.generation, reason=reason)

    def known_size(self, file: FollowedFile) -> int:
        """Return the size to compare with what was sent.

        A deleted attachment is what was sent of it. Of a result the end may be lost, unless the
        file was only renamed.
        """
        if not file.is_deleted:
            return file.size
        present = (other.stamp[:2] for other in self.files.values() if not other.is_deleted)
        if not file.is_result or file.size <= file.offset or file.stamp[:2] in present:
            return file.offset
        return file.size

    def verify(self, *, until: float, only_results: bool) -> bool:
        """Read every file once more and compare it with what was sent.

        Catches what no look can: a file rewritten in place, with the same size and both ends.

        Args:
            until: Monotonic time to stop at.
            only_results: Whether attachments wait.

        Returns:
            Whether something has to be sent again.
        """
        is_changed = False
        for file in sorted(self.files.values(), key=self._order(is_final=True)):
            if file.is_deleted or not file.is_announced or file.is_verified:
                continue
            if only_results and not file.is_result:
                continue
            if time.monotonic() >= until:
                break
            if self._digest(file) == file.sha256.digest():
                file.is_verified = True
            else:
                self.restart(file, "it was rewritten")
                is_changed = True
        return is_changed

    def _digest(self, file: FollowedFile) -> bytes:
        sha256 = hashlib.sha256()
        position = 0
        try:
            descriptor = open_beneath(self._root, file.source)
        except OSError:
            return file.sha256.digest()  # Gone: what was sent is all there will be.
        try:
            while position < file.offset:
                size = min(CHUNK_BYTES, file.offset - position)
                content = os.pread(descriptor, size, position)
                if not content:
                    break
                sha256.update(content)
                position += len(content)
        finally:
            os.close(descriptor)
        return sha256.digest()


# --- The end ------------------------------------------------------------------------------------


def collection_counts(root: int) -> dict[str, int | None]:
    """Read how many tests the suite says it collected; None where it does not say."""
    content = read_beneath(root, COLLECTION_FILE, offset=0, size=COLLECTION_BYTES)
    document: object = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(content)
    fields = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    counts: dict[str, int | None] = {}
    for name in ("collected", "deselected"):
        value = fields.get(name)
        counts[name] = value if type(value) is int and value >= 0 else None
    return counts


def free_bytes(root: int) -> int | None:
    """Return how much more fits onto the volume of the results; None where it does not say."""
    try:
        volume = os.fstatvfs(root)
    except OSError:
        return None
    return volume.f_bavail * volume.f_frsize


def manifest_document(
    settings: Settings, follower: Follower, writer: FrameWriter, *, root: int, settled: Settled
) -> bytearray:
    """Write what the stream held, for the receiver to compare."""
    refused, more = follower.refusals()
    head = {
        "run": settings.run_id,
        "frames": writer.number,
        "settled": settled.everything,
        "results_settled": settled.results,
        "free": free_bytes(root),
        "notices": follower.notices,
        **collection_counts(root),
        "refused": [entry._asdict() for entry in refused],
        "refused_more": more,
    }
    # Written piece by piece: as one tree, twenty thousand files would take the sidecar's memory.
    document = bytearray(compact(head)[:-1] + b',"files":[')
    for file in sorted(follower.files.values(), key=lambda file: (file.rank, file.path)):
        if file.is_announced or not (file.is_deleted or file.refusal[0]):
            document += compact(manifest_entry(follower, file)) + b","
    if document.endswith(b","):
        del document[-1]
    document += b"]}"
    return document


def manifest_entry(follower: Follower, file: FollowedFile) -> dict[str, object]:
    """Say what was sent of a file."""
    return {
        "path": file.path,
        "role": "result" if file.is_result else "attachment",
        "generation": file.generation,
        "size": follower.known_size(file),
        "sent": file.offset,
        "sha256": file.sha256.hexdigest(),
        "deleted": file.is_deleted,
    }


def compact(fields: Mapping[str, object]) -> bytes:
    """Write a JSON object without spaces, in ASCII."""
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def write_digest(
    path: str, *, writer: FrameWriter, manifest: bytearray, follower: Follower
) -> None:
    """Leave the last word where the pod's status shows it, whatever becomes of the log."""
    digest: dict[str, object] = {
        "floe": PROTOCOL_VERSION,
        "session": writer.session,
        "last": writer.number - 1,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "files": len(follower.files),
        "sent_bytes": follower.sent_bytes,
        "notices": follower.notices,
        "cut": sum(1 for file in follower.files.values() if file.is_cut),
    }
    content = compact(digest)
    with contextlib.suppress(OSError):
        # Not created: outside a container there is none, and nobody asked for one.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, content[:DIGEST_BYTES])
        finally:
            os.close(descriptor)


class Settled(NamedTuple):
    """What the deadline left the time to send and check.

    Attributes:
        results: All result files.
        everything: All files.
    """

    results: bool
    everything: bool


class Stop:
    """Turns the first SIGTERM or SIGINT into a flag, and ends a pause at once."""

    def __init__(self) -> None:
        """Take the signals over, those that came already included."""
        self.is_requested = False
        self._wake, wake_write = os.pipe()
        for descriptor in (self._wake, wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._request)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.is_requested = True

    def pause(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        if select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, KIB)


class Exporter:
    """Follows the directory until it is told to stop, and proves what it sent."""

    def __init__(self, settings: Settings, *, stop: Stop, writer: FrameWriter) -> None:
        """Prepare to send what is in the settings' directory."""
        self._settings = settings
        self._stop = stop
        self._writer = writer

    def run(self) -> None:
        """Send everything, then the manifest."""
        caps = (
            "file_bytes",
            "total_bytes",
            "reserved_bytes",
            "files",
            "result_files",
            "path_bytes",
        )
        self._writer.control(
            "hello",
            version=PROTOCOL_VERSION,
            run=self._settings.run_id,
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            resend=self._writer.journal.on,
            caps={name: getattr(self._settings, name) for name in caps},
        )
        root = self._open_root()
        follower = Follower(root, self._settings, self._writer)
        if root == NO_DIRECTORY:
            detail = f"{self._settings.results} is no directory that can be read"
            follower.notice("", "no_directory", detail)
            self._conclude(follower, root, settled=Settled(results=True, everything=True))
            return
        self._follow(follower)
        settled = self._finish(follower)
        self._conclude(follower, root, settled=settled)
        self._linger()

    def _open_root(self) -> int:
        while True:
            with contextlib.suppress(OSError):
                return os.open(self._settings.results, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if self._is_to_end():
                return NO_DIRECTORY
            self._beat()
            self._stop.pause(self._settings.poll_seconds)

    def _is_to_end(self) -> bool:
        """Return whether the tests have ended, by the kubelet's signal or somebody's word.

        The kubelet waits for every container that is no sidecar, and some end with the pod only.
        """
        return self._stop.is_requested or self._is_told("finish")

    def _is_told(self, word: str) -> bool:
        state = self._settings.state
        return bool(state) and os.path.exists(os.path.join(state, word))

    def _follow(self, follower: Follower) -> None:
        while not self._is_to_end():
            used = time.process_time()
            follower.survey()
            if follower.send_pass(until=float("inf"), is_final=False):
                continue
            self._beat()
            # The standard library has no inotify, so the directory is looked at. A large one
            # costs more to look at, and gets longer pauses: a tenth of the CPU at most.
            used = time.process_time() - used
            self._stop.pause(max(self._settings.poll_seconds, 10 * used))

    def _beat(self) -> None:
        if time.monotonic() - self._writer.last_monotonic >= self._settings.heartbeat_seconds:
            self._writer.control("heartbeat")

    def _finish(self, follower: Follower) -> Settled:
        """Send the rest, results first: no attachment takes the time that proves them."""
        begun = time.monotonic()
        seconds = self._settings.deadline_seconds
        results = self._settle(follower, until=begun + seconds / 2, only_results=True)
        everything = self._settle(follower, until=begun + seconds, only_results=False)
        return Settled(results=results or everything, everything=everything)

    @staticmethod
    def _settle(follower: Follower, *, until: float, only_results: bool) -> bool:
        """Send and check; return whether there was the time for all of it."""
        while (now := time.monotonic()) < until:
            follower.survey()
            if follower.send_pass(until=until, is_final=True, only_results=only_results):
                continue
            # Reading everything again may take half the time that is left, not all of it.
            if not follower.verify(until=now + (until - now) / 2, only_results=only_results):
                return time.monotonic() < until
        return False

    def _conclude(self, follower: Follower, root: int, *, settled: Settled) -> None:
        if self._settings.state and not self._writer.journal.on:
            follower.notice("", "journal", "frames cannot be sent again: the state has no room")
        manifest = manifest_document(
            self._settings, follower, self._writer, root=root, settled=settled
        )
        self._writer.document("manifest", manifest)
        write_digest(
            self._settings.digest, writer=self._writer, manifest=manifest, follower=follower
        )

    def _linger(self) -> None:
        """Stay for those who want frames again: no command runs in a container that ended."""
        if self._is_told("finish"):
            # The kubelet would start one that ends beside running containers again.
            while not self._stop.is_requested:
                self._stop.pause(self._settings.poll_seconds)
            return
        if not self._writer.journal.on or self._writer.written_bytes < ROTATION_BYTES:
            return
        until = time.monotonic() + self._settings.linger_seconds
        while time.monotonic() < until and not self._is_told("done"):
            self._stop.pause(self._settings.poll_seconds)


class Archive:
    """Builds frames again, from the journal and the files."""

    def __init__(self, settings: Settings) -> None:
        """Open the journal of the exporter that runs beside this process.

        Raises:
            OSError: There is no journal, or no results directory.
        """
        self._key = settings.key.encode()
        self._root = os.open(settings.results, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._state = settings.state
        self._session = self._read("session").decode("ascii")
        self._paths: list[tuple[str, str]] = []

    def _read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        with open(os.path.join(self._state, name), "rb") as file:
            file.seek(offset)
            return file.read(size)

    def _names(self, index: int) -> tuple[str, str]:
        if index >= len(self._paths):
            self._paths = [tuple(json.loads(line)) for line in self._read("paths").splitlines()]
        return self._paths[index]

    def line(self, number: int) -> bytes:
        """Build a frame again; empty when it was never sent.

        A data frame whose content is no longer in its file becomes a `lost` frame.
        """
        size = Journal.RECORD.size
        record = self._read("index", number * size, size)
        if len(record) < size:
            return b""
        index, generation, offset, size, crc = Journal.RECORD.unpack(record)
        if index == Journal.WHOLE:
            return self._read("control", offset, size)
        place = Place(*self._names(index), generation, offset)
        content = read_beneath(self._root, place.source, offset=offset, size=size)
        if len(content) == size and zlib.crc32(content) == crc:
            head = header(self._session, number, "data")
            return data_line(self._key, head, place.fields(), content=content, guess=size)[0]
        head = header(self._session, number, "lost")
        return frame_line(self._key, {**head, **place.fields(), "size": size})


def resend(settings: Settings, *, first: int, last: int) -> None:
    """Print frames again, as far as they were sent."""
    archive = Archive(settings)
    for number in range(first, last + 1):
        line = archive.line(number)
        if not line:
            break
        write_standard_output(line)


USAGE = (
    "usage: exporter.py [resend FIRST LAST | done | finish] [--results DIRECTORY] "
    "[--OPTION VALUE ...]"
)


def parse(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split arguments into words and options.

    Raises:
        ValueError: An option has no value.
    """
    words: list[str] = []
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            words.append(argument)
            continue
        name, equals, value = argument[2:].partition("=")
        following = value if equals else next(rest, None)
        if following is None:
            text = f"{argument} needs a value"
            raise ValueError(text)
        options[name.replace("-", "_")] = following
    return words, options


def run(words: Sequence[str], settings: Settings) -> None:
    """Run a command.

    Raises:
        ValueError: There is no such command.
        OSError: Its files are not there, or nobody reads the output.
    """
    command = " ".join(words[:1])
    if command == "resend" and len(words) == 3:  # noqa: PLR2004 - resend FIRST LAST
        resend(settings, first=max(0, int(words[1])), last=int(words[2]))
    elif command in {"done", "finish"}:
        with open(os.path.join(settings.state, command), "wb"):
            pass
    elif command:
        text = f"cannot run {' '.join(words)!r}"
        raise ValueError(text)
    else:
        stop = Stop()
        # A restarted container starts a new session, whose numbers start at 0 again.
        writer = FrameWriter(settings, session=os.urandom(8).hex(), write=write_standard_output)
        Exporter(settings, stop=stop, writer=writer).run()


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the program and return its exit code."""
    try:
        words, options = parse(arguments)
        run(words, read_settings(options, environment))
    except ValueError as error:
        sys.stderr.write(f"{USAGE}\n{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"exporter: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
