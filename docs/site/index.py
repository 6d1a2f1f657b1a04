"""Make docs/index.md, the first page of the site, from README.md: a part of `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]+)")


def markdown() -> str:
    """Return README.md with its links as they lead from docs/."""
    text = _LINK.sub(
        lambda link: (
            f"]({link['path'].removeprefix('docs/')}"
            if link["path"].startswith("docs/")
            else f"](../{link['path']}"
        ),
        (ROOT / "README.md").read_text(),
    )
    return f"<!-- Made by `make docs` from README.md: change it there. -->\n\n{text}"


if __name__ == "__main__":
    (ROOT / "docs" / "index.md").write_text(markdown())
