"""The page as people work with it, in a browser: what it opens on, what it finds and shows."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn

from floe_tests.config.links import Links
from floe_tests.core.evidence import Evidence
from floe_tests.report import grid
from floe_tests.report.server import application
from floe_tests.results.history.analysis import Question
from floe_tests.results.history.store import History
from floe_tests.results.records import AttemptRecord, RunRecord
from tests.support import runs

from . import browser

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)

LONG = (
    "tests.integration.test_orders.TestOrders::test_that_an_order_arrives_once["
    + "p" * 300
    + "-end]"
)
PASTS = {
    "t::steady": "......",
    "t::new": "xx....",
    "t::also_new": "xx....",
    "t::old": "xxxxxx",
    **{f"t::many_{number}": "x....." for number in range(8)},
    LONG: "......",
    "t::\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627": "......",
    "t::\x00\x07\x1b[31mcontrol\u202eturned": "......",
    "t::" + "k" * 10_000: "......",
    "t::<img src=x onerror=\"document.title='taken'\">": "x.....",
    "t::\"quoted' &amp; <b>bold</b>": "......",
}
LINKS = Links(
    commit="https://git.example.com/{commit}", request="https://git.example.com/p/{number}"
)


def history_of(folder: Path) -> Iterator[RunRecord]:
    for number, run in enumerate(runs.runs_of(PASTS)):
        attempt = AttemptRecord(
            number=1,
            cause=run.cause,
            evidence=(Evidence("pod/shop-1", "phase", "Failed"),),
            pod="shop-1",
            node="worker-2",
            seconds=12.5,
        )
        (suite,) = run.suites
        cases = tuple(
            replace(
                case,
                message=f"port 80{number} refused",
                text="[[ATTACHMENT|/in/the/pod/second/trace.zip]]" if case.name == "t::new" else "",
            )
            if "new" in case.name
            else case
            for case in suite.cases
        )
        counted = {"collected": 2_426, "reported": len(cases), "in_flight": ("t::steady",)}
        suites = (
            replace(suite, cases=cases, attempts=(attempt,), **(counted if not number else {})),
        )
        yield replace(run, suites=suites, stage_seconds={"cluster": 3.5}, trigger="schedule")
    pull = {name: "x" if name in {"t::steady", "t::old"} else "." for name in PASTS}
    yield runs.run_of(7, pull, ref="refs/pull/412/merge", run_id="of-pull", commit="beef")
    screenshot = folder / "runs" / "run-0000" / "tiny-1" / "t-also-new-chromium" / "failed.png"
    screenshot.parent.mkdir(parents=True)
    screenshot.write_bytes(b"png")
    (screenshot.parents[1] / "pod.log").write_text("the end")
    for name in ("first", "second"):
        trace = screenshot.parents[1] / name / "trace.zip"
        trace.parent.mkdir()
        trace.write_bytes(b"zip")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that was written."""
    folder = tmp_path_factory.mktemp("page")
    path = folder / "demo" / grid.NAME
    with History.open(f"sqlite:///{folder}/history.db") as history:
        for record in history_of(path.parent):
            history.record(run=record)
        grid.write(path, grid.read_page(history, Question()), links=LINKS)
    return path


@pytest.fixture(scope="module")
def tab(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    with browser.opened(written, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def site(written: Path) -> Iterator[str]:
    """Return the address of the website of the page's folder."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application(written.parents[1]), log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@pytest.fixture(autouse=True)
def _fresh(tab: browser.Tab) -> None:
    tab.ask("Emulation.clearDeviceMetricsOverride")
    tab.go("")


def bands(tab: browser.Tab) -> list[str]:
    return list(tab.value("[...document.querySelectorAll('.band')].map(each => each.innerText)"))


def names(tab: browser.Tab) -> list[str]:
    return list(
        tab.value("[...document.querySelectorAll('.row .name b')].map(each => each.textContent)")
    )


def test_it_opens_on_what_needs_somebody_new_failures_first_by_what_they_say(
    tab: browser.Tab,
) -> None:
    shown = [" ".join(each.split()) for each in bands(tab)]

    assert shown[:2] == [
        "Newly failing 11 tests",
        "t::many_0 said no in 0 8 tests, 1 run, since c0, 2026-11-20 12:00",
    ]
    assert "port 800 refused 2 tests, 2 runs, since c1, 2026-11-20 11:00" in shown
    assert shown.index("Failing for longer 1 test") > 2
    assert {"t::also_new", "t::new", "t::old"} < set(names(tab))
    assert "t::steady" not in names(tab)


def test_a_search_finds_names_and_what_failures_said(tab: browser.Tab) -> None:
    for words, expected in (("PORT refused", {"t::new", "t::also_new"}), ("once end", {LONG})):
        tab.go(f"filter=all&find={words}")
        assert set(names(tab)) == expected
        assert tab.text("#count").startswith(f"{len(expected)} of {len(PASTS)} tests")


def test_what_is_chosen_and_open_is_in_the_address_and_comes_back(tab: browser.Tab) -> None:
    tab.click("[data-filter=failing]")
    tab.value("search = document.getElementById('search'); search.value = 'old'")
    tab.value("search.dispatchEvent(new Event('input'))")
    tab.click('[data-row="0"] [data-column="2"]')
    address = tab.value("location.hash")
    said = tab.text("#detail")

    assert address == "#filter=failing&find=old&test=t%3A%3Aold&suite=tiny&run=run-0002"
    tab.go("")
    assert tab.value("document.getElementById('detail').hidden")
    tab.go(address)
    assert tab.text("#detail") == said
    assert names(tab) == ["t::old"]
    assert tab.value("document.getElementById('search').value") == "old"


def test_the_order_can_be_another(tab: browser.Tab) -> None:
    tab.go("filter=all&order=failures")
    assert names(tab)[0] == "t::old"
    tab.go("filter=all&order=nonsense")
    assert names(tab)[0] != "t::old"


def test_the_head_of_a_column_says_and_opens_its_run(tab: browser.Tab) -> None:
    head = '.head [data-column="0"]'
    assert tab.value(f"document.querySelector('{head}').getAttribute('aria-label')") == (
        "run of 2026-11-20 12:00: TEST_FAILURE, c0, main, "
        "18 of 2,426 tests reported, 2,408 did not run; running at the end: t::steady"
    )
    tab.click(head)
    said = tab.text("#detail")

    for part in ("schedule", "worker-2", "pod/shop-1 phase: Failed", "cluster", "3.5 s", "12.5 s"):
        assert part in said, part
    assert "port 800 refused (2 tests)" in said
    assert "18 of 2,426 tests reported, 2,408 did not run; running at the end: t::steady" in said
    assert "2,408 tests did not run, running at the end: t::steady" in said
    links = tab.value(
        "[...document.querySelectorAll('#detail a')].map(each => each.getAttribute('href'))"
    )
    assert "https://git.example.com/c0" in links
    assert "runs/run-0000/tiny-1/pod.log" in links
    tab.click("#detail .failures button")
    assert tab.text("#detail h2") == "t::also_new"


def test_a_failure_has_the_files_that_are_named_like_its_test_or_that_it_attached(
    tab: browser.Tab,
) -> None:
    files = "[...document.querySelectorAll('#detail .files a')].map(each => each.textContent)"
    tab.go("test=t::also_new&run=run-0000")
    assert tab.value(files) == ["tiny-1/t-also-new-chromium/failed.png"]
    tab.go("test=t::new&run=run-0000")
    assert tab.value(files) == ["tiny-1/second/trace.zip"]


def test_a_pull_request_is_shown_beside_the_default_branch(tab: browser.Tab) -> None:
    tab.go("on=local&branch=pull%2F412")

    shown = [" ".join(each.split()) for each in bands(tab)]
    assert shown[0] == "New failures here, not on main 1 test"
    assert "Failing on main too 1 test" in shown
    assert "Fixed here, failing on main 11 tests" in shown
    tab.click('.head [data-column="0"]')
    assert tab.value("document.querySelector('#detail a[href*=\"/p/412\"]') !== null")


def test_nothing_that_a_test_is_called_or_says_acts(tab: browser.Tab) -> None:
    tab.go("filter=all")
    assert tab.value("document.title") == "demo · test history"
    assert tab.value("document.querySelectorAll('img, #grid script, #grid b b').length") == 0
    assert any(name.startswith("t::<img src=x") for name in names(tab))
    assert not any(re.search("[\x00-\x1f\x7f\u202e]", name) for name in names(tab))


LAST_LETTERS = """
[...document.querySelectorAll('.row .name .end bdi')].map(each => {
  const range = document.createRange(), text = each.firstChild, cell = each.closest('.name');
  range.setStart(text, text.length - 1);
  range.setEnd(text, text.length);
  const letter = range.getBoundingClientRect(), box = cell.getBoundingClientRect();
  return letter.width > 0 && letter.left >= box.left && letter.right <= box.right + 1;
})
"""


@pytest.mark.parametrize("width", [1400, 390])
def test_the_end_of_a_name_is_in_view_and_nothing_is_wider_than_the_screen(
    tab: browser.Tab, width: int
) -> None:
    tab.ask(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=844,
        deviceScaleFactor=1,
        mobile=width < 500,
    )
    tab.go("filter=all")

    assert tab.value(LAST_LETTERS) == [True] * len(PASTS)
    assert tab.value("document.documentElement.scrollWidth") == width
    tab.go("filter=all&test=t::old&run=run-0000")
    box = tab.value(
        "(box => [box.left, box.right])(document.getElementById('detail').getBoundingClientRect())"
    )
    assert box[1] <= width
    assert width > 500 or box[0] == 0


def test_the_column_of_names_is_made_wider_by_keys(tab: browser.Tab) -> None:
    tab.go("filter=all")
    before = tab.value("document.querySelector('.row .name').offsetWidth")
    tab.value("document.querySelector('.handle').focus()")
    tab.press("ArrowRight", "ArrowRight")

    assert tab.value("document.querySelector('.row .name').offsetWidth") == before + 40
    assert tab.value("document.activeElement.getAttribute('aria-valuenow')") == str(before + 40)


def test_a_group_of_many_shows_the_rest_on_enter_and_hides_it_again(tab: browser.Tab) -> None:
    def many() -> int:
        return sum(name.startswith("t::many") for name in names(tab))

    assert many() == 5
    assert "and 3 more" in bands(tab)
    tab.value("document.querySelector('[data-row=\"1\"] .band').focus()")
    tab.click('[data-row="1"] .band')
    assert many() == 8
    assert tab.value("document.activeElement.getAttribute('aria-expanded')") == "true"
    tab.press("Enter")
    assert many() == 5


def test_the_served_page_works_in_its_sandbox(site: str, tmp_path: Path) -> None:
    with browser.opened(f"{site}demo/report.html", tmp_path / "profile") as opened:
        opened.click("[data-filter=all]")
        opened.click('.head [data-column="0"]')

        assert opened.value("location.hash") == "#filter=all&run=run-0000"
        assert opened.value("origin") == "null"
