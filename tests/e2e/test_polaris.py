"""Polaris alone: principals, grants and the management API, which Iceberg's own server lacks."""

from __future__ import annotations

import os

import pytest

from .polaris_api import ask_for_token, manage, read_catalog

pytestmark = [pytest.mark.kubernetes, pytest.mark.polaris]

WRONG = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def token() -> str:
    """An access token of the pipelines' principal."""
    response = ask_for_token(
        os.environ["FLOE_CATALOG_CLIENT_ID"], os.environ["FLOE_CATALOG_CLIENT_SECRET"]
    )
    assert response.status_code == 200, response.text
    return response.json()["access_token"]


def test_principal_gets_a_token_that_expires(token: str) -> None:
    """The pipelines connect as themselves, for a while at a time."""
    assert token
    response = ask_for_token(
        os.environ["FLOE_CATALOG_CLIENT_ID"], os.environ["FLOE_CATALOG_CLIENT_SECRET"]
    )
    assert response.json()["expires_in"] > 0


def test_wrong_client_secret_gets_no_token() -> None:
    """Refused as unauthorized, and not for another reason: the right secret works above."""
    response = ask_for_token(os.environ["FLOE_CATALOG_CLIENT_ID"], WRONG)
    assert response.status_code == 401, response.text
    assert "access_token" not in response.json()


def test_unknown_client_gets_no_token() -> None:
    """A principal that does not exist is told the same as one with a wrong secret."""
    response = ask_for_token("nobody", os.environ["FLOE_CATALOG_CLIENT_SECRET"])
    assert response.status_code == 401, response.text


@pytest.mark.parametrize("path", ["catalogs", "principals", "principal-roles"])
def test_management_is_not_for_the_pipelines(token: str, path: str) -> None:
    """The principal manages the content of its catalog, and neither catalogs nor principals."""
    assert manage(path, token=token).status_code == 403
    assert manage(path, token=None).status_code == 401


def test_principal_reads_its_catalog_and_a_stranger_does_not(token: str) -> None:
    """The grant is to the principal, not to the network."""
    response = read_catalog("namespaces", token=token)
    assert response.status_code == 200, response.text
    assert read_catalog("namespaces", token=None).status_code == 401
    assert read_catalog("namespaces", token=WRONG).status_code == 401


def test_principal_may_not_widen_its_own_grants(token: str) -> None:
    """Roles of the catalog, and what they grant, are the administrator's."""
    catalog = os.environ["FLOE_CATALOG_WAREHOUSE"]
    response = manage(f"catalogs/{catalog}/catalog-roles", token=token)
    assert response.status_code == 403, response.text
