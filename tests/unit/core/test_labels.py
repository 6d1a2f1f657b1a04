"""Labels that Kubernetes takes whatever a ref or a commit is called, and when they have expired."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.core import labels
from floe_tests.core.labels import Owner, has_expired, label_value

# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
LEGAL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@given(st.text(max_size=200))
def test_any_text_becomes_a_legal_label_value(text: str):
    value = label_value(text)

    assert len(value) <= 63
    assert LEGAL.fullmatch(value), value


@given(st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", fullmatch=True))
def test_a_legal_value_stays_as_it_is(text: str):
    assert label_value(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("refs/heads/feature/a b", "refs-heads-feature-a-b"),
        ("-rf /", "rf"),
        ("ümlaut", "mlaut"),
        ("../../etc", "etc"),
        ("!!!", ""),
        ("a" * 62 + "/b", "a" * 62),
        ("a\n", "a"),
    ],
)
def test_a_hostile_ref_is_cut_to_what_is_legal(text: str, value: str):
    assert label_value(text) == value


@given(ref=st.text(max_size=100), commit=st.text(max_size=100))
def test_all_labels_of_an_owner_are_legal(ref: str, commit: str):
    owner = Owner(run_id="1a2b", tier="unit", ref=ref, commit=commit, expires_at=NOW)

    assert all(LEGAL.fullmatch(value) for value in owner.labels().values())


def test_an_owner_is_written_with_its_expiry_in_seconds():
    owner = Owner(run_id="1a2b", tier="unit", ref="main", commit="72c65fc", expires_at=NOW)

    assert owner.labels() == {
        "app.kubernetes.io/managed-by": "floe-tests",
        "floe-tests/run": "1a2b",
        "floe-tests/tier": "unit",
        "floe-tests/ref": "main",
        "floe-tests/commit": "72c65fc",
        "floe-tests/expires": str(int(NOW.timestamp())),
    }


@pytest.mark.parametrize(
    ("written", "expired"),
    [
        pytest.param(str(int(NOW.timestamp()) - 1), True, id="a second ago"),
        pytest.param(str(int((NOW + timedelta(hours=1)).timestamp())), False, id="in an hour"),
        pytest.param("soon", False, id="no number"),
        pytest.param("", False, id="empty"),
        pytest.param("-5", False, id="negative"),
        pytest.param("²", False, id="a digit that is no decimal"),
    ],
)
def test_only_a_time_that_is_over_has_expired(written: str, expired: bool):  # noqa: FBT001 - the row
    assert has_expired({labels.EXPIRES: written}, now=NOW) is expired


def test_an_object_without_the_label_never_expires():
    """A reaper that took it for expired would delete what others created."""
    assert has_expired({"app": "production"}, now=NOW) is False


@pytest.mark.parametrize("written", ["99999999999999", "9" * 60])
def test_a_time_beyond_the_calendar_has_not_expired(written: str):
    assert has_expired({labels.EXPIRES: written}, now=NOW) is False
