"""What a run chooses, held against its tier before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from floe_tests.config import markers, variables
from floe_tests.config.groups import ADDOPTS_VARIABLE
from floe_tests.config.selection import Selection
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.test_job import load_template
from floe_tests.config.tier import TierSettings
from floe_tests.config.wording import meant
from floe_tests.core.errors import ConfigurationError
from floe_tests.kube.objects import JsonObject, parts


def variables_of(
    selection: Selection, tier: TierSettings, root: Path
) -> Mapping[str, Mapping[str, str]]:
    """Return the variables that a run sets itself, by suite; its groups are looked at too.

    Args:
        selection: What the run chooses.
        tier: The tier.
        root: The project's folder.

    Raises:
        ConfigurationError: It chooses no suite, a suite knows no groups, or no suite knows a
            variable.
    """
    suites = selection.suites_of(tier)
    known = {suite.name: set(suite.variables) for suite in suites}
    deaf: list[str] = []
    commands: dict[str, Sequence[str]] = {}
    for suite in suites:
        container: JsonObject = {"command": list(suite.command or ())}
        if suite.job is not None:
            template = load_template(root / suite.job)
            known[suite.name].update(template.plain_variables)
            container = template.test_container
        if (suite.groups or suite.excluded_groups) and not knows_groups(container):
            deaf += _deaf(suite, container)
        mounted = [suite.mounted.folder] if suite.mounted else []
        commands[suite.name] = [*_words_of(container), *mounted]
    if deaf:
        raise ConfigurationError("\n".join(deaf))
    _require_mentioned(selection, commands, root)
    return variables.chosen(selection.variables, known)


def _require_mentioned(
    selection: Selection, commands: Mapping[str, Sequence[str]], root: Path
) -> None:
    """Refuse a group that no suite of the run mentions anywhere in its sources."""
    groups = (*selection.groups, *selection.excluded_groups)
    # Those that every suite lacks: one of them alone may have no such tests.
    lacking = [set(markers.unmentioned(groups, command, root)) for command in commands.values()]
    unknown = [name for name in groups if all(name in names for names in lacking)]
    if unknown:
        known = {name for command in commands.values() for name in markers.given(command, root)}
        close = "".join(meant(name, known) for name in unknown)
        message = (
            f"groups {', '.join(unknown)}: no test of the suites {', '.join(commands)} has such a "
            f"marker.{close} Their sources name {', '.join(sorted(known)) or 'none'}."
        )
        raise ConfigurationError(message)


def knows_groups(container: JsonObject) -> bool:
    """Whether the tests of a container may choose among groups: they are pytest's, or may be.

    Groups are pytest's markers. A command that is not pytest's ignores them, unless it says by the
    variable PYTEST_ADDOPTS that it hands them on; an image's own command is not known.
    """
    words = _words_of(container)
    is_told = any(item.get("name") == ADDOPTS_VARIABLE for item in parts(container, "env"))
    return not words or is_told or any("pytest" in word or "py.test" in word for word in words)


def _words_of(container: JsonObject) -> Sequence[str]:
    return [str(word) for key in ("command", "args") for word in container.get(key) or ()]


def _deaf(suite: SuiteSettings, container: JsonObject) -> Iterator[str]:
    groups = ", ".join(dict.fromkeys((*suite.groups, *suite.excluded_groups)))
    yield (
        f"groups {groups}: suite {suite.name} cannot choose among its tests. Groups are markers of "
        f"pytest, and it runs `{' '.join(_words_of(container))[:80]}`: all of its tests would run. "
        "Leave the groups out, or, where that command runs pytest and hands "
        f"{ADDOPTS_VARIABLE} on, give the test container that variable."
    )
