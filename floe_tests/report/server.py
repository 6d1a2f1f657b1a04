"""The results as a website: reports, JUnit files and all that runs received, for reading alone.

What lies there was written by test pods, and anybody may have written a test. So every file is
shown in a sandbox of its own: no script, no cookie of the UI that may stand beside it on the same
host, no request to it. The grid alone, which the orchestrator writes, may run its script, in a
sandbox too.
"""

from __future__ import annotations

import contextlib
import errno
import html
import os
import re
import socket
import stat
from collections.abc import Callable, Generator, Iterator
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from floe_tests.config.project import REPORT
from floe_tests.core.errors import ConfigurationError
from floe_tests.report import overview
from floe_tests.report.file_answer import FileAnswer
from floe_tests.results.cases import legible

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
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_SHOWN_ENTRIES = 2_000
_READ_ENTRIES = 50_000
_NOT_FOUND = HTTPStatus.NOT_FOUND
# The machine's own trouble, over in a while.
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.ESTALE})
_SAID = {
    HTTPStatus.NOT_FOUND: "There is no such file or folder here. A run may have put another in its "
    "place, or its results were removed.",
    HTTPStatus.FORBIDDEN: "The server may not read this file.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This site is for reading alone.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The file cannot be read just now. Ask again in a while.",
}
_STYLE = "body{font:15px/1.6 system-ui,sans-serif;margin:2rem;max-width:60rem}h1{font-size:1.2rem}"


def application(directory: Path, *, path: str = "/") -> ASGIApp:
    """Return the website of a folder.

    Args:
        directory: The folder with the results; it may come into being later.
        path: Where on its host the website begins, such as `/reports`.
    """
    prefix = path.rstrip("/")

    def health(_request: Request) -> Response:
        """Return whether the folder is there: an empty site would look like one without runs."""
        if directory.is_dir():
            return PlainTextResponse("ok")
        return PlainTextResponse(f"{directory} is not there", status_code=503)

    def begin(_request: Request) -> Response:
        """Lead to the site from its address without the slash."""
        return _with_slash(prefix.rpartition("/")[2])

    routes = [Route(HEALTH, health, methods=["GET"])]
    if prefix:
        routes.append(Route(prefix, begin, methods=["GET"]))
    results = Mount(prefix or "/", app=_Results(directory, prefix=prefix))
    # A name may have a line break in it.
    results.path_regex = re.compile(results.path_regex.pattern, re.DOTALL)
    app = Starlette(
        routes=[*routes, results],
        exception_handlers={HTTPException: _error_page, Exception: _error_page},
    )
    return _guarded(app, prefix)


def _guarded(app: ASGIApp, prefix: str) -> ASGIApp:
    """Put the headers of the site on every answer of an application, errors included."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

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


def serve(
    directory: Path, *, host: str, port: int, path: str, say: Callable[[str], object]
) -> None:
    """Serve the results until a signal ends it.

    Args:
        directory: The folder with the results.
        host: Address to listen on.
        port: Port to listen on; 0 chooses one.
        path: Where on its host the website begins.
        say: Is told the address, once it is listened on.

    Raises:
        ConfigurationError: The address cannot be listened on, or the path is none.
    """
    import uvicorn

    _require_path(path)
    with _listening(host, port) as listener:
        say(f"{directory} is shown at {_address(listener, path)}; Ctrl-C ends it")
        configuration = uvicorn.Config(
            application(directory, path=path),
            log_level="info",
            access_log=False,  # probes alone would fill it
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(configuration).run(sockets=[listener])


def _require_path(path: str) -> None:
    """Refuse a path that no browser asks for, or that is taken."""
    segments = path.strip("/").split("/") if path.strip("/") else []
    is_path = path.startswith("/") and all(
        _SEGMENT.fullmatch(each) and each not in {".", ".."} for each in segments
    )
    if not is_path or path.rstrip("/") == HEALTH:
        message = (
            f"--path {path!a} is no place for a site. Use one such as /reports: a slash first, "
            f"then letters, digits, '.', '_', '~' and '-' between slashes; not {HEALTH}."
        )
        raise ConfigurationError(message)


def _address(listener: socket.socket, path: str) -> str:
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{path.rstrip('/')}/"


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=_family(host))
    except OSError as error:
        message = (
            f"{host}:{port} cannot be listened on: {_reason(error)}. Choose another: "
            f"floe-tests serve --port {port + 1}, or --host."
        )
        raise ConfigurationError(message) from error
    with listener:
        yield listener


def _reason(error: OSError) -> str:
    # Python's own adds the address once more.
    return str(error.strerror or error).partition(" (while attempting")[0]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_report(asked: str) -> bool:
    """Return whether it is a tier's grid, which no test pod can write."""
    words = [word for word in asked.split("/") if word]
    return len(words) == 2 and words[1] == REPORT  # noqa: PLR2004 - tier/report.html


class _Results(StaticFiles):
    """Files as they are, folders as lists; nothing hidden, nothing outside of the folder."""

    def __init__(self, directory: Path, *, prefix: str) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._prefix = prefix

    def get_path(self, scope: Scope) -> str:
        """Return the path that was asked for, also where its bytes are no UTF-8."""
        raw = bytes(scope.get("raw_path") or quote(str(scope["path"])).encode())
        path = os.fsdecode(unquote_to_bytes(raw)).removeprefix(self._prefix)
        return os.path.normpath(path.removeprefix("/") or ".")

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(status_code=405, headers={"Allow": "GET, HEAD"})
        if any(part.startswith(".") for part in Path(path).parts):
            raise HTTPException(status_code=_NOT_FOUND)
        try:
            return await run_in_threadpool(self._answer, path, scope)
        except OSError as error:
            raise HTTPException(status_code=_status_of(error)) from error
        except ValueError as error:  # a NUL in the path
            raise HTTPException(status_code=_NOT_FOUND) from error

    def _answer(self, path: str, scope: Scope) -> Response:
        found, status = self.lookup_path(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            if str(scope["path"]).endswith("/"):
                if path == "." and (front := self._front_page(Path(found))) is not None:
                    return front
                return HTMLResponse("".join(_listing(Path(found), "" if path == "." else path)))
            return _with_slash(Path(path).name)
        if status is not None and stat.S_ISREG(status.st_mode):
            answer = FileAnswer.opened(Path(found))
            if answer is not None:
                if self.is_not_modified(answer.headers, Headers(scope=scope)):
                    answer.close()
                    return NotModifiedResponse(answer.headers)
                return answer
        if path == ".":  # before the first run there is no folder
            return HTMLResponse(overview.html(()))
        raise HTTPException(status_code=_NOT_FOUND)

    def _front_page(self, folder: Path) -> Response | None:
        """Return the overview of all tiers; None for a folder of results that has none."""
        found, status = self.lookup_path(overview.NAME)
        if status is not None and stat.S_ISREG(status.st_mode):
            return FileAnswer.opened(Path(found))
        return None if any(_dated(folder)) else HTMLResponse(overview.html(()))


def _with_slash(name: str) -> Response:
    """Lead to a folder; relative, so that it holds behind any proxy."""
    return Response(status_code=307, headers={"Location": f"{quote(os.fsencode(name))}/"})


def _status_of(error: OSError) -> int:
    """Return what an error of the file system is to who asked."""
    if isinstance(error, PermissionError):
        return HTTPStatus.FORBIDDEN
    if error.errno in _PASSING:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return _NOT_FOUND


def _error_page(_request: Request, error: Exception) -> Response:
    """Return the page of an error: what it means, and the way back."""
    status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, None
    if isinstance(error, HTTPException):
        status, headers = HTTPStatus(error.status_code), error.headers
    said = _SAID.get(status, status.description or status.phrase)
    page = (
        f"<!doctype html><meta charset=utf-8><title>{status.phrase}</title>"
        f"<style>{_STYLE}</style><h1>{status.value} {status.phrase}</h1><p>{html.escape(said)}</p>"
    )
    return HTMLResponse(page, status_code=status, headers=headers)


def _listing(folder: Path, title: str) -> Iterator[str]:
    """Yield the page of a folder: what is in it, newest first."""
    # What a run removes meanwhile is not there.
    dated = sorted(_dated(folder), reverse=True)
    shown = _shown(title) or "Results"
    yield f"<!doctype html><meta charset=utf-8><title>{shown}</title><style>{_STYLE}</style>"
    yield f"<h1>{shown}</h1><ul>"
    if title:
        yield '<li><a href="../">..</a></li>'
    for _, name, is_folder in dated[:_SHOWN_ENTRIES]:
        end = "/" if is_folder else ""
        yield f'<li><a href="./{quote(os.fsencode(name))}{end}">{_shown(name)}{end}</a></li>'
    yield "</ul>"
    if not dated:
        yield "<p>Nothing is here yet: no run has published results.</p>"
    if len(dated) > _SHOWN_ENTRIES:
        yield f"<p>and {len(dated) - _SHOWN_ENTRIES} older ones</p>"


def _shown(name: str) -> str:
    """Return a name as HTML shows it; its bytes may be no UTF-8."""
    return html.escape(legible(os.fsencode(name).decode(errors="replace")))


def _dated(folder: Path) -> Iterator[tuple[float, str, bool]]:
    with os.scandir(folder) as entries:
        for entry in islice(entries, _READ_ENTRIES):
            # A link may lead nowhere, or in a circle.
            with contextlib.suppress(OSError):
                if not entry.name.startswith("."):
                    yield entry.stat().st_mtime, entry.name, entry.is_dir()
