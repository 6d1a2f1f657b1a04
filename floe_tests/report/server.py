"""The results as a website: reports, JUnit files and all that runs received, for reading alone.

What lies there was written by test pods, and anybody may have written a test. So every file is
shown in a sandbox of its own: no script, no cookie of the UI that may stand beside it on the same
host, no request to it. The grid alone, which the orchestrator writes, may run its script, in a
sandbox too.
"""

from __future__ import annotations

import contextlib
import html
import socket
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from floe_tests.errors import ConfigurationError
from floe_tests.publish import REPORT

HEALTH = "/healthz"

# Source: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_OF_FILES = f"sandbox allow-downloads; {_NOTHING}; style-src 'unsafe-inline'; img-src 'self' data:"
# The page has a policy of its own that names its script by hash; both hold.
_OF_REPORTS = (
    f"sandbox allow-downloads allow-scripts; {_NOTHING}; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src 'self' data:"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A tier's newest report has one name for ever.
    "Cache-Control": "no-cache",
}
_SHOWN_ENTRIES = 2_000
_NOT_FOUND = 404
_STYLE = "body{font:15px/1.6 system-ui,sans-serif;margin:2rem;max-width:60rem}h1{font-size:1.2rem}"


def application(directory: Path, *, path: str = "/") -> ASGIApp:
    """Give the website of a folder.

    Args:
        directory: The folder with the results; it may come into being later.
        path: Where on its host the website begins, such as `/reports`.
    """
    prefix = path.rstrip("/")

    def health(_request: Request) -> Response:
        """Tell whether the folder is there: an empty site would look like one without runs."""
        if directory.is_dir():
            return PlainTextResponse("ok")
        return PlainTextResponse(f"{directory} is not there", status_code=503)

    results = Mount(prefix or "/", app=_Results(directory=directory, check_dir=False))
    return _guarded(Starlette(routes=[Route(HEALTH, health, methods=["GET"]), results]), prefix)


def _guarded(app: ASGIApp, prefix: str) -> ASGIApp:
    """Put the headers of the site on every answer of an application, errors included."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                asked = str(scope.get("path", "")).removeprefix(prefix)
                headers["Content-Security-Policy"] = _OF_REPORTS if _is_report(asked) else _OF_FILES
            await send(message)

        await app(scope, receive, send_guarded)

    return answer


def serve(directory: Path, *, host: str, port: int, path: str) -> None:
    """Serve the results until a signal ends it.

    Args:
        directory: The folder with the results.
        host: Address to listen on.
        port: Port to listen on; 0 chooses one.
        path: Where on its host the website begins.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    import uvicorn

    with _listening(host, port) as listener:
        configuration = uvicorn.Config(
            application(directory, path=path),
            log_level="info",
            access_log=False,  # probes alone would fill it
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(configuration).run(sockets=[listener])


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=_family(host))
    except OSError as error:
        message = (
            f"{host}:{port} cannot be listened on: {error.strerror or error}. Choose another with "
            "--host and --port."
        )
        raise ConfigurationError(message) from error
    with listener:
        yield listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_report(asked: str) -> bool:
    """Tell whether it is a tier's grid, which no test pod can write."""
    words = [word for word in asked.split("/") if word]
    return len(words) == 2 and words[1] == REPORT  # noqa: PLR2004 - tier/report.html


class _Results(StaticFiles):
    """Files as they are, folders as lists; nothing hidden, nothing outside of the folder."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if any(part.startswith(".") for part in Path(path).parts):
            raise HTTPException(status_code=404)
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != _NOT_FOUND or "\0" in path:
                raise
            page = await run_in_threadpool(self._page, path)
            if page is None:
                raise
        if not str(scope["path"]).endswith("/"):
            # Relative, so that it holds behind any proxy.
            return Response(
                status_code=307, headers={"Location": f"{quote(Path(scope['path']).name)}/"}
            )
        return HTMLResponse(page)

    def _page(self, path: str) -> str | None:
        """Give the list of a folder; None where there is none."""
        found, status = self.lookup_path(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return None
        return "".join(_listing(Path(found), "" if path == "." else path))


def _listing(folder: Path, title: str) -> Iterator[str]:
    """Give the page of a folder: what is in it, newest first."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    # What a run removes meanwhile is not there.
    dated = sorted(_dated(entries), reverse=True)
    shown = html.escape(title) or "Results"
    yield f"<!doctype html><meta charset=utf-8><title>{shown}</title><style>{_STYLE}</style>"
    yield f"<h1>{shown}</h1><ul>"
    if title:
        yield '<li><a href="../">..</a></li>'
    for _, name, is_folder in dated[:_SHOWN_ENTRIES]:
        end = "/" if is_folder else ""
        yield f'<li><a href="./{quote(name)}{end}">{html.escape(name)}{end}</a></li>'
    yield "</ul>"
    if not dated:
        yield "<p>Nothing is here yet: no run has published results.</p>"
    if len(dated) > _SHOWN_ENTRIES:
        yield f"<p>and {len(dated) - _SHOWN_ENTRIES} older ones</p>"


def _dated(entries: list[Path]) -> Iterator[tuple[float, str, bool]]:
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            found = entry.stat()
            yield found.st_mtime, entry.name, stat.S_ISDIR(found.st_mode)
