"""Runs one attempt of a suite as a process of this machine, with the same exporter and verdict."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from floe_tests import exporter
from floe_tests.config.groups import ADDOPTS_VARIABLE
from floe_tests.config.variables import inherited
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.log import Log
from floe_tests.core.signals import held_signals, no_reason, reason_of, uninterrupted
from floe_tests.execution.attempt import Attempt, Timings, judge
from floe_tests.execution.launched import LaunchedCommand
from floe_tests.execution.manifest import AttemptSpec, run_variables
from floe_tests.execution.process_command import ProcessCommand
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.timeouts import TESTS_SLACK_SECONDS
from floe_tests.execution.verdict.evidence.words import PROCESS
from floe_tests.execution.verdict.facts import ContainerFacts, ErrorFacts, Facts, PodFacts

_EXPORTER_COMMAND = (sys.executable, "-I", "-m", exporter.__name__)
_WAKE_SECONDS = 0.25
_EXPORT_SECONDS = 35.0
_STOP_SECONDS = 15.0
_MEBIBYTE = 1024 * 1024
_PIPE_BYTES_PER_SECOND = 1024 * _MEBIBYTE


class ProcessRun:
    """One attempt to run a suite as a process of this machine."""

    def __init__(
        self,
        command: ProcessCommand,
        spec: AttemptSpec,
        *,
        root: Path,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            command: What runs the suite.
            spec: The attempt.
            root: The project's folder, which the command runs in.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Returns the reason that was left for a cancellation.
        """
        self._why_cancelled = why_cancelled
        self._command = command
        self._spec = spec
        self._root = root
        self._directory = directory
        self._written = directory / "written"
        self._log = log
        self._receiver = Receiver(directory / "results", log=log, clock=spec.clock)
        self._pieces: queue.Queue[bytes | None] = queue.Queue(maxsize=256)
        self._clock = spec.deadline(spec.deadlines.job_seconds)
        self._started_at = datetime.now(UTC)
        self._ended_at: datetime | None = None
        self._timed_out = False
        self._memory_peak_bytes = 0
        self._exit_code: int | None = None

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Start the suite, follow it to its end, and give the judged attempt.

        Args:
            record: Receives the attempt, also when the run is interrupted.

        Raises:
            BaseException: Whatever interrupted the run, after its results so far were recorded.
        """
        self._written.mkdir(parents=True, exist_ok=True)
        tests: LaunchedCommand | None = None
        sender: subprocess.Popen[bytes] | None = None
        try:
            tests = self._start_tests()
            sender = self._start_exporter()
            self._follow(tests)
        except ConfigurationError as error:
            attempt = self._finish(error=ErrorFacts("configuration", str(error)))
            record(attempt)
            return attempt
        except BaseException as interrupt:
            with held_signals(self._log):
                reason = reason_of(interrupt, self._why_cancelled, doing=self._subject)
                self._log(f"{self._subject}: cancelled, {reason}")
                if tests is not None:
                    tests.stop()
                if sender is not None:
                    self._collect(sender)
                record(self._finish(cancelled=reason))
            raise
        self._collect(sender)
        attempt = self._finish()
        record(attempt)
        return attempt

    def remove(self) -> None:
        """Do nothing: its processes have ended with it."""

    @property
    def _subject(self) -> str:
        return f"{PROCESS}{self._spec.job_name}"

    def _start_tests(self) -> LaunchedCommand:
        words = self._command.words_in(self._written)
        owner = self._spec.owner
        try:
            process = LaunchedCommand(
                words,
                mark=f"{owner.run_id}/{self._spec.suite}/{self._spec.attempt}",
                environment=self._test_environment(),
                directory=self._root,
                output=self._directory / "pod.log",
            )
        except OSError as error:
            message = f"`{words[0]}` of suite {self._spec.suite} cannot be started: {error}"
            raise ConfigurationError(message) from error
        self._log(f"{self._subject} started: {' '.join(words)}")
        return process

    def _test_environment(self) -> dict[str, str]:
        """Return what a pod would give the tests, and what they may see of this machine."""
        surroundings, missing = inherited(os.environ, self._command.passed)
        if missing:
            self._log(f"{self._subject}: pass_environment names {', '.join(missing)}: not set here")
        if ADDOPTS_VARIABLE in os.environ:
            self._log(f"{self._subject}: {ADDOPTS_VARIABLE} of this shell is not passed on")
        declared = dict(self._command.environment)
        return {
            **surroundings,
            **declared,
            **run_variables(self._spec, addopts=declared.get(ADDOPTS_VARIABLE, "")),
            "FLOE_RESULTS_DIR": str(self._written),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def _start_exporter(self) -> subprocess.Popen[bytes]:
        # The child inherits the mask and lifts it when it listens: a suite that ends at once must
        # not kill the exporter with the very signal that asks it for its manifest.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        try:
            with (self._directory / "exporter.log").open("wb") as errors:
                process = subprocess.Popen(  # noqa: S603 - this project's own program
                    list(_EXPORTER_COMMAND),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env={
                        **inherited(os.environ)[0],
                        **_exporter_environment(self._spec, self._written),
                    },
                    start_new_session=True,
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if process.stdout is None:
            raise RuntimeError(self._subject)
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        return process

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while piece := os.read(stream.fileno(), 64 * 1024):
                self._pieces.put(piece)
        self._pieces.put(None)

    def _follow(self, tests: LaunchedCommand) -> None:
        deadline = self._spec.deadline(self._spec.deadlines.tests_seconds + TESTS_SLACK_SECONDS)
        while tests.exit_code is None:
            self._drain(wait_seconds=_WAKE_SECONDS)
            self._memory_peak_bytes = max(self._memory_peak_bytes, tests.memory_bytes)
            if deadline.passed:
                self._log("the tests did not end by their deadline: stopping them")
                self._timed_out = True
                tests.stop()
        tests.kill_what_is_left()
        self._ended_at = datetime.now(UTC)
        self._exit_code = tests.exit_code

    def _collect(self, sender: subprocess.Popen[bytes]) -> None:
        """Tell the exporter that the tests are over, as the kubelet does; take what it sends."""
        sender.terminate()
        deadline = self._spec.deadline(_EXPORT_SECONDS)
        while not deadline.passed:
            if self._drain(wait_seconds=_WAKE_SECONDS):
                break
        sender.kill()
        sender.wait(timeout=_STOP_SECONDS)

    def _drain(self, *, wait_seconds: float) -> bool:
        """Take what has arrived; True once the exporter has ended."""
        try:
            piece = self._next(wait_seconds)
            while piece is not None:
                self._receiver.feed(piece)
                piece = self._next(0)
        except queue.Empty:
            return False
        return True

    @uninterrupted
    def _next(self, wait_seconds: float) -> bytes | None:
        return self._pieces.get(timeout=wait_seconds)

    def _finish(self, *, cancelled: str | None = None, error: ErrorFacts | None = None) -> Attempt:
        end = self._ended_at
        facts = self._facts(cancelled=cancelled, error=error)
        facts, verdict = judge(
            facts, directory=self._receiver.directory, completeness=self._receiver.finish(facts)
        )
        return Attempt(
            suite=self._spec.suite,
            number=self._spec.attempt,
            directory=self._directory,
            started_at=self._started_at,
            facts=facts,
            verdict=verdict,
            timings=Timings(
                total=self._clock.elapsed_seconds,
                pod_start=0,
                tests=facts.tests_seconds,
                to_verdict=(datetime.now(UTC) - end).total_seconds() if end else None,
            ),
        )

    def _facts(self, *, cancelled: str | None, error: ErrorFacts | None) -> Facts:
        end, deadlines = self._ended_at, self._spec.deadlines
        return Facts(
            subject=self._subject,
            cancelled=cancelled,
            error=error,
            passed_deadline="tests" if self._timed_out else None,
            pod=self._pod_facts() if error is None else None,
            elapsed_seconds=self._clock.elapsed_seconds,
            tests_seconds=(end - self._started_at).total_seconds() if end else None,
            deadlines=(("tests", deadlines.tests_seconds), ("job", deadlines.job_seconds)),
        )

    def _pod_facts(self) -> PodFacts:
        """Return what a pod would have shown."""
        end = self._ended_at
        test = ContainerFacts(
            name=self._spec.suite,
            state="terminated" if end else "unknown",
            exit_code=self._exit_code,
            started_at=self._started_at,
            finished_at=end,
        )
        return PodFacts(
            name=self._spec.job_name,
            phase="Succeeded" if self._exit_code == 0 else "Failed",
            test=test,
            created_at=self._started_at,
            ended_undisturbed=end is not None,
            memory_peak_mib=self._memory_peak_bytes / _MEBIBYTE,
        )


def _exporter_environment(spec: AttemptSpec, directory: Path) -> Mapping[str, str]:
    return {
        "FLOE_RESULTS_DIR": str(directory),
        "FLOE_RUN_ID": spec.owner.run_id,
        # A pipe never rotates, and holds its writer back by itself.
        "FLOE_STREAM_BYTES_PER_SECOND": str(_PIPE_BYTES_PER_SECOND),
    }
