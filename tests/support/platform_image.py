"""Lets the tests import the platform image's own package."""

from __future__ import annotations

import sys
from pathlib import Path

IMAGE = Path(__file__).parents[2] / "images" / "platform"

if str(IMAGE) not in sys.path:
    sys.path.insert(0, str(IMAGE))
