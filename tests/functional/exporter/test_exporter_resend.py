"""Frames that a log lost can be had again from the exporter while it runs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.execution.stream import ResultStream
from floe_tests.exporter.settings import MIB

if TYPE_CHECKING:
    from tests.functional.exporter.conftest import Start


def noise(size: int) -> bytes:
    """Return content that no compression shrinks; the same in every run."""
    return hashlib.shake_256(b"noise").digest(size)


def test_resent_frames_fill_the_gap(start: Start, results: Path, tmp_path: Path) -> None:
    """A rotation took a part of the log; the rest waits until the part comes."""
    content = noise(300_000)
    (results / "junit.xml").write_bytes(content)
    running = start()
    running.wait_for_content("junit.xml", len(content))
    gapped = ResultStream(tmp_path / "gapped")
    lines = list(running.lines)
    for line in lines[:5] + lines[20:]:
        gapped.feed(line)
    assert gapped.missing == (range(5, 20),)
    assert gapped.next_number == 5

    again = running.run("resend", "5", "19")

    assert again == lines[5:20]
    growths = [growth for line in again for growth in gapped.feed(line).growths]
    while more := gapped.drain().growths:
        growths += more
    assert gapped.missing == ()
    assert (tmp_path / "gapped" / "junit.xml").read_bytes() == content
    running.stop()
    for line in running.lines[len(lines) :]:
        gapped.feed(line)
    assert gapped.finish().complete


def test_control_frames_come_again_as_they_were(start: Start, results: Path) -> None:
    """Hello, notices and the manifest are not built again but kept."""
    (results / "link").symlink_to("nowhere")
    running = start("--linger-seconds=0")
    running.wait_until(lambda: len(running.lines) >= 2)
    running.stop()

    assert running.run("resend", "0", "1000") == running.lines


def test_content_that_is_gone_becomes_a_lost_frame(
    start: Start, results: Path, tmp_path: Path
) -> None:
    """The number is accounted for; the file is not passed off as whole."""
    path = results / "data"
    path.write_bytes(noise(50_000))
    running = start()
    running.wait_for_content("data", 50_000)
    lines = list(running.lines)
    path.write_bytes(b"")
    again = running.run("resend", "1", "1")
    assert json.loads(again[0])["type"] == "lost"

    stream = ResultStream(tmp_path / "holes")
    for line in [lines[0], *again, *lines[2:]]:
        stream.feed(line)
    assert stream.missing == ()
    running.stop()
    for line in running.lines[len(lines) :]:
        stream.feed(line)
    # The manifest speaks of the new content alone, and that arrived.
    assert stream.finish().complete
    assert (tmp_path / "holes" / "data").read_bytes() == b""


def test_a_hole_in_a_file_is_found_by_its_checksum(
    start: Start, results: Path, tmp_path: Path
) -> None:
    """Lost content of a file that still counts is a problem."""
    path = results / "data"
    path.write_bytes(noise(50_000))
    running = start()
    running.wait_for_content("data", 50_000)
    lines = list(running.lines)
    keep = path.read_bytes()
    path.write_bytes(b"")
    again = running.run("resend", "1", "1")
    path.write_bytes(keep)
    running.stop()

    stream = ResultStream(tmp_path / "holes")
    for line in [lines[0], *again, *lines[2:]]:
        stream.feed(line)
    assert json.loads(again[0])["type"] == "lost"
    assert (tmp_path / "holes" / "data").stat().st_size == 50_000
    assert not stream.finish().complete


def test_without_a_journal_resend_says_so(start: Start, tmp_path: Path) -> None:
    """The hello frame tells the runner not to ask."""
    blocked = tmp_path / "file"
    blocked.touch()
    running = start(f"--state={blocked}/state")
    running.wait_until(lambda: len(running.lines) > 0)
    assert json.loads(running.lines[0])["resend"] is False
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-m", "floe_tests.exporter"),
            *("resend", "0", "1"),
            f"--state={blocked}/state",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "exporter: " in done.stderr
    completeness = running.stop()
    assert completeness.complete
    assert any("frames cannot be sent again" in notice for notice in completeness.notices)


def test_a_long_stream_stays_for_questions_until_it_is_told_to_go(
    start: Start, results: Path
) -> None:
    """No command runs in a container that has ended, and a long log may have rotated."""
    content = noise(7 * MIB)
    (results / "big").write_bytes(content)
    running = start("--bytes-per-second=1000000000", "--linger-seconds=60")
    running.wait_for_content("big", len(content))
    running.process.terminate()
    running.wait_until(lambda: running.stream.manifest is not None)
    assert running.process.poll() is None

    assert running.run("resend", "3", "3") == running.lines[3:4]
    running.run("done")

    assert running.end().complete
    assert running.process.returncode == 0


def test_an_exporter_beside_containers_that_run_on_finishes_and_stays(
    start: Start, results: Path
) -> None:
    """A sidecar that ends while others run is started again, and would send everything anew."""
    (results / "junit.xml").write_bytes(b"<testsuites/>")
    running = start()
    running.wait_for_content("junit.xml", 13)

    running.run("finish")
    running.wait_until(lambda: running.stream.manifest is not None)
    assert running.process.poll() is None

    assert running.stop().complete
    assert running.process.returncode == 0
