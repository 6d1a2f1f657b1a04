"""The receiver believes nothing that is not proved, loses nothing that came, and never raises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floe_tests.execution.stream import ResultStream, StreamLimits
from floe_tests.exporter.frames import FrameWriter, frame_line, header
from floe_tests.exporter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SESSION = "0123456789abcdef"
NEXT_SESSION = "fedcba9876543210"


def frame(number: int, kind: str, *, session: str = SESSION, **fields: object) -> bytes:
    """Write any frame at all, with a checksum that fits."""
    return frame_line(b"", {**header(session, number, kind), **fields})


def data(
    number: int,
    path: str,
    offset: int,
    content: bytes,
    /,
    *,
    session: str = SESSION,
    **more: object,
) -> bytes:
    """Write a data frame as the exporter does, with fields to spoil."""
    body = base64.b64encode(zlib.compress(content)).decode()
    place = {"path": path, "generation": 0, "offset": offset, "size": len(content), "body": body}
    return frame(number, "data", session=session, **{**place, **more})


def manifest(
    number: int,
    files: Mapping[str, bytes],
    /,
    *,
    session: str = SESSION,
    entry: Mapping[str, object] | None = None,
    **more: object,
) -> bytes:
    """Write a manifest of one frame."""
    document = {
        "run": "run-1",
        "frames": number,
        "settled": True,
        "notices": 0,
        "collected": 2,
        "deselected": 0,
        "files": [
            {
                "path": path,
                "role": "result",
                "generation": 0,
                "size": len(content),
                "sent": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "deleted": False,
                **(entry or {}),
            }
            for path, content in files.items()
        ],
        **more,
    }
    content = json.dumps(document).encode()
    place: dict[str, object] = {
        "offset": 0,
        "total": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "body": base64.b64encode(zlib.compress(content)).decode(),
    }
    return frame(number, "manifest", session=session, **place)


def whole_stream(session: str = SESSION) -> tuple[list[bytes], dict[str, bytes]]:
    """Return the lines of a small run and what its files hold."""
    files = {"events.jsonl": b"one\ntwo\nthree\n", "logs/a": b"a" * 50, "empty": b""}
    lines = [
        frame(0, "hello", session=session, version=1, run="run-1"),
        data(1, "events.jsonl", 0, b"one\n", session=session),
        data(2, "logs/a", 0, b"a" * 50, session=session),
        data(3, "events.jsonl", 4, b"two\n", session=session),
        frame(4, "heartbeat", session=session),
        data(5, "empty", 0, b"", session=session),
        data(6, "events.jsonl", 8, b"three\n", session=session),
        manifest(7, files, session=session),
    ]
    return lines, files


def feed_all(stream: ResultStream, lines: Sequence[bytes]) -> None:
    """Feed lines in this order."""
    for line in lines:
        stream.feed(line)


def stored(directory: Path) -> dict[str, bytes]:
    """Read what the receiver wrote."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_whole_stream_is_complete(tmp_path: Path) -> None:
    """The plain case, with and without what Kubernetes puts before a line."""
    lines, files = whole_stream()
    stream = ResultStream(tmp_path)
    for line in lines[:3]:
        stream.feed("2026-11-23T09:00:00.123456789Z " + line.decode())
    feed_all(stream, lines[3:])

    completeness = stream.finish()

    assert completeness.complete, completeness.problems
    assert stored(tmp_path) == files
    assert stream.next_number == 8
    assert stream.manifest is not None
    assert stream.manifest.collected == 2
    assert [file.path for file in completeness.verified] == list(files)


def test_a_report_tells_what_a_line_was(tmp_path: Path) -> None:
    """The runner shows progress from it."""
    lines, _ = whole_stream()
    stream = ResultStream(tmp_path)
    report = stream.feed(lines[0])
    assert (report.kind, report.number, report.growths) == ("control", 0, ())
    report = stream.feed(lines[1])
    assert report.kind == "data"
    assert [(g.path, g.offset, g.data) for g in report.growths] == [("events.jsonl", 0, b"one\n")]
    assert stream.feed(lines[1]).kind == "duplicate"
    assert stream.feed(lines[3]).kind == "waiting"
    released = stream.feed(lines[2])
    assert [growth.path for growth in released.growths] == ["logs/a", "events.jsonl"]
    assert stream.feed("Traceback (most recent call last):").kind == "other"
    assert stream.other_lines == ("Traceback (most recent call last):",)
    assert stream.feed(lines[4].replace(b"heartbeat", b"heartbeet")).kind == "corrupt"


def test_the_time_of_the_last_frame_is_that_of_a_believed_one(tmp_path: Path) -> None:
    """Noise must not keep a dead stream alive."""
    now = iter([10.0, 20.0])
    stream = ResultStream(tmp_path, clock=lambda: next(now))
    assert stream.last_frame_monotonic is None
    stream.feed(frame(0, "hello"))
    stream.feed("noise")
    stream.feed(b'{"floe":1,"checksum":"0"}')
    assert stream.last_frame_monotonic == 10.0


@settings(deadline=None, max_examples=50)
@given(
    order=st.permutations(range(8)),
    again=st.lists(st.integers(0, 7), max_size=8),
    spoiled=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 10_000)), max_size=4),
)
def test_order_repetition_and_corruption_change_nothing(
    order: list[int],
    again: list[int],
    spoiled: list[tuple[int, int]],
) -> None:
    """As long as each frame comes whole once."""
    lines, files = whole_stream()
    sent = [lines[number] for number in (*order, *again)]
    for number, place in spoiled:
        line = bytearray(lines[number].rstrip())
        line[place % len(line)] ^= 0x01
        sent.insert(place % (len(sent) + 1), bytes(line))
    with tempfile.TemporaryDirectory() as directory:
        stream = ResultStream(Path(directory))

        feed_all(stream, sent)

        assert stream.missing == ()
        assert stream.finish().complete
        assert stored(Path(directory)) == files


@pytest.mark.parametrize("absent", [1, 2, 3, 6])
def test_lost_content_is_named_and_the_rest_is_kept(tmp_path: Path, absent: int) -> None:
    """43 of 60 results are worth more than none, and are never taken for 60."""
    lines, _ = whole_stream()
    stream = ResultStream(tmp_path)
    feed_all(stream, lines[:absent] + lines[absent + 1 :])
    assert stream.missing == (range(absent, absent + 1),)
    assert stream.next_number == absent

    completeness = stream.finish()

    assert not completeness.complete
    assert f"1 frames did not arrive: {absent}" in completeness.problems
    assert (tmp_path / "events.jsonl").read_bytes().endswith((b"three\n", b"two\n"))


def test_a_lost_heartbeat_loses_no_result(tmp_path: Path) -> None:
    """What the checksums of all files prove, a gap in the numbers does not disprove."""
    lines, files = whole_stream()
    stream = ResultStream(tmp_path)
    feed_all(stream, lines[:4] + lines[5:])

    completeness = stream.finish()

    assert completeness.complete
    assert completeness.missing == (range(4, 5),)
    assert "1 frames did not arrive: 4" in completeness.notices
    assert stored(tmp_path) == files


def test_without_a_manifest_nothing_is_complete(tmp_path: Path) -> None:
    """An exporter that was killed, or never there."""
    assert any("no frame arrived" in text for text in ResultStream(tmp_path).finish().problems)
    lines, _ = whole_stream()
    stream = ResultStream(tmp_path)
    feed_all(stream, lines[:-1])
    problems = stream.finish().problems
    assert problems == ("the manifest did not arrive: the stream ends after frame 6",)


def test_time_that_ran_out_on_attachments_alone_is_a_notice(tmp_path: Path) -> None:
    """The exporter proves results first; a core dump that did not fit makes no green run red."""
    late = "the exporter ran out of time before it had sent everything"
    content = {"junit.xml": b"<testsuite/>"}
    for more, complete in (
        ({"settled": False}, False),
        ({"settled": False, "results_settled": False}, False),
        ({"settled": False, "results_settled": True}, True),
    ):
        stream = ResultStream(tmp_path / f"{len(more)}{complete}")
        feed_all(stream, [data(0, "junit.xml", 0, content["junit.xml"])])
        stream.feed(manifest(1, content, **more))
        completeness = stream.finish()
        assert completeness.complete is complete
        assert late in (completeness.notices if complete else completeness.problems)


def test_a_notice_that_is_no_legible_text_is_made_one(tmp_path: Path) -> None:
    """It goes into a database, into JSON and onto terminals."""
    stream = ResultStream(tmp_path)
    stream.feed(frame(0, "notice", path="a\ud800", detail="\x1b[2Jgone\x00\x9b"))
    assert stream.notices == ("a\ufffd: gone\\x00\\x9b",)


def test_the_last_word_tells_what_the_log_lost(tmp_path: Path) -> None:
    """The pod's status says how many frames there were."""
    lines, _ = whole_stream()
    stream = ResultStream(tmp_path)
    feed_all(stream, lines[:5])
    last_word = json.dumps({"session": SESSION, "last": 7, "manifest_sha256": "x"})

    completeness = stream.finish(digest=last_word)

    assert completeness.missing == (range(5, 8),)
    assert "3 frames did not arrive: 5-7" in completeness.problems


@pytest.mark.parametrize("digest", ["", "no JSON", "[]", '{"session": 3}', '{"last": 1}', "\0"])
def test_a_last_word_that_cannot_be_read_changes_nothing(tmp_path: Path, digest: str) -> None:
    """A container may leave anything there."""
    stream = ResultStream(tmp_path)
    feed_all(stream, whole_stream()[0])
    assert stream.finish(digest=digest).complete


def test_a_last_word_about_another_manifest_is_a_problem(tmp_path: Path) -> None:
    """Two proofs that disagree prove nothing."""
    stream = ResultStream(tmp_path)
    feed_all(stream, whole_stream()[0])
    last_word = json.dumps({"session": SESSION, "last": 7, "manifest_sha256": "0" * 64})
    assert not stream.finish(digest=last_word).complete


def test_a_key_keeps_forged_frames_out(tmp_path: Path) -> None:
    """A test that can write to the exporter's output does not know its key."""
    stream = ResultStream(tmp_path, key=b"secret")
    assert stream.feed(data(0, "junit.xml", 0, b"<testsuite/>")).kind == "corrupt"
    genuine = frame_line(b"secret", header(SESSION, 0, "heartbeat"))
    assert stream.feed(genuine).kind == "control"
    assert stored(tmp_path) == {}


BOMB = base64.b64encode(zlib.compress(b"\0" * 5_000_000)).decode()
TRAILING = base64.b64encode(zlib.compress(b"abc") + b"x").decode()


@pytest.mark.parametrize(
    "line",
    [
        data(0, "/etc/cron.d/x", 0, b"x"),
        data(0, "../x", 0, b"x"),
        data(0, "a/../../x", 0, b"x"),
        data(0, "a//b", 0, b"x"),
        data(0, ".", 0, b"x"),
        data(0, "", 0, b"x"),
        data(0, "a\0b", 0, b"x"),
        data(0, "a\nb", 0, b"x"),
        data(0, "\ud800", 0, b"x"),
        data(0, "x" * 600, 0, b"x"),
        data(0, "x" * 300, 0, b"x"),
        data(0, "x", 0, b"x", body=BOMB),
        data(0, "x", 0, b"x", body=BOMB, size=10**12),
        data(0, "x", 0, b"x", size=2),
        data(0, "x", 0, b"x", size=0),
        data(0, "x", 0, b"x", body="not base64!"),
        data(0, "x", 0, b"x", body=base64.b64encode(b"not zlib").decode()),
        data(0, "x", 0, b"x", body=None),
        data(0, "x", -1, b"x"),
        data(0, "x", 0, b"x", offset="0"),
        data(0, "x", 0, b"x", offset=True),
        data(0, "x", 10**15, b"x"),
        data(0, "x", 64 * 1024 * 1024, b"x"),
        data(0, "x", 0, b"x", generation=None),
        frame(0, "data"),
        frame(0, "replaced", path="../x", generation=1),
        frame(0, "lost", path="x"),
        frame(0, "notice"),
        frame(0, "notice", path=[], detail={}),
        frame(0, "manifest"),
        manifest(0, {"../x": b""}),
        manifest(0, {}, files={"a": 1}),
        manifest(0, {}, files=[1]),
        manifest(0, {}, files=[{}]),
        manifest(0, {}, refused=[{}]),
        manifest(0, {}, refused=7),
        manifest(0, {}, refused_more="x"),
        manifest(0, {}, run=None),
        manifest(0, {}, collected=-4),
        manifest(0, {"x": b""}, entry={"sha256": 4}),
    ],
)
def test_a_hostile_frame_is_refused_and_named(tmp_path: Path, line: bytes) -> None:
    """Its checksum fits, so a pod that other people's code took over has sent it."""
    directory = tmp_path / "inside"
    stream = ResultStream(directory)
    assert stream.feed(line).growths == ()

    completeness = stream.finish()

    assert not completeness.complete
    assert stream.manifest is None
    assert {name for name, content in stored(tmp_path).items() if content} == set()
    assert any(
        "frame 0" in problem and ("refused" in problem or "stored" in problem)
        for problem in completeness.problems
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"floe":',
        b'{"floe":1}',
        frame(0, "hello")[:-20],
        frame_line(b"", {"floe": 2, "session": "s", "number": 0, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": "", "number": 0, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": 7, "number": 0, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": "s", "number": -1, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": "s", "number": 0.5, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": "s", "number": 10**30, "type": "hello"}),
        frame_line(b"", {"floe": 1, "session": "s", "number": 0, "type": None}),
        frame(0, "hello", padding="x" * 20_000),
    ],
)
def test_what_is_no_believable_frame_is_corrupt(tmp_path: Path, line: bytes) -> None:
    """It changes nothing, not even what is expected next."""
    stream = ResultStream(tmp_path)
    assert stream.feed(line).kind == "corrupt"
    assert stream.next_number == 0
    assert stream.missing == ()


def test_json_that_would_exhaust_the_stack_is_corrupt(tmp_path: Path) -> None:
    """Even with a checksum that fits."""
    head = b'{"floe":1,"deep":' + b"[" * 7000
    checksum = hmac.new(b"", head, "sha256").hexdigest()[:32].encode()
    line = head + b',"checksum":"' + checksum + b'"}'
    assert ResultStream(tmp_path).feed(line).kind == "corrupt"


@given(line=st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_no_line_raises(tmp_path_factory: pytest.TempPathFactory, line: bytes | str) -> None:
    """A log can hold anything."""
    stream = ResultStream(tmp_path_factory.getbasetemp() / "any")
    assert stream.feed(line).growths == ()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=100)
@given(
    kind=st.sampled_from(["data", "manifest", "replaced", "lost", "notice", "hello", "other"]),
    fields=st.dictionaries(
        st.sampled_from(["path", "generation", "offset", "size", "body", "total", "sha256"]),
        JSON_VALUES,
    ),
)
def test_no_believable_frame_raises_or_leaves_the_directory(
    kind: str, fields: dict[str, object]
) -> None:
    """Whatever its fields hold."""
    with tempfile.TemporaryDirectory() as base:
        stream = ResultStream(Path(base) / "inside")
        stream.feed(frame_line(b"", {**header(SESSION, 0, kind), **fields}))
        stream.finish()
        assert [path.name for path in Path(base).iterdir()] == ["inside"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("a", "a/b"), ("a/b", "a"), ("x", ".replaced/0/junit.xml"), ("x", ".beside/1/x")],
)
def test_a_file_whose_place_is_taken_is_kept_beside(
    tmp_path: Path, first: str, second: str
) -> None:
    """A file that is a folder later, or a name that this side uses itself."""
    stream = ResultStream(tmp_path)
    content = {first: b"first", second: b"second", "c": b"x"}
    for number, (path, text) in enumerate(content.items()):
        stream.feed(data(number, path, 0, text))
    stream.feed(manifest(3, content))

    completeness = stream.finish()

    assert completeness.complete, completeness.problems
    assert stored(tmp_path) == {first: b"first", f".beside/1/{second}": b"second", "c": b"x"}
    assert f"{second}: kept as .beside/1/{second}" in completeness.notices


def test_a_dot_and_a_slash_are_two_names(tmp_path: Path) -> None:
    """`a.b/x` beside `a/b/x`, and names that differ by case alone where the disk can tell them."""
    stream = ResultStream(tmp_path)
    names = ("a.b/x", "a/b/x", "a/b.x", "A.b/x", "caf\u00e9", "cafe\u0301")
    content = {name: name.encode() for name in names}
    for number, (path, text) in enumerate(content.items()):
        stream.feed(data(number, path, 0, text))
    stream.feed(manifest(len(names), content))
    assert stream.finish().complete
    assert sorted(stored(tmp_path).values()) == sorted(content.values())


def test_what_happens_to_an_attachment_on_this_side_is_a_notice(tmp_path: Path) -> None:
    """And the same of a result a problem."""
    for role, complete in (("attachment", True), ("result", False)):
        stream = ResultStream(tmp_path / role, limits=StreamLimits(file_bytes=50))
        stream.feed(data(0, "x", 0, b"x" * 100))
        stream.feed(manifest(1, {"x": b"x" * 100}, entry={"role": role}))
        completeness = stream.finish()
        assert completeness.complete is complete
        told = completeness.notices if complete else completeness.problems
        assert any("frame 0 (data) was refused" in text for text in told)


def test_an_attachment_that_is_gone_in_the_pod_decides_nothing_either(tmp_path: Path) -> None:
    """The manifest does not name it any more; its own name is no result's."""
    stream = ResultStream(tmp_path, limits=StreamLimits(file_bytes=50))
    stream.feed(data(0, "x.log", 0, b"x" * 100))
    stream.feed(manifest(1, {}))
    assert stream.finish().complete
    stream = ResultStream(tmp_path, limits=StreamLimits(file_bytes=50))
    stream.feed(data(0, "junit.xml", 0, b"x" * 100))
    stream.feed(manifest(1, {}))
    assert not stream.finish().complete


def test_what_the_exporter_refused_was_not_lost_on_the_way(tmp_path: Path) -> None:
    """A result by its name; a folder may hold some."""
    stream = ResultStream(tmp_path)
    refused = [
        {"path": "junit.xml", "detail": "Permission denied", "role": "result", "reason": "x"},
        {"path": "deep", "detail": "Permission denied", "role": "folder", "reason": "x"},
    ]
    stream.feed(manifest(0, {}, refused=refused, refused_more=3))
    completeness = stream.finish()
    assert not completeness.complete
    assert completeness.problems == ()
    assert completeness.refused == (
        "junit.xml: Permission denied",
        "3 more were not sent",
    )
    assert completeness.doubts == ("deep: Permission denied",)


def test_a_link_in_the_directory_is_not_written_through(tmp_path: Path) -> None:
    """Whoever put it there."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "junit.xml").symlink_to(victim)
    stream = ResultStream(tmp_path / "in")
    stream.feed(data(0, "junit.xml", 0, b"yours"))
    assert victim.read_text() == "mine"
    assert (tmp_path / "in" / "junit.xml").read_text() == "yours"


def test_files_and_bytes_are_bounded_on_this_side_too(tmp_path: Path) -> None:
    """The pod's own caps are not trusted."""
    stream = ResultStream(
        tmp_path, limits=StreamLimits(attachments=3, total_bytes=1000, file_bytes=600)
    )
    for number in range(5):
        stream.feed(data(number, f"{number}", 0, b"x" * 100))
    assert len(stored(tmp_path)) == 3
    stream.feed(data(5, "0", 100, b"x" * 501))
    stream.feed(data(6, "0", 100, b"x" * 500))
    stream.feed(data(7, "1", 100, b"x" * 300))
    assert sum(map(len, stored(tmp_path).values())) <= 1000
    assert len([p for p in stream.finish().problems if "refused" in p]) == 4


def test_frames_that_wait_are_bounded_and_can_be_asked_for_again(tmp_path: Path) -> None:
    """A gap that never closes must not fill the disk."""
    stream = ResultStream(tmp_path, limits=StreamLimits(waiting_bytes=3000))
    lines = [data(number, "x", 10 * number, b"0123456789") for number in range(40)]
    kinds = [stream.feed(line).kind for line in lines[1:]]
    refused = kinds.index("refused") + 1
    assert set(kinds[refused:]) == {"refused"}
    assert stream.missing == (range(1), range(refused, 40))

    feed_all(stream, lines)
    feed_all(stream, lines)

    assert stream.missing == ()
    assert (tmp_path / "x").read_bytes() == b"0123456789" * 40


def test_a_large_gap_is_released_in_bounded_parts(tmp_path: Path) -> None:
    """One line must not return 200 MiB; what is left is drained."""
    stream = ResultStream(tmp_path)
    lines = [data(number, "x", number, b"a") for number in range(1000)]
    feed_all(stream, lines[1:])
    released = len(stream.feed(lines[0]).growths)
    assert 1 < released <= 65
    while growths := stream.drain().growths:
        released += len(growths)
    assert released == 1000
    assert stream.next_number == 1000


def test_a_new_session_replaces_the_old_one_and_the_old_one_is_stale(tmp_path: Path) -> None:
    """The exporter's container was restarted; its first log may be read again later."""
    old, _ = whole_stream()
    new, files = whole_stream(NEXT_SESSION)
    stream = ResultStream(tmp_path)
    feed_all(stream, old[:4])
    reports = [stream.feed(line) for line in new]
    assert stream.feed(old[4]).kind == "stale"

    growths = [growth for report in reports for growth in report.growths]
    assert b"".join(g.data for g in growths if g.path == "events.jsonl") == b"three\n"
    assert not any(growth.restarted for growth in growths)
    assert stream.finish().complete
    assert stored(tmp_path) == files


def test_a_new_session_with_other_content_voids_the_old(tmp_path: Path) -> None:
    """The file was replaced while no exporter was there to see it."""
    stream = ResultStream(tmp_path)
    stream.feed(data(0, "x", 0, b"old content, long"))
    assert stream.feed(data(0, "x", 0, b"old ", session=NEXT_SESSION)).growths == ()
    growth = stream.feed(data(1, "x", 4, b"and new", session=NEXT_SESSION)).growths[0]
    assert (growth.offset, growth.data, growth.restarted) == (4, b"and new", True)
    assert growth.file.read_bytes() == b"old and new"
    stream.feed(manifest(2, {"x": b"old and new"}, session=NEXT_SESSION))
    assert stream.finish().complete
    assert stored(tmp_path) == {"x": b"old and new"}


def test_a_shorter_file_in_a_new_session_loses_its_old_end(tmp_path: Path) -> None:
    """The manifest decides where a file ends."""
    stream = ResultStream(tmp_path)
    stream.feed(data(0, "x", 0, b"beginning, end"))
    stream.feed(data(0, "x", 0, b"beginning", session=NEXT_SESSION))
    stream.feed(manifest(1, {"x": b"beginning"}, session=NEXT_SESSION))
    assert stream.finish().complete
    assert stored(tmp_path) == {"x": b"beginning"}


def test_an_exporter_that_starts_over_and_over_is_refused(tmp_path: Path) -> None:
    """Each start may send everything; together they are bounded."""
    stream = ResultStream(tmp_path, limits=StreamLimits(sessions=3))
    kinds = [stream.feed(frame(0, "hello", session=f"s{count}")).kind for count in range(6)]
    assert kinds == ["control"] * 4 + ["refused"] * 2


def test_a_replaced_file_begins_again(tmp_path: Path) -> None:
    """And late content of the earlier generation is dropped."""
    stream = ResultStream(tmp_path)
    stream.feed(data(0, "x", 0, b"first generation"))
    stream.feed(frame(1, "replaced", path="x", generation=1, reason="it shrank"))
    stream.feed(data(2, "x", 16, b"late"))
    growth = stream.feed(data(3, "x", 0, b"second", generation=1)).growths[0]
    assert (growth.offset, growth.restarted) == (0, True)
    stream.feed(manifest(4, {"x": b"second"}))
    assert stream.finish().complete
    assert stored(tmp_path) == {"x": b"second"}


def test_what_a_replaced_result_held_is_kept(tmp_path: Path) -> None:
    """Each version in a folder of its own; of an attachment the last counts alone."""
    stream = ResultStream(tmp_path)
    number = 0
    for path in ("junit.xml", "log.txt"):
        for generation, content in enumerate((b"<a/>", b"<b/>", b"<c/>")):
            if generation:
                stream.feed(frame(number, "replaced", path=path, generation=generation))
                number += 1
            stream.feed(data(number, path, 0, content, generation=generation))
            number += 1
    stream.feed(manifest(number, {"junit.xml": b"<c/>", "log.txt": b"<c/>"}))
    assert stream.finish().complete
    assert stored(tmp_path) == {
        ".replaced/0/junit.xml": b"<a/>",
        ".replaced/1/junit.xml": b"<b/>",
        "junit.xml": b"<c/>",
        "log.txt": b"<c/>",
    }


def test_a_result_that_is_shorter_in_a_new_session_was_replaced(tmp_path: Path) -> None:
    """The exporter was away when it happened."""
    stream = ResultStream(tmp_path)
    stream.feed(data(0, "events.jsonl", 0, b"one\ntwo\n"))
    stream.feed(data(0, "events.jsonl", 0, b"one\n", session=NEXT_SESSION))
    stream.feed(manifest(1, {"events.jsonl": b"one\n"}, session=NEXT_SESSION))
    assert stream.finish().complete
    assert stored(tmp_path) == {
        ".replaced/0/events.jsonl": b"one\ntwo\n",
        "events.jsonl": b"one\n",
    }


def test_versions_that_cannot_be_kept_are_a_problem(tmp_path: Path) -> None:
    """They are bounded, and an account of tests is never dropped in silence."""
    stream = ResultStream(tmp_path, limits=StreamLimits(replaced=1))
    for generation in range(3):
        stream.feed(data(generation, "junit.xml", 0, b"<a/>", generation=generation))
    stream.feed(manifest(3, {"junit.xml": b"<a/>"}))
    completeness = stream.finish()
    assert "junit.xml: 1 earlier versions of it could not be kept" in completeness.problems


def test_a_junit_file_that_was_deleted_beside_others_is_an_earlier_account(tmp_path: Path) -> None:
    """Tools merge the files of their parts, and delete them. A file that is alone stays."""
    gone = {"path": "part.xml", "role": "result", "size": 12, "sent": 12, "deleted": True}
    whole = b"<testsuite/>"
    gone["sha256"] = hashlib.sha256(whole).hexdigest()
    for others, place in (({"junit.xml": whole}, ".replaced/0/part.xml"), ({}, "part.xml")):
        directory = tmp_path / str(len(others))
        stream = ResultStream(directory)
        stream.feed(data(0, "part.xml", 0, whole))
        stream.feed(data(1, "junit.xml", 0, whole))
        stream.feed(manifest(2, {}, files=[gone, *_entries(others)]))
        assert stream.finish().complete
        assert set(stored(directory)) == {place, "junit.xml"}


def _entries(files: Mapping[str, bytes]) -> list[dict[str, object]]:
    return [
        {
            "path": path,
            "role": "result",
            "size": len(content),
            "sent": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for path, content in files.items()
    ]


def test_content_on_disk_that_was_tampered_with_is_found(tmp_path: Path) -> None:
    """The proof is read from the disk, where the results will be read from."""
    lines, _ = whole_stream()
    stream = ResultStream(tmp_path)
    feed_all(stream, lines)
    (tmp_path / "logs" / "a").write_bytes(b"b" * 50)
    completeness = stream.finish()
    assert completeness.problems == ("logs/a: what arrived does not match its checksum",)
    assert "logs/a" not in {file.path for file in completeness.verified}


def test_a_manifest_in_parts_needs_every_part(tmp_path: Path) -> None:
    """A part alone proves nothing."""
    sent: list[bytes] = []
    writer = FrameWriter(Settings(), session=SESSION, write=sent.append)
    document = json.dumps(
        {
            "run": "",
            "frames": 0,
            "settled": True,
            "files": [],
            "pad": hashlib.shake_256(b"pad").hexdigest(9000),
        }
    )
    writer.document("manifest", document.encode())
    assert len(sent) > 1
    stream = ResultStream(tmp_path / "whole")
    feed_all(stream, sent)
    assert stream.finish().complete
    stream = ResultStream(tmp_path / "part")
    feed_all(stream, sent[1:])
    assert not stream.finish().complete


def test_thousands_of_frames_pass_with_little_memory_and_time(tmp_path: Path) -> None:
    """Every second frame of 4,000 is late by all the others."""
    lines = [data(number, "x", 8 * number, b"12345678") for number in range(4000)]
    stream = ResultStream(tmp_path)
    feed_all(stream, lines[1::2])
    assert len(stream.missing) == 2000
    feed_all(stream, lines[::2])
    while stream.drain().growths:
        pass
    assert stream.missing == ()
    assert (tmp_path / "x").read_bytes() == b"12345678" * 4000
