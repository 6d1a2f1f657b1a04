"""Lets the tests import the package of the StateFun functions' image."""

from __future__ import annotations

import sys
from pathlib import Path

IMAGE = Path(__file__).parents[3] / "images" / "statefun-functions"

if str(IMAGE) not in sys.path:
    sys.path.insert(0, str(IMAGE))
