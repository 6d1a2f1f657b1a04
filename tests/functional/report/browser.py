"""A headless Chromium that a test can type into and read as a screen reader does."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1400,900"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
START_SECONDS = 60
_CODES = {"ArrowDown": 40, "ArrowUp": 38, "ArrowRight": 39, "End": 35, "Enter": 13, "Escape": 27}


class Tab:
    """A page that is open, by Chromium's own protocol.

    Source: https://chromedevtools.github.io/devtools-protocol/
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._answer(method, **parameters)["result"]

    def _answer(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=START_SECONDS))
            if answer.get("id") == number:
                return answer

    def value(self, expression: str) -> Any:
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def is_ready(self) -> bool:
        """Whether the page says so; not while it is on its way and there is no document."""
        found = self._answer(
            "Runtime.evaluate", expression="document.documentElement.dataset.readyMilliseconds"
        )
        return "value" in found.get("result", {}).get("result", {})

    def go(self, fragment: str) -> None:
        """Turn to another fragment of the page, as one who follows a link that was sent."""
        self.value(f"location.hash = {json.dumps(fragment)}")
        # The page hears of it in a task of its own.
        self.ask(
            "Runtime.evaluate",
            expression="new Promise(done => setTimeout(done))",
            awaitPromise=True,
        )

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def press(self, *keys: str) -> None:
        for key in keys:
            common = {"key": key, "code": key, "windowsVirtualKeyCode": _CODES[key]}
            self.ask("Input.dispatchKeyEvent", type="keyDown", **common)
            self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def accessible(self) -> list[tuple[str, str]]:
        """Return role and name of all that a screen reader meets."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        ]


@contextmanager
def opened(page: Path | str, profile: Path, fragment: str = "") -> Iterator[Tab]:
    """Open a page, a file or an address, and close the browser after."""
    address = page.as_uri() if isinstance(page, Path) else page
    process = subprocess.Popen(
        [
            str(CHROMIUM),
            *OPTIONS,
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            f"{address}{fragment}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(profile), max_size=None) as connection:
            tab = Tab(connection)
            deadline = time.monotonic() + START_SECONDS
            while not tab.is_ready():
                if time.monotonic() > deadline:
                    message = "the page did not become ready"
                    raise TimeoutError(message)
                time.sleep(0.05)
            yield tab
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _address(profile: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines() if file.is_file() else []
        if len(lines) > 1:
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                pages = [each for each in json.load(answer) if each["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    message = "Chromium did not open its port"
    raise TimeoutError(message)
