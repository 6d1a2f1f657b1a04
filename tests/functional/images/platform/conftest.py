"""Lets the tests import the platform image's own package."""

from __future__ import annotations

import tests.support.platform_image  # noqa: F401
