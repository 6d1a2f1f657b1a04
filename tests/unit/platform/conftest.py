"""Lets the tests import the platform image's own package."""

from __future__ import annotations

import sys
from pathlib import Path

IMAGE = Path(__file__).parents[3] / "images" / "platform"

# And the server beside the tests.
for folder in (IMAGE, Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
