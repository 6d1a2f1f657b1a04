"""The page of settings says what settings.py says."""

from __future__ import annotations

from pathlib import Path

from floe_tests.config.provider_settings import environment_models
from floe_tests.config.tier import TierSettings
from floe_tests.report.tiers import markdown

PAGE = Path(__file__).parents[3] / "docs" / "tiers.md"


def test_the_page_in_docs_is_the_one_that_the_settings_give():
    assert PAGE.read_text() == markdown(), "docs/tiers.md is stale: run `make docs`"


def test_every_setting_of_a_tier_has_a_row_with_its_meaning():
    page = markdown()

    for name, field in TierSettings.model_fields.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {field.description} |")


def test_every_setting_of_an_environment_has_a_row_with_its_meaning():
    rows = markdown().splitlines()

    for environment, model in environment_models():
        heading = model.__name__.removesuffix("Settings")
        section = rows[rows.index(f"## {heading}") :]
        assert any(row.startswith(f"| `{environment}` | [{heading}](#") for row in rows)
        for name, field in model.model_fields.items():
            row = next(line for line in section if line.startswith(f"| `{name}` |"))
            assert row.endswith(f"| {field.description} |")
