"""Follow all files: results first, attachments within their limits."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from .directory import (
    Found,
    look,
    open_beneath,
    read_beneath,
    stamp_of,
)
from .followed_file import FollowedFile, Refused
from .frames import FrameWriter, Place
from .listing import (
    Listing,
    is_candidate,
    kind_refusal,
    legible_path,
)
from .results import (
    JUNIT_NAMES,
    RESULT_FILES,
    ROOT_BYTES,
    is_named_like_result,
    is_xml,
)
from .settings import (
    CHUNK_BYTES,
    ENTRIES,
    LIVE_GENERATIONS,
    NOTICES,
    PASS_BYTES,
    REFUSALS,
    RESULT_GENERATIONS,
    VOID_BYTES,
    Settings,
)


class Follower:
    """Keeps the stream up with the directory, within the caps."""

    def __init__(self, root: int, settings: Settings, writer: FrameWriter) -> None:
        """Follow an open directory; without one (`NO_DIRECTORY`) there is nothing to look at."""
        self.files: dict[str, FollowedFile] = {}
        self.sent_bytes = 0
        self.notices = 0
        self._attachment_bytes = 0
        self._void_bytes = 0
        self._counts = {True: 0, False: 0}
        self._noticed: set[tuple[str, str]] = set()
        self._refused: list[Refused] = []
        self._refused_more = 0
        self._vanished: dict[str, Refused] = {}
        self._renamed: set[str] = set()
        self._root = root
        self._settings = settings
        self._writer = writer
        self._turn = 0

    def notice(self, path: str, reason: str, detail: str) -> None:
        """Tell once that something is not sent as it is."""
        if (path, reason) in self._noticed or len(self._noticed) >= NOTICES:
            return
        self._noticed.add((path, reason))
        self.notices += 1
        if len(self._noticed) == NOTICES:
            path, reason, detail = "", "notices", f"more than {NOTICES} notices are left out"
        self._writer.control("notice", path=path, reason=reason, detail=detail)

    def refusals(self) -> tuple[list[Refused], int]:
        """Return what is refused and may have to do with results, and how many more are."""
        unread = (
            Refused(file.path, *file.refusal, "result")
            for file in self.files.values()
            if file.refusal[0] and file.is_result and not file.is_deleted
        )
        every = [*self._refused, *unread, *self._vanished.values()]
        return every[:REFUSALS], max(0, len(every) - REFUSALS) + self._refused_more

    def survey(self) -> None:
        """Look at the directory."""
        self._refused, self._refused_more = [], 0
        present: set[str] = set()
        for found in self._list():
            if found.refusal:
                self._refuse(found)
            elif (file := self._admit(found)) is not None:
                present.add(found.path)
                self._vanished.pop(found.path, None)
                file.is_deleted = False
                if file.source != found.source:
                    file.source = found.source
                if (file.size, file.stamp) != (found.size, found.stamp):
                    file.size, file.stamp = found.size, found.stamp
                    self._judge(file, found.path)
        gone = [path for path in self.files if path not in present]
        for path in gone:
            self.files[path].is_deleted = True
        self._forget_unsent(gone)

    def _list(self) -> Iterator[Found]:
        listing = Listing(self._root, results=self._settings.results, wants=self._has_room)
        yield from listing.walk()
        if listing.is_whole:
            return
        yield Found("", "", "folder", f"only {ENTRIES} entries are looked at")
        # The listing has no order: what matters is looked for by its name.
        for path in {*JUNIT_NAMES, *RESULT_FILES, *self.files}:
            if (found := look(self._root, path)) is not None:
                yield found

    def _has_room(self, path: str) -> bool:
        return path in self.files or self._counts[False] < self._settings.files

    def _refuse(self, found: Found) -> None:
        """Say that something is not sent. What may be a result, the manifest says at the end."""
        is_beyond_cap = found.refusal == "too_many_files"
        # Of an XML file beyond the cap nobody knows whether it is a result.
        is_result = is_named_like_result(found.path) or (is_beyond_cap and is_xml(found.path))
        if is_beyond_cap and not is_result:
            self.notice("", found.refusal, f"files beyond the cap of {self._settings.files}")
        elif is_result or found.refusal == "folder":
            if len(self._refused) >= REFUSALS:
                self._refused_more += 1
                return
            role = "result" if is_result else "folder"
            shown = legible_path(found.path, path_bytes=self._settings.path_bytes)
            self._refused.append(Refused(shown, found.refusal, found.detail, role))
        elif len(self._noticed) < NOTICES:
            shown = legible_path(found.path, path_bytes=self._settings.path_bytes)
            self.notice(shown, found.refusal, found.detail)

    def _shown(self, path: str) -> str:
        """Return a path as it is sent; two files never have one path."""
        shown = legible_path(path, path_bytes=self._settings.path_bytes)
        if shown == path and path not in self._renamed:
            return path
        stem, suffix = (shown[:-4], shown[-4:]) if is_xml(shown) else (shown, "")
        number, unique = 1, shown
        while unique in self._renamed or unique in self.files:
            number += 1
            unique = f"{stem}~{number}{suffix}"
        self._renamed.add(unique)
        return unique

    def _admit(self, found: Found) -> FollowedFile | None:
        known = self.files.get(found.path)
        if known is not None:
            return known
        candidate = is_candidate(found.path)
        cap = self._settings.result_files if candidate else self._settings.files
        if self._counts[candidate] >= cap:
            detail = f"files beyond the cap of {cap} are left out"
            self._refuse(found._replace(refusal="too_many_files", detail=detail))
            return None
        self._counts[candidate] += 1
        shown = self._shown(found.path)
        file = self.files[found.path] = FollowedFile(shown, found)
        self._judge(file, found.path)
        if shown != found.path:
            self.notice(shown, "renamed", f"the name of {ascii(found.path)[:300]} cannot be sent")
        return file

    def _judge(self, file: FollowedFile, path: str) -> None:
        """Look into an XML file that may have become a result, or turned out to be none."""
        if file.is_candidate and path not in RESULT_FILES:
            file.judge(path, read_beneath(self._root, file.source, offset=0, size=ROOT_BYTES))

    def _forget_unsent(self, gone: list[str]) -> None:
        """Forget files that went before anything of them was sent."""
        unsent = [path for path in gone if not self.files[path].is_announced]
        if not unsent:
            return
        present = {file.stamp[:2] for file in self.files.values() if not file.is_deleted}
        for path in unsent:
            file = self.files.pop(path)
            self._counts[file.is_candidate] -= 1
            # What was renamed is sent by its new name; an empty file held no result.
            if file.is_result and file.size and file.stamp[:2] not in present:
                detail = f"it went before its {file.size} bytes could be sent"
                if len(self._vanished) < REFUSALS:
                    self._vanished[path] = Refused(file.path, "vanished", detail, "result")

    def send_pass(self, *, until: float, is_final: bool, only_results: bool = False) -> bool:
        """Send what is new, result files first.

        Args:
            until: Monotonic time to stop at.
            is_final: Whether nothing will be written any more: then everything is sent, in the
                order of importance, small files first.
            only_results: Whether attachments wait.

        Returns:
            Whether anything was sent.
        """
        self._turn += 1
        frames_before = self._writer.number
        room = sys.maxsize if is_final else PASS_BYTES
        for file in sorted(self._pending(is_final=is_final), key=self._order(is_final=is_final)):
            if time.monotonic() >= until:
                break
            if only_results and not file.is_result:
                continue
            before = self.sent_bytes
            if file.is_result or room > 0:
                limit = PASS_BYTES if file.is_result and not is_final else room
                self._serve(file, limit=limit, until=until)
            if not file.is_result:
                room -= self.sent_bytes - before
        return self._writer.number != frames_before

    def _pending(self, *, is_final: bool) -> list[FollowedFile]:
        files = [file for file in self.files.values() if file.is_pending]
        if is_final:
            return files
        return [file for file in files if not file.is_hidden and self._is_live(file)]

    def _is_live(self, file: FollowedFile) -> bool:
        if not file.is_result or self._void_bytes > VOID_BYTES:
            return file.generation < LIVE_GENERATIONS
        return file.generation < RESULT_GENERATIONS

    @staticmethod
    def _order(*, is_final: bool) -> Callable[[FollowedFile], tuple[int, int]]:
        if is_final:
            return lambda file: (file.rank, file.size)
        return lambda file: (file.rank, file.served_turn)

    def _serve(self, file: FollowedFile, *, limit: int, until: float) -> None:
        file.served_turn = self._turn
        try:
            descriptor = open_beneath(self._root, file.source)
        except FileNotFoundError:
            file.is_deleted = True
            return
        except OSError as error:
            self._refuse_file(file, "unreadable", os.strerror(error.errno or 0))
            return
        try:
            self._send_new(file, descriptor, limit=limit, until=until)
        except OSError as error:
            self._refuse_file(file, "unreadable", os.strerror(error.errno or 0))
        finally:
            file.rest()
            os.close(descriptor)

    def _refuse_file(self, file: FollowedFile, reason: str, detail: str) -> None:
        file.refusal = (reason, detail)
        if not file.is_result:
            self.notice(file.path, reason, detail)

    def _send_new(self, file: FollowedFile, descriptor: int, *, limit: int, until: float) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self._refuse_file(file, *kind_refusal(status.st_mode))
            return
        file.refusal = ("", "")
        if change := file.change(descriptor, status):
            self.restart(file, change)
        end = file.offset + min(status.st_size - file.offset, limit, self._allowance(file))
        while file.offset < end or not file.is_announced:
            if file.is_announced and time.monotonic() >= until:
                break
            content = os.pread(descriptor, min(CHUNK_BYTES, end - file.offset), file.offset)
            if not content and file.is_announced:
                break
            self._send_chunk(file, content)
        if file.offset >= min(status.st_size, file.offset + self._allowance(file)):
            stamp = stamp_of(status)
            # One object for both, where nothing has changed: there may be thousands.
            file.seen_stamp = file.stamp if stamp == file.stamp else stamp
            file.size = status.st_size
            if file.offset < status.st_size and not file.is_cut:
                file.is_cut = True
                text = f"cut after {file.offset} of {status.st_size} bytes: a cap is reached"
                self.notice(file.path, "cut", text)

    def _send_chunk(self, file: FollowedFile, content: bytes) -> None:
        place = Place(file.path, file.source, file.generation, file.offset)
        taken = self._writer.data(place, content, guess=file.guess)
        file.guess = CHUNK_BYTES if taken == len(content) else taken
        file.advance(content[:taken])
        self.sent_bytes += taken
        if not file.is_result:
            self._attachment_bytes += taken

    def _allowance(self, file: FollowedFile) -> int:
        """How many more bytes of a file the caps leave."""
        total = self._settings.total_bytes - self.sent_bytes
        if not file.is_result:
            own = self._settings.total_bytes - self._settings.reserved_bytes
            total = min(total, own - self._attachment_bytes)
        return max(0, min(total, self._settings.file_bytes - file.offset))

    def restart(self, file: FollowedFile, reason: str) -> None:
        """Begin a file again, because what was sent is not what it holds."""
        self._void_bytes += file.offset
        file.begin()
        file.generation += 1
        file.seen_stamp = (0, 0, 0, 0)
        self._writer.control("replaced", path=file.path, generation=file.generation, reason=reason)

    def known_size(self, file: FollowedFile) -> int:
        """Return the size to compare with what was sent.

        A deleted attachment is what was sent of it. Of a result the end may be lost, unless the
        file was only renamed.
        """
        if not file.is_deleted:
            return file.size
        present = (other.stamp[:2] for other in self.files.values() if not other.is_deleted)
        if not file.is_result or file.size <= file.offset or file.stamp[:2] in present:
            return file.offset
        return file.size

    def verify(self, *, until: float, only_results: bool) -> bool:
        """Read every file once more and compare it with what was sent.

        Catches what no look can: a file rewritten in place, with the same size and both ends.

        Args:
            until: Monotonic time to stop at.
            only_results: Whether attachments wait.

        Returns:
            Whether something has to be sent again.
        """
        is_changed = False
        for file in sorted(self.files.values(), key=self._order(is_final=True)):
            if file.is_deleted or not file.is_announced or file.is_verified:
                continue
            if only_results and not file.is_result:
                continue
            if time.monotonic() >= until:
                break
            if self._digest(file) == file.sha256.digest():
                file.is_verified = True
            else:
                self.restart(file, "it was rewritten")
                is_changed = True
        return is_changed

    def _digest(self, file: FollowedFile) -> bytes:
        sha256 = hashlib.sha256()
        position = 0
        try:
            descriptor = open_beneath(self._root, file.source)
        except OSError:
            return file.sha256.digest()  # Gone: what was sent is all there will be.
        try:
            while position < file.offset:
                size = min(CHUNK_BYTES, file.offset - position)
                content = os.pread(descriptor, size, position)
                if not content:
                    break
                sha256.update(content)
                position += len(content)
        finally:
            os.close(descriptor)
        return sha256.digest()
