"""A suite of two tests that leaves files of given sizes and prints a lot.

    large_output.py DIRECTORY PRINTED_MIB [NAME=MIB...]

A name that ends in `.bin` gets content that no compression shrinks; any other gets lines of a log.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from fifty_thousand_tests import main as write_results

MIB = 1024 * 1024


def chunk(name: str, number: int) -> bytes:
    """Return a MiB of content; no two are the same, and each run makes the same ones."""
    if name.endswith(".bin"):
        return random.Random(f"{name} {number}").randbytes(MIB)  # noqa: S311 - content, no secret
    lines = MIB // 64
    return b"".join(
        b"%06d %06d order priced, shipped and billed: all is well %7s\n" % (number, n, b"ok")
        for n in range(lines)
    )[:MIB]


def main(directory: Path, printed_mib: int, files: dict[str, int]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, size_mib in files.items():
        with (directory / name).open("wb") as file:
            for number in range(size_mib):
                file.write(chunk(name, number))
    for number in range(printed_mib):
        sys.stdout.buffer.write(chunk("printed", number))
    write_results(directory, 2)


if __name__ == "__main__":
    sizes = (word.rpartition("=") for word in sys.argv[3:])
    main(Path(sys.argv[1]), int(sys.argv[2]), {name: int(size) for name, _, size in sizes})
