"""Polaris beside Iceberg's REST API: tokens of principals, and the management API.

Source: https://polaris.apache.org/releases/1.2.0/polaris-api-specs/polaris-management-api/
"""

from __future__ import annotations

import os

import requests

_TIMEOUT_SECONDS = 20.0


def ask_for_token(client_id: str, client_secret: str) -> requests.Response:
    """Ask for an access token with a principal's credentials."""
    return requests.post(
        f"{os.environ['FLOE_CATALOG_URI']}/v1/oauth/tokens",
        data={
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": os.environ["FLOE_CATALOG_SCOPE"],
        },
        timeout=_TIMEOUT_SECONDS,
    )


def manage(path: str, *, token: str | None) -> requests.Response:
    """Read a path of the management API, `catalogs` for one."""
    return _get(f"http://{os.environ['POLARIS_HOST']}:8181/api/management/v1/{path}", token)


def read_catalog(path: str, *, token: str | None) -> requests.Response:
    """Read a path of Iceberg's REST API in the release's catalog, `namespaces` for one."""
    catalog = os.environ["FLOE_CATALOG_WAREHOUSE"]
    return _get(f"{os.environ['FLOE_CATALOG_URI']}/v1/{catalog}/{path}", token)


def _get(url: str, token: str | None) -> requests.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.get(url, headers=headers, timeout=_TIMEOUT_SECONDS)
