"""Links of the texts that are read in the repository lead somewhere, their anchors too.

`make site` checks those of docs/ once more, as pages.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FENCE = re.compile(r"^( *)(```+).*?^\1\2", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]+)?\)")
TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "charts/*/*.md", "packages/*/*.md", "airgap/*.md")
    for path in ROOT.glob(pattern)
)


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose(path), flags=re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(text: Path):
    broken: list[str] = []
    for path, anchor in LINK.findall(prose(text)):
        target = (text.parent / path).resolve() if path else text
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor[1:] not in anchors(target)
        ):
            broken.append(f"{path}{anchor}")

    assert broken == []
