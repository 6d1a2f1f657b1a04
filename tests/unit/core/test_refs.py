"""One name for a branch, however it is written."""

from __future__ import annotations

import pytest

from floe_tests.core import refs


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("main", "main"),
        ("refs/heads/main", "main"),
        ("heads/main", "main"),
        ("origin/main", "main"),
        ("refs/remotes/origin/main", "main"),
        ("refs/heads/feature/a/b", "feature/a/b"),
        ("originals/main", "originals/main"),
        ("refs/pull/12/merge", "pull/12"),
        ("refs/pull/12/head", "pull/12"),
        ("refs/remotes/pull/12/merge", "pull/12"),
        ("pull/12/head", "pull/12"),
        ("pull/12", "pull/12"),
        ("12/merge", "pull/12"),
        ("refs/merge-requests/3/head", "merge-requests/3"),
        ("refs/tags/main", "tags/main"),
        ("12", "12"),
        ("HEAD", "HEAD"),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_a_ref_has_one_name_however_it_is_written(ref: str | None, name: str | None) -> None:
    assert refs.name_of(ref) == name


@pytest.mark.parametrize(
    "name", ["main", "feature/a/b", "pull/12", "merge-requests/3", "HEAD", "tags/v1"]
)
def test_every_spelling_of_a_name_has_that_name(name: str) -> None:
    found = refs.spellings(name)

    assert name in found
    assert {refs.name_of(each) for each in found} == {name}


def test_the_spellings_of_github_are_among_them() -> None:
    assert {"refs/pull/7/merge", "7/merge", "pull/7/head"} <= set(refs.spellings("pull/7"))
    assert {"refs/heads/main", "origin/main"} <= set(refs.spellings("main"))
