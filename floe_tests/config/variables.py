"""Variables of a suite's tests: those that a tier sets, a run changes, or this machine has.

What a tier or a run sets is shown in the UI, in the results and in the history, so a secret has no
place in it. Of this machine's own variables a suite on `local` gets the few below and those that
its tier names: whoever prints its environment into a report must not print somebody's credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator

from floe_tests.core.errors import ConfigurationError

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SECRET = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|PRIVATE|(ACCESS|API|SIGNING)_?KEY")
# What the orchestrator says itself, and what changes which program runs.
_RESERVED = re.compile(
    r"FLOE_RUN_ID|(FLOE_TESTS|FLOE_STREAM|FLOE_SHARD|PYTEST|PYTHON|LD|KUBERNETES)_.*|PATH|HOME|PYTHON.*"
)
_LONGEST_VALUE = 1024

# What programs need to find each other, their files, words and certificates, and the way out. The
# same as tox passes on, without what an index or a netrc file holds.
INHERITED = (
    *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER", "XDG_RUNTIME_DIR"),
    *("LANG", "LANGUAGE", "TZ"),
    *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("JAVA_HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
)
_INHERITED_BEGINNINGS = ("LC_", "OPENBLAS_")
_PASSED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def problems_of(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Find what is wrong with variables, whoever sets them.

    Returns:
        One sentence a problem, with its remedy; empty when all may be set.
    """
    problems: list[str] = []
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            problems.append(
                f"{name!r} is no name of a variable. Use capital letters, digits and '_', at most "
                "64, beginning with a letter."
            )
        elif _RESERVED.fullmatch(name):
            problems.append(f"{name} is the orchestrator's own. Leave it out.")
        elif _SECRET.search(name):
            problems.append(
                f"{name} looks like a secret, and variables are shown and recorded. Take it from a "
                "Secret in the suite's test-job.yaml (valueFrom)."
            )
        if len(value) > _LONGEST_VALUE or any(ord(sign) < ord(" ") for sign in value):
            problems.append(
                f"the value of {name} has {len(value)} characters. Write one line of at most "
                f"{_LONGEST_VALUE}."
            )
    return tuple(problems)


def _valid(variables: dict[str, str]) -> dict[str, str]:
    problems = problems_of(variables)
    if problems:
        raise ValueError(" ".join(problems))
    return variables


def inherited(
    environ: Mapping[str, str], passed: Iterable[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of this machine that a suite on `local` sees.

    A proxy's address with a password in it is left out, unless the tier names it.

    Args:
        environ: This process' variables.
        passed: Names that the suite's tier passes on beside the usual ones.

    Returns:
        The variables, and the names of `passed` that are not set here.
    """
    named = tuple(passed)
    usual = {
        name: value
        for name, value in environ.items()
        if (name in INHERITED or name.startswith(_INHERITED_BEGINNINGS))
        and not ("@" in value and name.lower().endswith("_proxy"))
    }
    found = {name: environ[name] for name in named if name in environ}
    return {**usual, **found}, tuple(name for name in named if name not in environ)


def _passable(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _PASSED_NAME.fullmatch(name):
            message = f"{name!r} is no name of a variable. Write each name in whole."
            raise ValueError(message)
        if _RESERVED.fullmatch(name):
            message = f"{name} is the orchestrator's own, or changes what runs. Leave it out."
            raise ValueError(message)
    return names


PassedNames = Annotated[tuple[str, ...], AfterValidator(_passable)]
Variables = Annotated[dict[str, str], AfterValidator(_valid)]


def chosen(
    wanted: Mapping[str, str], known_by_suite: Mapping[str, Iterable[str]]
) -> Mapping[str, Mapping[str, str]]:
    """Return each suite those of a run's variables that it knows.

    Args:
        wanted: What the run chooses.
        known_by_suite: By suite, the variables that its manifest or its settings name.

    Returns:
        By suite, its variables of this run.

    Raises:
        ConfigurationError: A variable may not be set, or no suite knows it; all of them at once.
    """
    problems = list(problems_of(wanted))
    known = {suite: set(names) for suite, names in known_by_suite.items()}
    everywhere = {name for names in known.values() for name in names}
    settable = sorted(name for name in everywhere if not problems_of({name: ""}))
    problems += [
        f"no suite of this run knows {name}. They know {', '.join(settable) or 'none'}."
        for name in wanted
        if name not in everywhere
    ]
    if problems:
        raise ConfigurationError("variables of the run: " + " ".join(problems))
    return {
        suite: {name: value for name, value in wanted.items() if name in names}
        for suite, names in known.items()
    }


def said(variables: Mapping[str, str]) -> str:
    """Return variables as one line, for people."""
    return ", ".join(f"{name}={value}" for name, value in sorted(variables.items()))
