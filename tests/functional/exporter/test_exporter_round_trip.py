"""What the exporter sends of real directories is what arrives, or the receiver says what is not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.execution.stream import ResultStream
from floe_tests.exporter.program import STOP_SIGNALS
from floe_tests.exporter.settings import DIGEST_BYTES, FRAME_BYTES, LIVE_GENERATIONS, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functional.exporter.conftest import Start

COMMAND = [sys.executable, "-I", "-m", "floe_tests.exporter"]
FAST = "--bytes-per-second=1000000000"


def noise(size: int) -> bytes:
    """Return content that no compression shrinks; the same in every run."""
    return hashlib.shake_256(b"noise").digest(size)


def test_text_binary_nested_and_empty_files_arrive_byte_for_byte(
    start: Start, results: Path, received: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    """A round trip of everything at once, with the counts of the collection."""
    (results / "junit.xml").write_text("<testsuite name='ä'/>\n", encoding="utf-8")
    (results / "collection.json").write_text('{"collected": 3, "deselected": 1}')
    (results / "empty.log").touch()
    (results / "deep" / "er").mkdir(parents=True)
    (results / "deep" / "er" / "core bin").write_bytes(noise(200_000))
    running = start("--run-id=run-7")
    running.wait_for_content("deep/er/core bin", 200_000)

    completeness = running.stop()

    assert completeness.complete, completeness.problems
    assert completeness.missing == ()
    assert contents(received) == contents(results)
    assert running.process.returncode == 0
    manifest = running.stream.manifest
    assert manifest is not None
    assert (manifest.run_id, manifest.collected, manifest.deselected) == ("run-7", 3, 1)
    assert {file.path for file in completeness.verified} == set(contents(results))
    assert {file.path: file.role for file in completeness.verified}["junit.xml"] == "result"


def test_every_frame_is_numbered_and_short_enough_for_one_log_line(
    start: Start, results: Path
) -> None:
    """Container runtimes split lines at 16 KiB; a name must not push a frame over the bound."""
    folder = results / ("ü" * 120) / ("日" * 80)
    folder.mkdir(parents=True)
    (folder / "noise").write_bytes(noise(100_000))
    running = start()
    running.stop()

    assert max(len(line) for line in running.lines) <= FRAME_BYTES
    assert [json.loads(line)["number"] for line in running.lines] == list(range(len(running.lines)))
    assert running.stream.finish().complete


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_file_of_10_mib_passes_through_a_small_process(
    start: Start, results: Path, received: Path
) -> None:
    """The sidecar has 64Mi: it never holds a file."""
    (results / "big").write_bytes(noise(10 * MIB))
    running = start(FAST)
    running.wait_for_content("big", 10 * MIB)
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)

    assert running.stop().complete
    assert (received / "big").read_bytes() == (results / "big").read_bytes()
    assert peak_kib < 32 * 1024


def test_lines_arrive_while_the_file_grows(start: Start, results: Path) -> None:
    """Live progress: a finished test is reported before the run ends."""
    events = results / "events.jsonl"
    events.write_text("first\n")
    running = start()
    running.wait_for_content("events.jsonl", 6)
    with events.open("a") as file:
        file.write("second\n")
    running.wait_for_content("events.jsonl", 13)

    growths = [growth for report in running.reports for growth in report.growths]
    assert b"".join(growth.data for growth in growths) == b"first\nsecond\n"
    assert not any(growth.restarted for growth in growths)
    assert running.stop().complete


def shrink(path: Path) -> None:
    """Truncate in place."""
    path.write_text("new")


def rename_over(path: Path) -> None:
    """Replace atomically, with a longer file that begins alike."""
    other = path.with_name(".other")
    other.write_text(path.read_text() + "more")
    other.replace(path)


def rewrite_longer(path: Path) -> None:
    """Rewrite in place with more than was there."""
    path.write_text("B" * 5000)


@pytest.mark.parametrize("change", [shrink, rename_over, rewrite_longer])
def test_a_file_that_is_replaced_is_sent_again(
    start: Start, results: Path, received: Path, change: Callable[[Path], None]
) -> None:
    """Content of two generations is never mixed."""
    path = results / "state.json"
    path.write_text("A" * 1000)
    running = start()
    running.wait_for_content("state.json", 1000)
    change(path)
    running.wait_until(lambda: any(g.restarted for r in running.reports for g in r.growths))

    completeness = running.stop()

    assert completeness.complete, completeness.problems
    assert (received / "state.json").read_bytes() == path.read_bytes()


def test_a_change_that_no_look_can_see_is_found_at_the_end(
    start: Start, results: Path, received: Path
) -> None:
    """The same size, both ends and time of change; the last check reads the content."""
    path = results / "data.bin"
    path.write_bytes(b"A" * 3000)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    running = start()
    running.wait_for_content("data.bin", 3000)
    with path.open("r+b") as file:
        file.seek(1500)
        file.write(b"B")
    os.utime(path, ns=times)

    assert running.stop().complete
    assert (received / "data.bin").read_bytes() == path.read_bytes()


def test_a_file_that_is_rewritten_all_the_time_is_sent_at_the_end(
    start: Start, results: Path, received: Path
) -> None:
    """A progress file must not use up what attachments may cost."""
    path = results / "progress"
    running = start()
    for number in range(LIVE_GENERATIONS + 1):
        (results / ".progress").write_bytes(b"x" * (1000 + number))
        (results / ".progress").replace(path)
        running.wait_for_content("progress", 1000 + number)
    path.write_bytes(b"last")
    (results / "marker").write_text("x")
    running.wait_for_content("marker", 1)

    assert (received / "progress").read_bytes() != b"last"
    assert running.stop().complete
    assert (received / "progress").read_bytes() == b"last"


def test_a_hidden_file_is_not_sent_before_the_end(
    start: Start, results: Path, received: Path
) -> None:
    """Hidden files are how programs write in one step: what is sent of them is sent twice."""
    temporary = results / ".junit.xml.x7"
    temporary.write_text("<testsuite/>")
    (results / ".keep").write_text("kept")
    (results / "marker").write_text("x")
    running = start()
    running.wait_for_content("marker", 1)
    temporary.replace(results / "junit.xml")

    assert running.stop().complete
    assert {path.name for path in received.iterdir()} == {"junit.xml", ".keep", "marker"}


def test_a_deleted_file_stays_as_far_as_it_came(
    start: Start, results: Path, received: Path
) -> None:
    """What a test cleans up is no lost result."""
    (results / "scratch").write_text("temporary")
    (results / "empty").touch()
    running = start()
    running.wait_for_content("scratch", 9)
    running.wait_until(lambda: any(g.path == "empty" for r in running.reports for g in r.growths))
    (results / "scratch").unlink()
    (results / "empty").unlink()

    completeness = running.stop()

    assert completeness.complete
    assert (received / "scratch").read_text() == "temporary"
    assert completeness.notices == ("scratch: deleted in the pod after 9 bytes",)


def test_a_thousand_files_arrive_and_their_manifest_needs_several_frames(
    start: Start, results: Path, received: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    """As many attachments as the cap allows, with results beside them."""
    for number in range(1000):
        (results / f"{number:04}.log").write_bytes(noise(32) + str(number).encode())
    (results / "junit.xml").write_text("<testsuite/>")
    running = start(FAST)

    assert running.stop().complete
    assert contents(received) == contents(results)
    assert [report.kind for report in running.reports].count("manifest") > 1


def test_links_and_special_files_are_named_and_left_alone(
    start: Start,
    results: Path,
    tmp_path: Path,
    received: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test must not be able to send what the sidecar may read and the test may not."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "token").write_text("not for everyone")
    (results / "link").symlink_to(secret / "token")
    (results / "folder").symlink_to(secret)
    os.mkfifo(results / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        # The address of a socket is short, and a temporary directory's name is not.
        monkeypatch.chdir(results)
        listener.bind("socket")
        running = start()
        completeness = running.stop()

    assert not (received / "folder").exists()
    assert [path for path in received.rglob("*") if path.is_file()] == []
    notices = "\n".join(completeness.notices)
    for name in ("link: a symbolic link", "folder: a symbolic"):
        assert name in notices
    assert "pipe: a FIFO is not a regular file" in notices
    assert "socket: a socket is not a regular file" in notices


def test_names_that_cannot_be_sent_are_sent_under_others(start: Start, results: Path) -> None:
    """A name is not text everywhere, may hold line ends, and two must not become one."""
    (results / "a\nb").touch()
    (results / "a%0Ab").touch()
    os.close(os.open(os.fsencode(results) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    (results / ("x" * 200)).mkdir()
    (results / ("x" * 200) / ("y" * 250 + ".log")).touch()
    completeness = start("--path-bytes=300").stop()

    notices = "\n".join(completeness.notices)
    assert r"the name of 'a\nb' cannot be sent" in notices
    assert r"%FF: the name of '\udcff' cannot be sent" in notices
    names = {file.path for file in completeness.verified}
    assert {"a%0Ab", "a%0Ab~2", "%FF"} < names
    (long,) = names - {"a%0Ab", "a%0Ab~2", "%FF"}
    assert long.startswith("~")
    assert long.endswith(".log")


def test_directories_without_end_are_left_out(start: Start, results: Path) -> None:
    """Depth is bounded as well, and a file at the top still comes."""
    (results / "/".join(["d"] * 150)).mkdir(parents=True)
    (results / "junit.xml").write_text("<testsuite/>")
    completeness = start().stop()

    assert [file.path for file in completeness.verified] == ["junit.xml"]
    assert completeness.complete
    (doubt,) = completeness.doubts
    assert "directories below 100 levels are left out" in doubt


def test_a_cut_attachment_is_a_notice_and_a_cut_result_is_a_problem(
    start: Start, results: Path, received: Path
) -> None:
    """Caps must not turn a run red for a log, nor green without its results."""
    (results / "huge.log").write_bytes(noise(5000))
    log_only = start("--file-bytes=2000").stop()
    assert log_only.complete
    assert "huge.log: 2000 of 5000 bytes were sent" in log_only.notices
    assert [(file.size_bytes, file.cut) for file in log_only.verified] == [(2000, True)]
    assert (received / "huge.log").read_bytes() == noise(5000)[:2000]

    (results / "junit.xml").write_bytes(noise(3000))
    with_results = start("--file-bytes=2000", stream=ResultStream(received / "second")).stop()
    assert not with_results.complete
    assert "junit.xml: 2000 of 3000 bytes were sent" in with_results.problems


def test_attachments_leave_room_for_results_that_come_last(start: Start, results: Path) -> None:
    """pytest writes junit.xml when everything else has been sent already."""
    (results / "a.log").write_bytes(noise(90_000))
    running = start("--total-bytes=100000", "--reserved-bytes=30000")
    running.wait_for_content("a.log", 70_000)
    (results / "junit.xml").write_bytes(noise(20_000))

    completeness = running.stop()

    assert completeness.complete
    assert {file.path: file.size_bytes for file in completeness.verified} == {
        "junit.xml": 20_000,
        "a.log": 70_000,
    }


def test_files_beyond_the_cap_are_left_out_but_results_come(start: Start, results: Path) -> None:
    """However many entries there are, results are found by their names."""
    for number in range(400):
        (results / f"{number}").touch()
    (results / "junit.xml").write_text("<testsuite/>")
    completeness = start("--files=20").stop()

    paths = {file.path for file in completeness.verified}
    assert "junit.xml" in paths
    assert len(paths) == 21
    assert any("files beyond the cap of 20" in notice for notice in completeness.notices)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_stream_with_all_that_was_written_before_it(
    start: Start, results: Path, received: Path, number: signal.Signals
) -> None:
    """The kubelet's order: the test container ends, then the sidecar gets its signal."""
    running = start()
    running.wait_until(lambda: len(running.lines) > 0)
    with (results / "events.jsonl").open("w") as file:
        for count in range(5000):
            file.write(json.dumps({"count": count}) + "\n")

    completeness = running.stop(number)

    assert completeness.complete, completeness.problems
    assert running.process.returncode == 0
    assert (received / "events.jsonl").read_bytes() == (results / "events.jsonl").read_bytes()


def test_a_file_that_never_stops_growing_does_not_hold_up_the_end(
    start: Start, results: Path
) -> None:
    """The kubelet's grace period is short, and the manifest must come before its end."""
    path = results / "events.jsonl"
    with (
        path.open("w") as file,
        subprocess.Popen(["/bin/sh", "-c", "while :; do echo more; done"], stdout=file) as writer,
    ):
        running = start("--deadline-seconds=0.3", FAST)
        running.wait_for_content("events.jsonl", 5)
        running.stop()
        writer.kill()

    assert running.process.returncode == 0
    assert running.stream.manifest is not None


def test_an_exporter_that_has_no_time_says_so(start: Start, results: Path) -> None:
    """What was not checked is not called complete."""
    (results / "junit.xml").write_text("<testsuite/>")
    completeness = start("--deadline-seconds=0").stop()

    assert not completeness.complete
    assert "the exporter ran out of time before it had sent everything" in completeness.problems


def test_attachments_take_no_time_from_the_proof_of_results(
    start: Start, results: Path, received: Path
) -> None:
    """A core dump at the end, too large for the time: cut with a notice, and the run is proved."""
    running = start("--bytes-per-second=2000000", "--deadline-seconds=2")
    running.wait_until(lambda: len(running.lines) > 0)
    (results / "core").write_bytes(noise(8_000_000))
    (results / "junit.xml").write_bytes(b"<testsuite/>" + noise(100_000))

    completeness = running.stop()

    assert completeness.complete, completeness.problems
    assert (received / "junit.xml").read_bytes() == (results / "junit.xml").read_bytes()
    sent = (received / "core").stat().st_size
    assert 0 < sent < 8_000_000
    assert f"core: {sent} of 8000000 bytes were sent" in completeness.notices
    late = "the exporter ran out of time before it had sent everything"
    assert late in completeness.notices


def test_a_killed_exporter_leaves_what_it_had_sent(
    start: Start, results: Path, received: Path
) -> None:
    """Partial results are kept, and never pass for whole ones."""
    (results / "events.jsonl").write_text("one\n")
    running = start()
    running.wait_for_content("events.jsonl", 4)

    completeness = running.stop(signal.SIGKILL)

    assert (received / "events.jsonl").read_text() == "one\n"
    assert not completeness.complete
    assert any("the manifest did not arrive" in problem for problem in completeness.problems)


def test_a_restarted_exporter_sends_again_and_nothing_is_reported_twice(
    start: Start, results: Path, received: Path
) -> None:
    """Kubernetes restarts a sidecar that was out of memory; the stream goes on with it."""
    (results / "events.jsonl").write_text("one\n")
    first = start()
    first.wait_for_content("events.jsonl", 4)
    first.stop(signal.SIGKILL)
    with (results / "events.jsonl").open("a") as file:
        file.write("two\n")

    second = start(stream=first.stream)
    completeness = second.stop()

    assert completeness.complete, completeness.problems
    growths = [g for r in (*first.reports, *second.reports) for g in r.growths]
    assert b"".join(growth.data for growth in growths) == b"one\ntwo\n"
    assert (received / "events.jsonl").read_text() == "one\ntwo\n"
    assert "the exporter was restarted and sends everything again" in completeness.notices


def test_silence_is_told_from_death_by_heartbeats(start: Start) -> None:
    """A quiet suite and a stopped sidecar look alike without them."""
    running = start("--heartbeat-seconds=0.1")
    running.wait_until(
        lambda: [json.loads(line)["type"] for line in running.lines].count("heartbeat") >= 2
    )
    assert running.stop().complete


def test_a_directory_that_appears_later_is_followed(
    start: Start, tmp_path: Path, received: Path
) -> None:
    """On this machine's processes the test program may create it."""
    late = tmp_path / "late"
    running = start(directory=late)
    running.wait_until(lambda: len(running.lines) > 0)
    late.mkdir()
    (late / "junit.xml").write_text("<testsuite/>")
    running.wait_for_content("junit.xml", 12)

    assert running.stop().complete
    assert (received / "junit.xml").exists()


def test_a_directory_that_never_appears_is_an_empty_manifest(start: Start, tmp_path: Path) -> None:
    """The stream is whole; that it holds no results is for the verdict to judge."""
    running = start(directory=tmp_path / "never")
    running.wait_until(lambda: len(running.lines) > 0)
    completeness = running.stop()

    assert completeness.complete
    assert completeness.verified == ()
    assert any("no directory that can be read" in notice for notice in completeness.notices)


def test_the_pace_holds_the_rate(start: Start, results: Path) -> None:
    """A reader that is away for a moment must not find the log rotated under it."""
    (results / "noise").write_bytes(noise(300_000))
    begun = time.monotonic()
    running = start("--bytes-per-second=400000")
    running.wait_for_content("noise", 300_000)
    elapsed_seconds = time.monotonic() - begun

    sent_bytes = sum(len(line) for line in running.lines)
    assert elapsed_seconds > (sent_bytes - 100_000 - FRAME_BYTES) / 400_000
    assert running.stop().complete


def test_nobody_at_the_other_end_ends_the_exporter(results: Path) -> None:
    """An exporter must not outlive a runner that was killed."""
    with subprocess.Popen(
        [*COMMAND, f"--results={results}", "--heartbeat-seconds=0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"hello" in process.stdout.readline()
        process.stdout.close()
        assert b"Broken pipe" in process.stderr.read()
    assert process.returncode == 1


def test_a_signal_during_the_start_is_kept_for_later(results: Path, received: Path) -> None:
    """A suite may fail before the exporter beside it has read its own program."""
    stream = ResultStream(received)
    (results / "junit.xml").write_text("<testsuite/>")
    # As process 1 of a container, and as the child of a runner that blocks signals meanwhile.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        process = subprocess.Popen([*COMMAND, f"--results={results}"], stdout=subprocess.PIPE)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    for line in output.splitlines():
        stream.feed(line)

    assert process.returncode == 0
    assert stream.finish().complete
    assert (received / "junit.xml").exists()


def test_the_last_word_fits_a_termination_message(
    start: Start, results: Path, tmp_path: Path
) -> None:
    """It survives in the pod's status when the log does not, and backs the manifest."""
    (results / "junit.xml").write_text("<testsuite/>")
    digest = tmp_path / "termination-log"
    digest.touch()
    running = start(f"--digest={digest}")
    running.stop()

    text = digest.read_text()
    assert len(text.encode()) <= DIGEST_BYTES
    last_word = json.loads(text)
    assert last_word["last"] == len(running.lines) - 1
    manifest = running.stream.manifest
    assert manifest is not None
    assert last_word["manifest_sha256"] == manifest.sha256
    assert running.stream.finish(digest=text).complete

    cut_short = ResultStream(tmp_path / "short")
    for line in running.lines[:-1]:
        cut_short.feed(line)
    completeness = cut_short.finish(digest=text)
    assert not completeness.complete
    assert completeness.missing == (range(len(running.lines) - 1, len(running.lines)),)


def test_a_file_for_the_last_word_is_never_created(start: Start, tmp_path: Path) -> None:
    """Outside a container the default path is in a system directory."""
    start(f"--digest={tmp_path / 'absent'}").stop()
    assert not (tmp_path / "absent").exists()
