"""An API server that answers by a script."""

from __future__ import annotations

from tests.support.kube_api import api, unreachable

__all__ = ["api", "unreachable"]
