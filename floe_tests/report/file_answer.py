"""One file as an answer over HTTP, from the moment it was opened.

A run may replace or prolong a file while it is sent. What is sent is the file that was opened, as
long as it was then: the length that the answer has announced holds.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from email.utils import formatdate
from mimetypes import guess_type
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

_CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})", re.ASCII)


class FileAnswer(Response):
    """Sends an open file, or one range of it, and closes it."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        """Announce a file.

        Args:
            file: The file.
            name: Its name, which says its type.
        """
        found = os.fstat(file.fileno())
        self._file = file
        self._size = found.st_size
        mark = hashlib.sha256(f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}".encode())
        super().__init__(
            media_type=guess_type(name)[0] or "application/octet-stream",
            headers={
                "Accept-Ranges": "bytes",
                "Content-Length": str(self._size),
                "Last-Modified": formatdate(found.st_mtime, usegmt=True),
                "ETag": f'"{mark.hexdigest()[:32]}"',
            },
        )

    @classmethod
    def opened(cls, path: Path) -> FileAnswer | None:
        """Open a file to be sent; None for what is no plain file, such as a pipe.

        Raises:
            OSError: It cannot be opened.
        """
        # What was a file a moment ago may be a pipe now, and opening one waits for a writer.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        try:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return cls(file, name=path.name)
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def close(self) -> None:
        """Close the file, where the answer is not sent after all."""
        self._file.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            wanted = self._range(Headers(scope=scope))
            if wanted is None:
                begin, end = 0, self._size
            elif wanted[0] >= wanted[1]:
                await self._refuse(scope, receive, send)
                return
            else:
                begin, end = wanted
                self.status_code = 206
                self.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{self._size}"
                self.headers["Content-Length"] = str(end - begin)
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            if scope["method"] != "HEAD":
                await self._send_bytes(begin, end, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _range(self, headers: Headers) -> tuple[int, int] | None:
        """Return the bytes that are asked for, from and to; None for all, and for a list of them.

        Source: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        """
        match = _RANGE.fullmatch(headers.get("range", "").strip())
        if match is None or headers.get("if-range", self.headers["etag"]) != self.headers["etag"]:
            return None
        first, last = match["first"], match["last"]
        if first:
            end = min(int(last) + 1, self._size) if last else self._size
            # Backwards means nothing, and is passed over.
            return None if last and int(last) < int(first) else (int(first), end)
        return (max(self._size - int(last), 0), self._size) if last else None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Content-Range": f"bytes */{self._size}"}
        text = f"the file has {self._size} bytes"
        await PlainTextResponse(text, status_code=416, headers=headers)(scope, receive, send)

    async def _send_bytes(self, begin: int, end: int, send: Send) -> None:
        await run_in_threadpool(self._file.seek, begin)
        while begin < end:
            piece = await run_in_threadpool(self._file.read, min(_CHUNK_BYTES, end - begin))
            if not piece:
                # Cut meanwhile. Blanks would be a lie, so the connection ends early.
                return
            begin += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
