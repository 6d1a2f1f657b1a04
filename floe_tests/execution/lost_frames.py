"""Frames that the exporter's log has lost in a rotation, asked for again while it is there."""

from __future__ import annotations

from floe_tests.core.log import Log
from floe_tests.execution.pod_watcher import FramesAgain, PodWatcher
from floe_tests.execution.receiver import Receiver
from floe_tests.execution.verdict.facts import PodFacts

_MOST_ASKS = 50
_FAILED_ASKS = 3


class LostFrames:
    """Asks for what is missing, one question at a time and not for ever."""

    def __init__(self, receiver: Receiver, watcher: PodWatcher, *, log: Log) -> None:
        """Begin with no question.

        Args:
            receiver: Knows what is missing.
            watcher: Asks.
            log: Receives what was lost and what came.
        """
        self._receiver = receiver
        self._watcher = watcher
        self._log = log
        self.is_asking = False
        self._asks = 0
        self._failed_asks = 0

    def ask(self, pod: PodFacts) -> None:
        """Ask for what is missing, if anything is and the exporter can answer."""
        missing = self._receiver.missing
        asked_enough = self._asks >= _MOST_ASKS or self._failed_asks >= _FAILED_ASKS
        if not missing or not pod.exporter_runs or self.is_asking or asked_enough:
            return
        self.is_asking = True
        self._asks += 1
        frames = sum(len(gap) for gap in missing)
        self._log(f"the exporter's log has lost {frames} frames: asking for them again")
        self._watcher.ask_again(pod.name, missing)

    def take(self, answer: FramesAgain) -> None:
        """Take an answer."""
        self.is_asking = False
        self._receiver.feed_lines(answer.lines)
        if answer.error is not None:
            self._failed_asks += 1
            self._log(f"frames could not be asked for again: {answer.error}")
        elif not self._receiver.missing:
            self._log("the lost frames have arrived again")
