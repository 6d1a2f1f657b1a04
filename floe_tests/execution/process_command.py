"""The command that runs a suite on this machine, as its test-job.yaml has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from floe_tests.config.test_job import RESULTS, JobTemplate
from floe_tests.core.errors import ConfigurationError
from floe_tests.kube.objects import parts


@dataclass(frozen=True)
class ProcessCommand:
    """What runs a suite on this machine.

    Attributes:
        words: Program and arguments; /results in them is replaced.
        environment: Its own variables.
        passed: Names of this process' variables that it gets, beside those that every suite gets.
    """

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    passed: tuple[str, ...] = ()

    @classmethod
    def from_template(
        cls, template: JobTemplate, *, passed: tuple[str, ...] = ()
    ) -> ProcessCommand:
        """Take command and plain variables from a suite's test-job.yaml.

        Raises:
            ConfigurationError: It has no command: only its image knows what it runs.
        """
        container = template.test_container
        if not container.get("command"):
            message = (
                f"{template.path}: container {template.container} has no `command`, and `local` "
                "has no image to take one from. Write it, or leave `local` out of the tier's "
                "`environments`."
            )
            raise ConfigurationError(message)
        plain = tuple(
            (str(item["name"]), str(item["value"]))
            for item in parts(container, "env")
            if "value" in item
        )
        words: list[object] = [*container.get("command", []), *container.get("args", [])]
        return cls(words=tuple(str(word) for word in words), environment=plain, passed=passed)

    def words_in(self, directory: Path) -> list[str]:
        """Return program and arguments, with the results folder in place of /results."""
        return [_in_directory(word, directory) for word in self.words]


def _in_directory(word: str, directory: Path) -> str:
    """Put the results folder in place of /results in a word of the command."""
    return re.sub(rf"(?<![\w.]){re.escape(RESULTS)}(?=/|$)", str(directory), word)
