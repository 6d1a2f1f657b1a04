"""Nothing that is named like a result is dropped in silence, and no attachment decides a run."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.execution.attempt import judge
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts
from floe_tests.exporter.directory import Found
from floe_tests.exporter.followed_file import FollowedFile
from floe_tests.exporter.follower import Follower
from floe_tests.exporter.frames import FrameWriter
from floe_tests.exporter.results import ROOT_BYTES, is_result, xml_root
from floe_tests.exporter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_tests.execution.stream import Completeness
    from floe_tests.execution.verdict.facts import ResultFacts
    from tests.functional.exporter.conftest import Start

FAST = "--bytes-per-second=1000000000"
GREEN = "<testsuite><testcase classname='t' name='good'/></testsuite>"
RED = "<testsuite><testcase classname='t' name='bad'><failure message='no'/></testcase></testsuite>"


def verdict_of(directory: Path, completeness: Completeness) -> tuple[str, ResultFacts]:
    """Judge what a test container with exit code 0 left, as a run does."""
    test = ContainerFacts(name="suite", state="terminated", exit_code=0)
    facts = Facts(subject="job/a", pod=PodFacts(name="pod", phase="Succeeded", test=test))
    judged, verdict = judge(facts, directory=directory, completeness=completeness)
    return str(verdict.cause), judged.results


@pytest.mark.parametrize(
    ("path", "head", "expected"),
    [
        ("junit.xml", b"", True),
        ("JUnit.XML", b"<x/>", True),
        ("a/b/junit-17.xml", b"", True),
        ("go-junit.xml", b"", True),
        ("suite.junit.xml", b"", True),
        ("TEST-com.acme.A.xml", b"", True),
        ("TESTS-TestSuites.xml", b"", True),
        ("test-results.xml", b"", True),
        ("TestResults.xml", b"<testsuites>", True),
        ("results.xml", b"", True),
        ("report.xml", b"", True),
        ("xunit.xml", b"", True),
        ("test_detail.xml", b"", True),
        ("pytest.xml", b"", True),
        ("report.xml", b"<?xml version='1.0'?>\n<coverage line-rate='1'>", False),
        ("xunit.xml", b"<assemblies>", False),
        ("out.xml", b'<?xml version="1.0"?><!-- a > b --><testsuite name="x">', True),
        ("out.xml", b"\xef\xbb\xbf\n<testsuites/>", True),
        ("out.xml", "<?xml version='1.0'?><testsuites>".encode("utf-16"), True),
        ("out.xml", b'<!DOCTYPE x><ns:testsuite xmlns:ns="y">', True),
        ("out.xml", b"<!DOCTYPE testsuite [<!ELEMENT testsuite (a)*>\n]>\n<testsuite>", True),
        ("out.xml", b"<!DOCTYPE a [<!ENTITY b ']>'> <!-- ]> -->]><junit:testsuite>", True),
        ("out.xml", b"<!DOCTYPE a [<!ELEMENT testsuite (a)*>]><report><testsuite>", False),
        ("out.xml", b"<?xml version='1.0'?><!--" + b"-" * 17_000 + b"--><testsuites>", True),
        ("out.xml", b"<!--" + b"x" * 17_000 + b"--><report><testsuite>", False),
        ("out.xml", "<!-- \u00e4 --><!DOCTYPE t [ ]><testsuite>".encode("utf-16-le"), True),
        ("out.xml", "\ufeff> shop@1.0.0 test\n\n<testsuites>".encode("utf-16-be"), True),
        ("acceptance.xml", b"\n> shop@1.0.0 test\n> jest\n\n<?xml version='1'?><testsuites>", True),
        ("acceptance.xml", b"\xef\xbb\xbf(node:7) <3 warning\n<u:TestSuite name='a'>", True),
        ("notes.xml", b"how a testsuite is written: <testsuitesx> <a:b:testsuite-x>", False),
        ("out.xml", b"<testsuitesx>", False),
        ("out.xml", b"<testsuit", False),
        ("out.xml", b"", False),
        ("latest.xml", b"", False),
        ("coverage.xml", b"", False),
        (".junit.xml.x7", b"<testsuite/>", False),
        (".junit.xml", b"<testsuite/>", False),
        ("junit.xml.log", b"<testsuite/>", False),
        ("events.jsonl", b"", True),
        ("soak.jsonl", b"", True),
        ("benchmark.json", b"", True),
        ("shard.json", b"", True),
        ("collection.json", b"", True),
        ("sub/collection.json", b"", False),
        ("sub/benchmark.json", b"", False),
    ],
)
def test_what_a_result_is(path: str, head: bytes, *, expected: bool) -> None:
    """By the names of many tools, and by what stands in the file."""
    assert is_result(path, head) is expected


@pytest.mark.parametrize(
    "piece",
    [
        b"<?",
        b"<!--",
        b"<!",
        b"<?x?>",
        b"<!-- -->",
        b"<!D [>",
        b"<a",
        b"<!D []>",
        b"<!>",
        b"<!D [] ",
        b"<a:",
    ],
)
def test_the_root_of_any_beginning_is_found_in_no_time(piece: bytes) -> None:
    """The beginning comes from a pod."""
    head = piece * (ROOT_BYTES // len(piece))
    assert xml_root(head) == ""


def in_a_folder_without_name(results: Path) -> Path:
    path = results / "/".join(["d"] * 17) / "junit-b.xml"
    path.parent.mkdir(parents=True)
    path.write_text(RED)
    return path


def on_a_long_path(results: Path) -> Path:
    path = results / "/".join(["d" * 200] * 4) / "junit-b.xml"
    path.parent.mkdir(parents=True)
    path.write_text(RED)
    return path


def with_control_characters(results: Path) -> Path:
    path = results / "junit-\x01\n\x1b[31m.xml"
    path.write_text(RED)
    return path


def not_utf_8(results: Path) -> Path:
    path = Path(os.fsdecode(os.fsencode(results) + b"/junit-\xff\xfe.xml"))
    path.write_text(RED)
    return path


def with_the_longest_name(results: Path) -> Path:
    path = results / ("junit-" + "x" * 245 + ".xml")
    path.write_text(RED)
    return path


def a_link_inside(results: Path) -> Path:
    path = results / "junit-b.xml"
    (results / "out").mkdir()
    (results / "out" / "x.dat").write_text(RED)
    path.symlink_to("out/x.dat")
    return path


def an_absolute_link_inside(results: Path) -> Path:
    path = results / "reports" / "junit-b.xml"
    path.parent.mkdir()
    (results / "x.dat").write_text(RED)
    path.symlink_to(results / "x.dat")
    return path


def a_link_through_links(results: Path) -> Path:
    path = results / "junit-b.xml"
    (results / "run-1").mkdir()
    (results / "run-1" / "x").write_text(RED)
    (results / "latest").symlink_to("run-1")
    (results / "again").symlink_to("latest/../latest/x")
    path.symlink_to("again")
    return path


def a_hard_link(results: Path) -> Path:
    path = results / "junit-b.xml"
    (results / "x").write_text(RED)
    path.hardlink_to(results / "x")
    return path


def under_another_name(results: Path) -> Path:
    path = results / "acceptance.xml"
    path.write_text(RED)
    return path


def behind_printed_lines(results: Path) -> Path:
    path = results / "acceptance.xml"
    path.write_text(f"\n> shop@1.0.0 test\n> run-tests\n\n{RED}")
    return path


def behind_a_long_comment(results: Path) -> Path:
    path = results / "acceptance.xml"
    path.write_text(f"<!--{'licence ' * 4096}-->\n{RED}")
    return path


def in_a_hidden_folder(results: Path) -> Path:
    path = results / ".reports" / "junit.xml"
    path.parent.mkdir()
    path.write_text(RED)
    return path


@pytest.mark.parametrize(
    "place",
    [
        in_a_folder_without_name,
        on_a_long_path,
        with_control_characters,
        not_utf_8,
        with_the_longest_name,
        a_link_inside,
        an_absolute_link_inside,
        a_link_through_links,
        a_hard_link,
        under_another_name,
        behind_printed_lines,
        behind_a_long_comment,
        in_a_hidden_folder,
    ],
)
def test_a_failure_is_read_wherever_its_file_is(
    start: Start, results: Path, received: Path, place: Callable[[Path], Path]
) -> None:
    """Each of these was a green run, because the file was left out."""
    (results / "junit.xml").write_text(GREEN)
    place(results)

    completeness = start().stop()

    assert completeness.complete, completeness.problems
    cause, facts = verdict_of(received, completeness)
    assert (cause, facts.failures) == ("TEST_FAILURE", ("t::bad",))


def test_a_result_whose_document_type_declares_entities_is_not_read_and_named(
    start: Start, results: Path, received: Path
) -> None:
    (results / "junit.xml").write_text(GREEN)
    (results / "out.xml").write_text(f"<!DOCTYPE testsuite [<!ENTITY a 'aaaa'>]>{RED}")

    cause, facts = verdict_of(received, start().stop())

    assert cause == "RESULT_LOST"
    assert "out.xml cannot be used: its document type declares entities" in facts.problems[0]


def out_of_the_results(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def up_and_out(path: Path, outside: Path) -> None:
    path.symlink_to(f"../{outside.name}")


def to_nowhere(path: Path, _outside: Path) -> None:
    path.symlink_to("gone.dat")


def in_circles(path: Path, _outside: Path) -> None:
    path.symlink_to(path.name)


def to_a_folder(path: Path, _outside: Path) -> None:
    (path.parent / "x").mkdir()
    path.symlink_to("x")


def a_folder(path: Path, _outside: Path) -> None:
    path.mkdir()


def a_fifo(path: Path, _outside: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path, _outside: Path) -> None:
    # The address of a socket is short, and a temporary directory's name is not.
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(path.parent):
        listener.bind(path.name)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (out_of_the_results, "a symbolic link leads out of the results"),
        (up_and_out, "a symbolic link leads out of the results"),
        (to_nowhere, "a symbolic link leads nowhere"),
        (in_circles, "a symbolic link leads in circles"),
        (to_a_folder, "a symbolic link leads to what is no regular file"),
        (a_folder, "a folder has the name of a result file"),
        (a_fifo, "a FIFO is not a regular file"),
        (a_socket, "a socket is not a regular file"),
    ],
)
@pytest.mark.parametrize("name", ["junit-b.xml", "results.xml", "events.jsonl"])
def test_a_result_that_cannot_be_sent_makes_the_results_incomplete(
    start: Start,
    results: Path,
    received: Path,
    make: Callable[[Path, Path], None],
    reason: str,
    name: str,
) -> None:
    """It names the file, and nothing from outside comes along."""
    outside = results.parent / "outside.xml"
    outside.write_text(RED)
    (results / "junit.xml").write_text(GREEN)
    make(results / name, outside)

    completeness = start().stop()

    assert (completeness.problems, completeness.refused) == ((), (f"{name}: {reason}",))
    cause, facts = verdict_of(received, completeness)
    assert (cause, facts.failures) == ("RESULT_LOST", ())


@pytest.mark.parametrize("name", ["data.bin", "coverage.xml", "latest", "sub/collection.json"])
@pytest.mark.parametrize(
    "make", [out_of_the_results, to_nowhere, in_circles, to_a_folder, a_folder, a_fifo, a_socket]
)
def test_an_attachment_that_cannot_be_sent_decides_nothing(
    start: Start,
    results: Path,
    received: Path,
    make: Callable[[Path, Path], None],
    name: str,
) -> None:
    """A notice at most."""
    (results / "sub").mkdir()
    (results / "junit.xml").write_text(GREEN)
    make(results / name, results.parent / "outside.xml")

    completeness = start().stop()

    assert completeness.complete, completeness.problems
    assert verdict_of(received, completeness)[0] == "PASS"


needs_modes = pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="root may read everything"
)


def close(path: Path) -> None:
    """Take every right away."""
    path.chmod(0)


@needs_modes
@pytest.mark.parametrize(
    ("name", "cause"), [("junit-b.xml", "RESULT_LOST"), ("core.bin", "PASS"), ("x.xml", "PASS")]
)
def test_a_file_that_the_exporter_may_not_read(
    start: Start, results: Path, received: Path, name: str, cause: str
) -> None:
    """It may be another user than the tests, and is told which file."""
    (results / "junit.xml").write_text(GREEN)
    (results / name).write_text(RED)
    close(results / name)

    completeness = start(obeys_modes=True).stop()

    told = completeness.refused if cause == "RESULT_LOST" else completeness.notices
    assert f"{name}: Permission denied" in told
    assert verdict_of(received, completeness)[0] == cause


@needs_modes
def test_a_file_that_becomes_readable_in_time_is_no_problem(start: Start, results: Path) -> None:
    """What counts is how it is at the end."""
    (results / "junit.xml").write_text(GREEN)
    close(results / "junit.xml")
    running = start("--heartbeat-seconds=0.05", obeys_modes=True)
    running.wait_until(lambda: len(running.lines) > 3)
    (results / "junit.xml").chmod(0o644)
    completeness = running.stop()
    assert completeness.complete, completeness.problems
    assert [file.path for file in completeness.verified] == ["junit.xml"]


@needs_modes
@pytest.mark.parametrize(("collected", "cause"), [(1, "PASS"), (None, "RESULT_LOST")])
def test_a_folder_that_the_exporter_may_not_read_is_a_doubt(
    start: Start, results: Path, received: Path, collected: int | None, cause: str
) -> None:
    """There may be results in it; that all collected tests were reported rules it out."""
    (results / "junit.xml").write_text(GREEN)
    if collected is not None:
        (results / "collection.json").write_text(f'{{"collected": {collected}}}')
    (results / "private").mkdir()
    close(results / "private")

    completeness = start(obeys_modes=True).stop()
    (results / "private").chmod(0o755)

    assert completeness.complete, completeness.problems
    assert completeness.doubts == ("private: Permission denied",)
    assert verdict_of(received, completeness)[0] == cause


@pytest.mark.parametrize(("collected", "cause"), [(1, "PASS"), (None, "RESULT_LOST")])
def test_a_link_to_reports_elsewhere_is_a_doubt(
    start: Start, results: Path, received: Path, collected: int | None, cause: str
) -> None:
    """`ln -s /app/target/surefire-reports /results/`: only the tests' container has them."""
    (results / "junit.xml").write_text(GREEN)
    if collected is not None:
        (results / "collection.json").write_text(f'{{"collected": {collected}}}')
    (results / "surefire-reports").symlink_to("/app/target/surefire-reports")
    (results / "profile").symlink_to("/app/profile")

    completeness = start().stop()

    told = "surefire-reports: a symbolic link leads out of the results"
    assert completeness.doubts == (told,)
    assert "profile: a symbolic link is not followed" in completeness.notices
    assert verdict_of(received, completeness)[0] == cause


def test_a_result_that_goes_before_it_is_sent_is_a_problem(start: Start, results: Path) -> None:
    """One that is renamed meanwhile is sent by its new name, and one that was sent is there."""
    (results / "junit.xml").write_text(GREEN)
    running = start()
    running.wait_for_content("junit.xml", len(GREEN))
    # A stopped exporter sees no file, so the look that finds it and the read are made by hand.
    root = os.open(results, os.O_RDONLY | os.O_DIRECTORY)
    sent: list[bytes] = []
    settings = Settings(results=str(results), bytes_per_second=10**9)
    writer = FrameWriter(settings, session="s", write=sent.append)
    follower = Follower(root, settings, writer)
    for name in ("TEST-lost.xml", "TEST-renamed.xml", "core.bin"):
        (results / name).write_text(RED)
    follower.survey()
    (results / "TEST-lost.xml").unlink()
    (results / "core.bin").unlink()
    (results / "TEST-renamed.xml").rename(results / "TEST-final.xml")
    follower.send_pass(until=float("inf"), is_final=True)
    follower.survey()
    refused, more = follower.refusals()
    os.close(root)
    assert more == 0
    assert [(entry.path, entry.reason) for entry in refused] == [("TEST-lost.xml", "vanished")]
    assert f"it went before its {len(RED)} bytes could be sent" in refused[0].detail
    assert running.stop().complete


def test_a_thousand_and_fifty_files_of_surefire_are_all_read(
    start: Start, results: Path, received: Path
) -> None:
    """The last fifty hold the failures. A thousand was the cap, and the run was green."""
    for number in range(1050):
        content = RED if number >= 1000 else GREEN
        named = content.replace("'t'", f"'com.acme.T{number:04}'")
        (results / f"TEST-com.acme.T{number:04}.xml").write_text(named)

    completeness = start(FAST).stop()

    assert completeness.complete, completeness.problems
    cause, facts = verdict_of(received, completeness)
    assert (cause, facts.reported, facts.failed) == ("TEST_FAILURE", 1050, 50)


def test_results_beyond_the_cap_are_a_problem_and_attachments_a_notice(
    start: Start, results: Path, received: Path
) -> None:
    """Both are bounded, each by its own number, and only one of them decides."""
    for number in range(30):
        (results / f"TEST-{number}.xml").write_text(GREEN)
        (results / f"{number}.log").write_text("x")
    few = start("--result-files=20", "--files=10").stop()
    assert len(few.refused) == 10
    assert all("files beyond the cap of 20 are left out" in problem for problem in few.refused)
    assert all(problem.startswith("TEST-") for problem in few.refused)
    assert "files beyond the cap of 10" in few.notices
    assert verdict_of(received, few)[0] == "RESULT_LOST"


def test_an_xml_file_beyond_the_cap_may_have_been_a_result(start: Start, results: Path) -> None:
    """Its name says nothing, and nobody has looked into it."""
    for name in ("a.xml", "b.xml"):
        (results / name).write_text(GREEN)
    (refusal,) = start("--result-files=1").stop().refused
    assert refusal.endswith(".xml: files beyond the cap of 1 are left out")


def test_attachments_without_number_do_not_hide_results(start: Start, results: Path) -> None:
    """Names are looked at, files are not: results are found among any number of others."""
    (results / "junk").mkdir()
    for number in range(3000):
        (results / "junk" / f"{number}").touch()
    (results / "junk" / "TEST-a.xml").write_text(GREEN)
    (results / "zzz").mkdir()
    (results / "zzz" / "out.xml").write_text(GREEN)
    completeness = start("--files=5").stop()
    assert completeness.complete, completeness.problems
    roles = {file.path: file.role for file in completeness.verified}
    assert len(roles) == 7
    assert roles["junk/TEST-a.xml"] == roles["zzz/out.xml"] == "result"


def test_an_xml_file_becomes_a_result_when_its_content_says_so(
    start: Start, results: Path, received: Path
) -> None:
    """It is empty at first, as a file is that a tool has just opened."""
    (results / "acceptance.xml").touch()
    (results / "report.xml").touch()
    running = start()
    running.wait_until(lambda: len(running.lines) > 2)
    (results / "acceptance.xml").write_text(RED)
    (results / "report.xml").write_text("<coverage/>")
    completeness = running.stop()
    assert {file.path: file.role for file in completeness.verified} == {
        "acceptance.xml": "result",
        "report.xml": "attachment",
    }
    assert verdict_of(received, completeness)[0] == "TEST_FAILURE"


def test_an_attachment_that_is_a_folder_later_decides_nothing(
    start: Start, results: Path, received: Path
) -> None:
    """Both arrive; the second beside the first."""
    (results / "junit.xml").write_text(GREEN)
    (results / "a").write_text("file")
    running = start()
    running.wait_for_content("a", 4)
    (results / "a").unlink()
    (results / "a").mkdir()
    (results / "a" / "x").write_text("in the folder")
    (results / "a.b").mkdir()
    (results / "a.b" / "x").write_text("beside")
    completeness = running.stop()
    assert completeness.complete, completeness.problems
    assert verdict_of(received, completeness)[0] == "PASS"
    assert (received / ".beside" / "1" / "a" / "x").read_text() == "in the folder"
    assert (received / "a.b" / "x").read_text() == "beside"


def test_a_sparse_attachment_of_a_terabyte_is_cut(start: Start, results: Path) -> None:
    """And costs no more than the cap of a file."""
    with (results / "disk.img").open("wb") as file:
        file.truncate(2**40)
    (results / "junit.xml").write_text(GREEN)
    completeness = start(FAST, "--file-bytes=1000000").stop()
    assert completeness.complete, completeness.problems
    assert f"disk.img: 1000000 of {2**40} bytes were sent" in completeness.notices


def test_attachments_named_like_files_of_the_receiving_side_arrive(
    start: Start, results: Path, received: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    """The folder of received files is theirs alone."""
    for name in ("attempt.json", "pod.log", "frames.log", "lease.json", "verdict.json"):
        (results / name).write_text(name)
    completeness = start().stop()
    assert completeness.complete, completeness.problems
    assert contents(received) == contents(results)


def test_twenty_thousand_results_fit_into_the_sidecars_memory() -> None:
    """It has 64Mi, of which Python takes a dozen, and the manifest five."""
    tracemalloc.start()
    try:
        files = [FollowedFile(f"TEST-{n}.xml", Found(f"TEST-{n}.xml")) for n in range(1000)]
        for file in files:
            file.advance(os.urandom(600))
            file.rest()
        used_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used_bytes / len(files) < 1300
