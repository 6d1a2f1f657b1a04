"""The site's first page is the README."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_in_docs_is_the_readme_with_links_from_there():
    made = runpy.run_path(str(ROOT / "docs" / "site" / "index.py"))["markdown"]()

    assert (ROOT / "docs" / "index.md").read_text() == made, "it is stale: run `make docs`"
