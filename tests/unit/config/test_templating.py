"""Environment variables in a tier's settings, and its owners."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from floe_tests.config.tier import TierSettings

TIER: dict[str, Any] = {
    "name": "smoke",
    "description": "d",
    "environments": ["local"],
    "suites": [{"name": "one", "command": ["pytest", "{{ env.SUITE }}"]}],
}


def test_a_variable_takes_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUITE", "tests/smoke")
    monkeypatch.setenv("MINUTES", "7")
    budget = {"minutes": "{{ env('MINUTES') }}", "memory": "{{ env('NO_MEMORY', '2Gi') }}"}

    tier = TierSettings.model_validate({**TIER, "budget": budget})

    assert tier.suites[0].command == ("pytest", "tests/smoke")
    assert (tier.budget.minutes, tier.budget.memory) == (7, "2Gi")


def test_one_that_is_not_set_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SUITE", raising=False)

    with pytest.raises(ValidationError) as raised:
        TierSettings.model_validate(TIER)

    (problem,) = raised.value.errors()
    assert problem["loc"] == ("suites", 0, "command", 1)
    assert "SUITE is not set" in problem["msg"]
    assert "{{ env('SUITE', 'default') }}" in problem["msg"]


def test_templates_of_a_chart_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUITE", "a")
    suite = {**TIER["suites"][0], "variables": {"TEXT": "{{ $labels.pod }} {{ .Values.a }}"}}

    tier = TierSettings.model_validate({**TIER, "suites": [suite]})

    assert tier.suites[0].variables["TEXT"] == "{{ $labels.pod }} {{ .Values.a }}"


def test_owners_are_addresses_or_teams(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUITE", "a")
    owners = ["ann@example.com", "team:shop"]

    assert TierSettings.model_validate({**TIER, "owners": owners}).owners == tuple(owners)
    with pytest.raises(ValidationError, match=r"'ann' is no owner\. Write an e-mail address"):
        TierSettings.model_validate({**TIER, "owners": ["ann"]})
