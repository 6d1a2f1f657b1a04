"""The website of the results, asked over HTTP as a browser and as an intruder would."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from floe_tests.errors import ConfigurationError
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

    def ask(self, path: str, method: str = "GET") -> Answer:
        """Ask for a path as it stands: a client of any comfort would tidy it up first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host=False)
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
    assert "no run has published results" in site.ask("/reports/").text


def test_it_is_not_healthy_without_its_folder(site: Site) -> None:
    assert site.ask(HEALTH).status == 200
    site.folder.rmdir()
    assert site.ask(HEALTH).status == 503


def test_an_address_that_is_taken_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*--port"):
            serve(tmp_path, host="127.0.0.1", port=port, path="/")
