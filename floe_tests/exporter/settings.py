"""What the exporter is told: options, variables, and the limits that are the protocol's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


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

NAME_BYTES = 200
"""Longest name of a file or a folder as it is sent; file systems allow 255."""

LINKS = 40

COLLECTION_BYTES = 64 * KIB

NOTICES = 1000

REFUSALS = 200

DIGEST_BYTES = 4096

ROTATION_BYTES = 8 * MIB
"""Below the 10 MiB at which a kubelet rotates a log: up to here nothing can have been rotated."""


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
