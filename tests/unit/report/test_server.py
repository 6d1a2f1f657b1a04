"""The website of the results, asked over HTTP as a browser and as an intruder would."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp
from typer.testing import CliRunner

from floe_tests.cli.app import app
from floe_tests.core import durable
from floe_tests.core.errors import ConfigurationError
from floe_tests.report.server import HEALTH, application, serve


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Site:
    folder: Path
    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path as it stands: a client of any comfort would tidy it up first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host=False)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        found = Answer(answer.status, headers, answer.read().decode(errors="replace"))
        connection.close()
        return found

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "output"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("the ledger")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application(folder, path="/reports"), log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield Site(folder, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def test_a_tiers_report_is_shown(site: Site) -> None:
    site.write("unit/report.html", "<h1>unit</h1>")

    answer = site.ask("/reports/unit/report.html")

    assert (answer.status, answer.text) == (200, "<h1>unit</h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_what_a_test_pod_wrote_runs_no_script_and_reaches_no_neighbour(site: Site) -> None:
    site.write("unit/runs/1/suite/report.html", "<script>fetch('/graphql')</script>")

    policy = site.ask("/reports/unit/runs/1/suite/report.html").headers["content-security-policy"]

    directives = {words[0]: words[1:] for each in policy.split(";") if (words := each.split())}
    assert "allow-scripts" not in directives["sandbox"]
    assert "allow-same-origin" not in directives["sandbox"]
    assert directives["default-src"] == ["'none'"]
    assert "script-src" not in directives


def test_the_grid_may_run_its_script_and_is_kept_from_the_ui_all_the_same(site: Site) -> None:
    site.write("unit/report.html", "<h1>unit</h1>")

    policy = site.ask("/reports/unit/report.html").headers["content-security-policy"]

    assert "allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("path", ["/reports/unit/junit.xml", "/reports/nothing", HEALTH, "/else"])
def test_every_answer_has_the_headers(site: Site, path: str) -> None:
    site.write("unit/junit.xml", "<testsuites/>")

    headers = site.ask(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "path",
    [
        "/reports/../secret.txt",
        "/reports/%2e%2e/secret.txt",
        "/reports/..%2fsecret.txt",
        "/reports/unit/..%2f..%2f..%2fsecret.txt",
        "/reports//etc/passwd",
        "/reports/%2fetc/passwd",
        "/reports/unit/leads-out",
        "/reports/unit/leads-out-too/secret.txt",
        "/reports/unit/.hidden",
        "/reports/unit/%00",
    ],
)
def test_nothing_outside_of_the_folder_is_shown(site: Site, path: str) -> None:
    site.write("unit/junit.xml", "<testsuites/>")
    site.write("unit/.hidden", "half a report")
    (site.folder / "unit" / "leads-out").symlink_to(site.folder.parent / "secret.txt")
    (site.folder / "unit" / "leads-out-too").symlink_to(site.folder.parent)

    answer = site.ask(path)

    assert answer.status == 404
    assert "ledger" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/reports/unit/junit.xml", "/reports/unit/", HEALTH])
def test_nothing_can_be_changed(site: Site, method: str, path: str) -> None:
    site.write("unit/junit.xml", "<testsuites/>")

    assert site.ask(path, method).status == 405
    assert (site.folder / "unit" / "junit.xml").read_text() == "<testsuites/>"


def test_a_folder_is_a_list_newest_first_in_which_names_are_no_markup(site: Site) -> None:
    site.write("unit/runs/old/junit.xml", "")
    site.write("unit/runs/<script>alert(1)</script>", "")
    os.utime(site.folder / "unit" / "runs" / "old", (1, 1))

    answer = site.ask("/reports/unit/runs/")

    assert answer.status == 200
    assert "<script>" not in answer.text
    assert answer.text.index("alert(1)") < answer.text.index('"./old/"')


def test_a_folder_without_its_slash_leads_to_the_one_with_it(site: Site) -> None:
    site.write("unit/junit.xml", "")

    answer = site.ask("/reports/unit")

    assert (answer.status, answer.headers["location"]) == (307, "unit/")


def test_a_site_without_runs_says_so(site: Site) -> None:
    assert "floe-tests run integration" in site.ask("/reports/").text
    site.folder.rmdir()
    assert "floe-tests run integration" in site.ask("/reports/").text
    site.folder.mkdir()


def test_the_site_begins_with_the_overview_where_there_is_one(site: Site) -> None:
    site.write("unit/report.html", "<h1>unit</h1>")
    assert 'href="./unit/"' in site.ask("/reports/").text

    site.write("index.html", "<h1>all tiers</h1>")

    answer = site.ask("/reports/")
    assert (answer.status, answer.text) == (200, "<h1>all tiers</h1>")
    assert "allow-scripts" not in answer.headers["content-security-policy"]
    (site.folder / "index.html").unlink()
    (site.folder / "index.html").symlink_to(site.folder.parent / "secret.txt")
    assert "the ledger" not in site.ask("/reports/").text


def test_it_is_not_healthy_without_its_folder(site: Site) -> None:
    assert site.ask(HEALTH).status == 200
    site.folder.rmdir()
    assert site.ask(HEALTH).status == 503


def raw(site: Site, request: bytes) -> bytes:
    """Send bytes that no client would; return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline()


@pytest.mark.parametrize(
    "path",
    [
        "/reports/" + "a" * 300,
        "/reports/" + "a/" * 3_000,
        "/reports/unit/junit.xml/more",
        "/reports/unit/loop",
        "/reports/unit/loop/more",
        "/reports/unit/pipe",
        "/reports/unit/socket",
        "/reports/unit/nowhere",
        "/reports/unit/%ff%fe",
        "/reports/unit/%ed%a0%80",
        "/reports/unit/%00",
        "/reports/unit/%",
        "/reports/unit/%zz",
        "/reports/%0d%0aSet-Cookie:%20a=b",
        "/reports/unit/runs/no-such-run/junit.xml",
        "/reports/\\windows",
        "/reports/~root/",
    ],
)
def test_a_path_that_is_none_is_not_found_and_the_page_says_so(site: Site, path: str) -> None:
    site.write("unit/junit.xml", "<testsuites/>")
    (site.folder / "unit" / "loop").symlink_to("loop")
    (site.folder / "unit" / "nowhere").symlink_to("none")
    os.mkfifo(site.folder / "unit" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        place = os.open(site.folder / "unit", os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{place}/socket")
        os.close(place)

        answer = site.ask(path)

    assert answer.status == 404
    assert "There is no such file or folder here" in answer.text
    assert "Traceback" not in answer.text
    assert "set-cookie" not in answer.headers


def test_a_folder_with_odd_entries_is_listed_and_each_file_can_be_opened(site: Site) -> None:
    site.write("unit/a", "")
    folder = os.fsencode(site.folder / "unit")
    odd = {
        b"\xff\xfe": "%FF%FE",
        b"line\nbreak": "line%0Abreak",
        b"100%": "100%25",
        b"a:b": "a%3Ab",
    }
    for name in odd:
        Path(os.fsdecode(folder + b"/" + name)).write_text("found")
    (site.folder / "unit" / "loop").symlink_to("loop")

    listing = site.ask("/reports/unit/")

    assert listing.status == 200
    for address in odd.values():
        assert f'href="./{address}"' in listing.text
        assert site.ask(f"/reports/unit/{address}").text == "found"


@pytest.mark.parametrize(
    ("asked", "status", "text", "content_range"),
    [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=8-", 206, "89", "bytes 8-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=8-100", 206, "89", "bytes 8-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=9999999999999999999-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=5-2", 200, "0123456789", None),
        ("bytes=0-1,3-4", 200, "0123456789", None),
        ("bytes=", 200, "0123456789", None),
        ("bytes=-", 200, "0123456789", None),
        ("bytes=a-b", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
        ("bytes=" + "0-0," * 5_000, 200, "0123456789", None),
        ("bytes=" + "9" * 9_000 + "-", 200, "0123456789", None),
    ],
)
def test_a_range_is_answered_or_passed_over(
    site: Site, asked: str, status: int, text: str | None, content_range: str | None
) -> None:
    site.write("unit/pod.log", "0123456789")

    answer = site.ask("/reports/unit/pod.log", Range=asked)

    assert answer.status == status
    assert answer.headers.get("content-range") == content_range
    if text is not None:
        assert answer.text == text


def test_an_empty_file_is_one(site: Site) -> None:
    site.write("unit/pod.log", "")
    assert site.ask("/reports/unit/pod.log").status == 200
    assert site.ask("/reports/unit/pod.log", Range="bytes=0-").status == 416


@pytest.mark.parametrize("path", ["unit/junit.xml", "unit/", "unit", "none", ""])
def test_a_head_is_the_answer_without_its_body(site: Site, path: str) -> None:
    site.write("unit/junit.xml", "<testsuites/>")

    whole, head = (site.ask(f"/reports/{path}", method) for method in ("GET", "HEAD"))

    assert head.status == whole.status
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.text == ""


def test_what_is_known_is_not_sent_again_until_it_is_replaced(site: Site) -> None:
    site.write("unit/junit.xml", "<testsuites/>")
    mark = site.ask("/reports/unit/junit.xml").headers["etag"]
    assert site.ask("/reports/unit/junit.xml", If_None_Match=mark).status == 304

    durable.write(site.folder / "unit" / "junit.xml", [b"<testsuite2/>"])

    assert site.ask("/reports/unit/junit.xml", If_None_Match=mark).status == 200
    assert site.ask("/reports/unit/junit.xml", Range="bytes=0-1", If_Range=mark).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /reports/?" + b"q=" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /reports/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://elsewhere/reports/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"FOO /reports/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /reports/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"\x16\x03\x01 this is TLS\r\n\r\n",
    ],
    ids=["query", "bytes", "absolute", "method", "websocket", "TLS"],
)
def test_a_request_that_no_client_sends_is_no_error_of_the_server(
    site: Site, request_: bytes
) -> None:
    answered = raw(site, request_)
    assert b" 500 " not in answered
    assert site.ask(HEALTH).status == 200


def test_who_asks_while_runs_publish_gets_a_whole_file(site: Site) -> None:
    versions = {"a" * 700_000, "b" * 300_000}
    path = site.folder / "unit" / "junit.xml"
    durable.write_text(path, min(versions))
    is_over = threading.Event()

    def publish() -> None:
        while not is_over.is_set():
            for text in versions:
                durable.write_text(path, text)

    writer = threading.Thread(target=publish)
    writer.start()
    try:
        seen = {site.ask("/reports/unit/junit.xml").text for _ in range(20)}
    finally:
        is_over.set()
        writer.join(timeout=10)

    assert seen <= versions


SEGMENTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "unit",
        "junit.xml",
        "runs",
        "%2e%2e",
        "%2f",
        "%00",
        "%ff",
        "a" * 300,
        "\\",
        "*",
    ]
)


@pytest.fixture
def answering(tmp_path: Path) -> ASGIApp:
    (tmp_path / "output" / "unit" / "runs").mkdir(parents=True)
    (tmp_path / "output" / "unit" / "junit.xml").write_text("<testsuites/>")
    (tmp_path / "secret.txt").write_text("the ledger")
    return application(tmp_path / "output", path="/reports")


def call(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    *,
    meanwhile: Callable[[], object] | None = None,
) -> list[Any]:
    """Ask the application itself; something may happen once its answer has begun."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if meanwhile is not None and not sent:
            meanwhile()
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


def grow(file: Path) -> None:
    with file.open("a") as opened:
        opened.write("more")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (grow, "0123456789"),
        (lambda file: durable.write_text(file, "another"), "0123456789"),
        (Path.unlink, "0123456789"),
        (lambda file: os.truncate(file, 4), "0123"),
    ],
    ids=["grows", "is replaced", "is removed", "is cut"],
)
def test_a_file_that_changes_meanwhile_is_sent_as_it_was_opened(
    answering: ASGIApp, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    file = tmp_path / "output" / "unit" / "pod.log"
    file.write_text("0123456789")

    sent = call(answering, "/reports/unit/pod.log", meanwhile=lambda: change(file))

    assert (b"content-length", b"10") in sent[0]["headers"]
    assert b"".join(each.get("body", b"") for each in sent).decode() == said


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    segments=st.lists(SEGMENTS | st.text(alphabet="%.0aFf/~:\\;&<>'", max_size=6), max_size=6),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    asked_range=st.text(alphabet="bytes=0123-, ", max_size=12),
)
def test_no_path_at_all_is_an_error_of_the_server(
    answering: ASGIApp, segments: list[str], method: str, asked_range: str
) -> None:
    sent = call(answering, "/reports/" + "/".join(segments), method, {"range": asked_range})

    assert sent[0]["status"] < 500
    assert b"the ledger" not in b"".join(each.get("body", b"") for each in sent)


def test_an_address_that_is_taken_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*--port"):
            serve(tmp_path, host="127.0.0.1", port=port, path="/", say=print)


@pytest.mark.parametrize(
    "path",
    ["reports", "../x", "/../x", "/a/./b", "", "/a//b", "/a b", "/{path}", "/a?b", "/%2e", HEALTH],
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    said = CliRunner().invoke(app, ["serve", "--path", path, "--port", "0"])

    assert said.exit_code == 2
    assert isinstance(said.exception, SystemExit)
    words = " ".join(said.stderr.replace("│", " ").split())
    assert f"--path {path!r}" in words
    assert "Use one such as /reports" in words


@pytest.mark.parametrize(
    ("path", "shown"), [("/", "/"), ("/reports", "/reports/"), ("/a/b.c/", "/a/b.c/")]
)
def test_it_says_its_address_once_it_listens(tmp_path: Path, path: str, shown: str) -> None:
    class Heard(Exception):  # noqa: N818 - ends the server, which a test cannot signal
        pass

    def say(text: str) -> None:
        raise Heard(text)

    with pytest.raises(Heard) as heard:
        serve(tmp_path, host="127.0.0.1", port=0, path=path, say=say)

    address = re.search(rf"http://127\.0\.0\.1:(\d+){re.escape(shown)};", str(heard.value))
    assert address is not None
    assert int(address[1]) > 0
