"""The program: follow until the tests have ended, send the rest, prove it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

from .archive import resend
from .directory import NO_DIRECTORY
from .follower import Follower
from .frames import FrameWriter, write_standard_output
from .manifest import Settled, manifest_document, write_digest
from .settings import (
    KIB,
    PROTOCOL_VERSION,
    ROTATION_BYTES,
    Settings,
    read_settings,
)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Turns the first SIGTERM or SIGINT into a flag, and ends a pause at once."""

    def __init__(self) -> None:
        """Take the signals over, those that came already included."""
        self.is_requested = False
        self._wake, wake_write = os.pipe()
        for descriptor in (self._wake, wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._request)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.is_requested = True

    def pause(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        if select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, KIB)


class Exporter:
    """Follows the directory until it is told to stop, and proves what it sent."""

    def __init__(self, settings: Settings, *, stop: Stop, writer: FrameWriter) -> None:
        """Prepare to send what is in the settings' directory."""
        self._settings = settings
        self._stop = stop
        self._writer = writer

    def run(self) -> None:
        """Send everything, then the manifest."""
        caps = (
            "file_bytes",
            "total_bytes",
            "reserved_bytes",
            "files",
            "result_files",
            "path_bytes",
        )
        self._writer.control(
            "hello",
            version=PROTOCOL_VERSION,
            run=self._settings.run_id,
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            resend=self._writer.journal.on,
            caps={name: getattr(self._settings, name) for name in caps},
        )
        root = self._open_root()
        follower = Follower(root, self._settings, self._writer)
        if root == NO_DIRECTORY:
            detail = f"{self._settings.results} is no directory that can be read"
            follower.notice("", "no_directory", detail)
            self._conclude(follower, root, settled=Settled(results=True, everything=True))
            return
        self._follow(follower)
        settled = self._finish(follower)
        self._conclude(follower, root, settled=settled)
        self._linger()

    def _open_root(self) -> int:
        while True:
            with contextlib.suppress(OSError):
                return os.open(self._settings.results, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if self._is_to_end():
                return NO_DIRECTORY
            self._beat()
            self._stop.pause(self._settings.poll_seconds)

    def _is_to_end(self) -> bool:
        """Return whether the tests have ended, by the kubelet's signal or somebody's word.

        The kubelet waits for every container that is no sidecar, and some end with the pod only.
        """
        return self._stop.is_requested or self._is_told("finish")

    def _is_told(self, word: str) -> bool:
        state = self._settings.state
        return bool(state) and os.path.exists(os.path.join(state, word))

    def _follow(self, follower: Follower) -> None:
        while not self._is_to_end():
            used = time.process_time()
            follower.survey()
            if follower.send_pass(until=float("inf"), is_final=False):
                continue
            self._beat()
            # The standard library has no inotify, so the directory is looked at. A large one
            # costs more to look at, and gets longer pauses: a tenth of the CPU at most.
            used = time.process_time() - used
            self._stop.pause(max(self._settings.poll_seconds, 10 * used))

    def _beat(self) -> None:
        if time.monotonic() - self._writer.last_monotonic >= self._settings.heartbeat_seconds:
            self._writer.control("heartbeat")

    def _finish(self, follower: Follower) -> Settled:
        """Send the rest, results first: no attachment takes the time that proves them."""
        begun = time.monotonic()
        seconds = self._settings.deadline_seconds
        results = self._settle(follower, until=begun + seconds / 2, only_results=True)
        everything = self._settle(follower, until=begun + seconds, only_results=False)
        return Settled(results=results or everything, everything=everything)

    @staticmethod
    def _settle(follower: Follower, *, until: float, only_results: bool) -> bool:
        """Send and check; return whether there was the time for all of it."""
        while (now := time.monotonic()) < until:
            follower.survey()
            if follower.send_pass(until=until, is_final=True, only_results=only_results):
                continue
            # Reading everything again may take half the time that is left, not all of it.
            if not follower.verify(until=now + (until - now) / 2, only_results=only_results):
                return time.monotonic() < until
        return False

    def _conclude(self, follower: Follower, root: int, *, settled: Settled) -> None:
        if self._settings.state and not self._writer.journal.on:
            follower.notice("", "journal", "frames cannot be sent again: the state has no room")
        manifest = manifest_document(
            self._settings, follower, self._writer, root=root, settled=settled
        )
        self._writer.document("manifest", manifest)
        write_digest(
            self._settings.digest, writer=self._writer, manifest=manifest, follower=follower
        )

    def _linger(self) -> None:
        """Stay for those who want frames again: no command runs in a container that ended."""
        if self._is_told("finish"):
            # The kubelet would start one that ends beside running containers again.
            while not self._stop.is_requested:
                self._stop.pause(self._settings.poll_seconds)
            return
        if not self._writer.journal.on or self._writer.written_bytes < ROTATION_BYTES:
            return
        until = time.monotonic() + self._settings.linger_seconds
        while time.monotonic() < until and not self._is_told("done"):
            self._stop.pause(self._settings.poll_seconds)


USAGE = (
    "usage: exporter [resend FIRST LAST | done | finish] [--results DIRECTORY] [--OPTION VALUE ...]"
)


def parse(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split arguments into words and options.

    Raises:
        ValueError: An option has no value.
    """
    words: list[str] = []
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            words.append(argument)
            continue
        name, equals, value = argument[2:].partition("=")
        following = value if equals else next(rest, None)
        if following is None:
            text = f"{argument} needs a value"
            raise ValueError(text)
        options[name.replace("-", "_")] = following
    return words, options


def run(words: Sequence[str], settings: Settings) -> None:
    """Run a command.

    Raises:
        ValueError: There is no such command.
        OSError: Its files are not there, or nobody reads the output.
    """
    command = " ".join(words[:1])
    if command == "resend" and len(words) == 3:  # noqa: PLR2004 - resend FIRST LAST
        resend(settings, first=max(0, int(words[1])), last=int(words[2]))
    elif command in {"done", "finish"}:
        with open(os.path.join(settings.state, command), "wb"):
            pass
    elif command:
        text = f"cannot run {' '.join(words)!r}"
        raise ValueError(text)
    else:
        stop = Stop()
        # A restarted container starts a new session, whose numbers start at 0 again.
        writer = FrameWriter(settings, session=os.urandom(8).hex(), write=write_standard_output)
        Exporter(settings, stop=stop, writer=writer).run()


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the program and return its exit code."""
    try:
        words, options = parse(arguments)
        run(words, read_settings(options, environment))
    except ValueError as error:
        sys.stderr.write(f"{USAGE}\n{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"exporter: {error}\n")
        return 1
    return 0
