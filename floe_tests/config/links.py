"""Where a commit, a pull request and a run are looked at: addresses as the project gives them.

A page that says "failing since 4f2c1aa" is worth more where that is a link. The addresses are
templates in environment variables; on GitHub the first two are known without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import NoReturn
from urllib.parse import quote, urlsplit

from floe_tests.core import refs
from floe_tests.core.errors import ConfigurationError

COMMIT_VARIABLE = "FLOE_TESTS_COMMIT_URL"
REQUEST_VARIABLE = "FLOE_TESTS_PULL_REQUEST_URL"
RUN_VARIABLE = "FLOE_TESTS_RUN_URL"

_FIELDS: Mapping[str, frozenset[str]] = {
    COMMIT_VARIABLE: frozenset({"commit", "ref"}),
    REQUEST_VARIABLE: frozenset({"number", "ref", "commit"}),
    RUN_VARIABLE: frozenset({"run_id", "ref", "commit"}),
}
_EXAMPLES = {
    COMMIT_VARIABLE: "https://git.example.com/team/shop/commit/{commit}",
    REQUEST_VARIABLE: "https://git.example.com/team/shop/pull/{number}",
    RUN_VARIABLE: "https://dagster.example.com/runs/{run_id}",
}
_REQUEST = re.compile(r"(?:pull|merge-requests)/(?P<number>[0-9]+)")
_UNKNOWN = frozenset({"", "unknown"})


@dataclass(frozen=True)
class Links:
    """Templates of addresses; None where there is none.

    Attributes:
        commit: Of a commit (FLOE_TESTS_COMMIT_URL), with `{commit}`.
        request: Of a pull request (FLOE_TESTS_PULL_REQUEST_URL), with `{number}`.
        run: Of a run, in Dagster or in a CI (FLOE_TESTS_RUN_URL), with `{run_id}`.
    """

    commit: str | None = None
    request: str | None = None
    run: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Links:
        """Read the templates; those of GitHub's own repository where none is given.

        Args:
            environ: The variables, as `os.environ`.

        Raises:
            ConfigurationError: One is no address, or has a field that there is not.
        """
        server, name = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
        here = f"{server.rstrip('/')}/{name}" if server and name else None
        return cls(
            commit=_template(environ, COMMIT_VARIABLE) or (here and f"{here}/commit/{{commit}}"),
            request=_template(environ, REQUEST_VARIABLE) or (here and f"{here}/pull/{{number}}"),
            run=_template(environ, RUN_VARIABLE),
        )

    def of(self, *, run_id: str, ref: str | None, commit: str | None) -> dict[str, str]:
        """Return the addresses of a run, by what they lead to: those that there are.

        Args:
            run_id: The run.
            ref: Branch, tag or pull request.
            commit: What it tested.
        """
        match = _REQUEST.fullmatch(refs.name_of(ref) or "")
        known = {
            "run_id": run_id,
            "ref": ref or "",
            "commit": commit or "",
            "number": match["number"] if match else "",
        }
        values = {
            name: quote(text, safe="/" if name == "ref" else "")
            for name, text in known.items()
            if text not in _UNKNOWN
        }
        templates = {"commit": self.commit, "pull request": self.request, "run": self.run}
        return {
            name: template.format_map(values)
            for name, template in templates.items()
            if template and _fields_of(template) <= values.keys()
        }


def _fields_of(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _template(environ: Mapping[str, str], variable: str) -> str | None:
    text = environ.get(variable, "").strip()
    if not text:
        return None
    try:
        parts = list(Formatter().parse(text))
        address = urlsplit(text)
    except ValueError:
        _refuse(variable, text)
    fields = {name for _, name, _, _ in parts if name is not None}
    is_plain = not any(how or kind for _, name, how, kind in parts if name is not None)
    if (
        address.scheme not in {"http", "https"}
        or not address.netloc
        or "{" in address.netloc
        or not fields <= _FIELDS[variable]
        or not is_plain
    ):
        _refuse(variable, text)
    return text


def _refuse(variable: str, text: str) -> NoReturn:
    fields = ", ".join(f"{{{name}}}" for name in sorted(_FIELDS[variable]))
    message = (
        f"{variable}={text!r} is no template of an address. Use one that begins with http:// or "
        f"https:// and has no other fields than {fields}, such as {_EXAMPLES[variable]}."
    )
    raise ConfigurationError(message)
