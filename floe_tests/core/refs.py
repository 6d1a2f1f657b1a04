"""What a git ref is called, however git, a CI or a person wrote it.

A CI says `refs/heads/main`, `origin/main` or `main` for one branch, and `refs/pull/12/merge`,
`pull/12/head` or `12/merge` for one pull request. Runs of one branch belong together, so each has
one name here.
"""

from __future__ import annotations

import re

DETACHED = "HEAD"
"""The ref of a checkout that is on no branch that anybody knows, as git calls it."""

UNNAMED = ("", "unknown")
"""What is recorded as the ref of a run that names none, outside of a repository for example."""

_BRANCH_PREFIXES = ("refs/heads/", "refs/remotes/origin/", "remotes/origin/", "heads/", "origin/")
# A tag may have a branch's name: it keeps a prefix.
_TAGS = "tags/"
# GitHub's, Gitea's and GitLab's. `12/merge` is GITHUB_REF_NAME of a pull request.
_REQUEST = re.compile(
    r"(?:refs/(?:remotes/)?)?(?P<kind>pull|merge-requests)/(?P<number>[0-9]+)(?:/(?:merge|head))?"
)
_SHORT_PULL = re.compile(r"(?P<number>[0-9]+)/merge")


def name_of(ref: str | None) -> str | None:
    """Return the name of a branch, tag or pull request; None for a ref that names none.

    Args:
        ref: As it was recorded or given.
    """
    text = (ref or "").strip()
    if text in UNNAMED:
        return None
    if short := _SHORT_PULL.fullmatch(text):
        return f"pull/{short['number']}"
    if request := _REQUEST.fullmatch(text):
        return f"{request['kind']}/{request['number']}"
    for prefix in _BRANCH_PREFIXES:
        if text.startswith(prefix) and text != prefix:
            return text.removeprefix(prefix)
    return text.removeprefix("refs/") if text.startswith(f"refs/{_TAGS}") else text


def spellings(name: str) -> tuple[str, ...]:
    """Return every ref that has a name, for a database that holds them as they came.

    Args:
        name: As `name_of` returns it.
    """
    if request := _REQUEST.fullmatch(name):
        kind, number = request["kind"], request["number"]
        ends = ("", "/merge", "/head")
        begins = ("refs/", "refs/remotes/", "")
        short = (f"{number}/merge",) if kind == "pull" else ()
        return (*(f"{begin}{kind}/{number}{end}" for begin in begins for end in ends), *short)
    if name.startswith(_TAGS):
        return (name, f"refs/{name}")
    return (name, *(f"{prefix}{name}" for prefix in _BRANCH_PREFIXES))
