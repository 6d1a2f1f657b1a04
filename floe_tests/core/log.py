"""Where a line for people goes: what most of the code is told as `log`."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
