"""The quarantine list: read whole or refused whole, and over on the day after its last."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from floe_tests.config import quarantine
from floe_tests.core.errors import ConfigurationError

TODAY = date(2026, 11, 24)
LIST = """\
- test: t.a::flaky
  owner: data
  reason: see the issue
  expires: 2026-11-24
- test: t.a::flaky
  suite: other
  owner: data
  reason: another one
  expires: 2026-11-23
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "quarantine.yaml"
    path.write_text(text)
    return path


def test_an_entry_lets_its_test_fail_up_to_its_last_day(tmp_path: Path) -> None:
    listed = quarantine.read(_write(tmp_path, LIST), today=TODAY)
    entry = listed.entry(suite="main", test="t.a::flaky")
    assert entry is not None
    assert str(entry) == "quarantined until 2026-11-24 by data: see the issue"
    assert listed.entry(suite="main", test="t.a::other") is None
    later = quarantine.Quarantine(listed.entries, date(2026, 11, 25))
    assert later.entry(suite="main", test="t.a::flaky") is None
    assert [each.reason for each in later.expired(suite="main", tests=["t.a::flaky"])] == [
        "see the issue"
    ]


def test_an_entry_of_a_suite_says_nothing_of_another(tmp_path: Path) -> None:
    listed = quarantine.read(_write(tmp_path, LIST), today=TODAY)
    assert [each.suite for each in listed.expired(suite="other", tests=["t.a::flaky"])] == ["other"]
    assert listed.expired(suite="main", tests=["t.a::flaky"]) == ()


def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    assert quarantine.read(_write(tmp_path, "# nothing\n"), today=TODAY).entries == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {test: a, owner: b, reason: c}\n", "0.expires: Field required"),
        ("- {test: a, reason: c, expires: 2026-01-01}\n", "0.owner: Field required"),
        ("- {test: a, owner: '', reason: c, expires: 2026-01-01}\n", "0.owner: String should"),
        ("- {test: a, owner: b, reason: c, expires: soon}\n", "0.expires: Input should"),
        ("- {test: a, owner: b, reason: c, expires: 2026-01-01, until: x}\n", "0.until: Extra"),
        ("a: [\n", "is no YAML"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_its_entry(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigurationError, match=said):
        quarantine.read(_write(tmp_path, text), today=TODAY)


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        quarantine.read(tmp_path / "none.yaml", today=TODAY)
