"""The page of settings says what settings.py says."""

from __future__ import annotations

from pathlib import Path

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
