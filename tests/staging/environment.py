"""A suite's settings from its environment: all problems at once, before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class WrongEnvironment(Exception):  # noqa: N818 - it is the environment that is wrong
    """Variables of the test pod are wrong; the text names each."""


class Environment:
    """Reads variables, and remembers what is wrong with them.

    Args:
        variables: The environment.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """Read a number; an empty variable is one that is not set."""
        text = self._variables.get(name, "").strip() or str(default)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            self._problems.append(f"{name} is {text!r}; give a number from {least:g} to {most:g}")
            return default
        return value

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """Read a whole number."""
        value = self.number(name, default, least=least, most=most)
        if value != int(value):
            self._problems.append(f"{name} is {value:g}; give a whole number")
        return int(value)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Read one of some words; the first is the default."""
        value = self._variables.get(name, "").strip() or choices[0]
        if value not in choices:
            self._problems.append(f"{name} is {value!r}; give one of {', '.join(choices)}")
        return value

    def factors(self, name: str, names: Sequence[str]) -> dict[str, float]:
        """Read `NAME=FACTOR`, several with commas between; factors are above 1."""
        found: dict[str, float] = {}
        for word in self._variables.get(name, "").replace(" ", "").split(","):
            of, sign, text = word.partition("=")
            if not word:
                continue
            try:
                found[of] = float(text)
            except ValueError:
                found[of] = 0.0
            if not sign or of not in names or not 1 < found[of] <= 10:
                self._problems.append(
                    f"{name} has {word!r}; give NAME=FACTOR with a factor above 1 and a name of "
                    f"{', '.join(names)}"
                )
        return found

    def fits(self, seconds: float, *, what: str) -> None:
        """See to it that what is about to begin can end before the run ends the tests."""
        given = self._variables.get("FLOE_TESTS_TIMEOUT_SECONDS", "")
        if given and seconds > float(given):
            self._problems.append(
                f"{what} takes {seconds:.0f} s, and the tests have {float(given):.0f} s "
                "(deadlines.tests_seconds of the tier): shorten the one or raise the other"
            )

    def check(self) -> None:
        """Refuse to go on with wrong variables.

        Raises:
            WrongEnvironment: With all problems.
        """
        if self._problems:
            raise WrongEnvironment("; ".join(self._problems))
