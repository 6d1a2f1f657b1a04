"""The errors of this package, one class for each party that can be at fault.

    FloeTestsError
    ├── ConfigurationError      a setting, a file or an argument is wrong, or refused by the cluster
    ├── InfrastructureError     the cluster, its API or a program around it failed
    │   ├── ProgramError        kind, helm or another program ended with an error
    │   └── DeadlineError       something did not happen in its time
    ├── PlatformError           what a tier installs did not come up
    ├── HarnessError            this project's own machinery failed, or what it got is unreadable
    ├── LeaseError              the environment of a run is gone, or was never there
    └── CleanupError            something that a run created could not be removed

Each message says what was tried, what was found and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.core.evidence import Evidence


class FloeTestsError(Exception):
    """Anything that this package raises on purpose."""

    def __init__(self, message: str, *, evidence: Sequence[Evidence] = ()) -> None:
        """Keep the message and what was seen.

        Args:
            message: What was tried, what was found, what to do next.
            evidence: The facts behind it, most telling first.
        """
        super().__init__(message)
        self.evidence = tuple(evidence)


class ConfigurationError(FloeTestsError):
    """A setting, a file or an argument is wrong, or the cluster's rules refuse what it asks for.

    Nearly always raised before anything is created.
    """


class InfrastructureError(FloeTestsError):
    """The cluster, its API or a program around it failed; no test is to blame."""


class ProgramError(InfrastructureError):
    """A program ended with an error.

    Attributes:
        command: The command, pasteable into a shell, secrets masked.
        exit_code: Its exit code; negative for a signal, as in `subprocess`.
        output_tail: The last lines it printed.
    """

    def __init__(self, *, command: str, exit_code: int, output_tail: str, remedy: str = "") -> None:
        """Word the failure from the command itself."""
        parts = [f"`{command}` ended with exit code {exit_code}."]
        if remedy:
            parts.append(remedy)
        if output_tail:
            parts.append(f"Its last lines:\n{output_tail}")
        super().__init__(
            "\n".join(parts),
            evidence=[Evidence(subject=command, field="exit code", value=str(exit_code))],
        )
        self.command = command
        self.exit_code = exit_code
        self.output_tail = output_tail


class DeadlineError(InfrastructureError):
    """Something did not happen in its time; the message holds the last state seen."""


class PlatformError(FloeTestsError):
    """What a tier installs did not come up; the message names the component."""


class HarnessError(FloeTestsError):
    """This project's own machinery failed, or what it received cannot be read."""


class LeaseError(FloeTestsError):
    """The environment of a run is gone, or was never there."""


class CleanupError(FloeTestsError):
    """Something that a run created could not be removed; the message says how to remove it."""


def first_line(error: BaseException) -> str:
    """Return an error's first line, for a table."""
    return next(iter(str(error).splitlines()), type(error).__name__)
